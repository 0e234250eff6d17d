"""Everything the doctor looks at: the machine here, torch and the bundled model in a process of their own."""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gendeg import __version__
from gendeg.doctor.finding import Finding, homely
from gendeg.doctor.machine import look_at_machine
from gendeg.primitives.quantities import say_bytes
from gendeg.primitives.silence import doing

PATIENCE = 300.0
"""Seconds that torch and the model may take."""
NEAR, NEAR_ELSEWHERE = 1, 8
"""Grey levels that the known image may be off: on a CPU; on a GPU, which rounds otherwise."""
REINSTALL = "pip install --force-reinstall --no-deps gendeg (or from where you had it)"
TRIAL = """
import sys
sys.path.insert(0, {root!r})
import gendeg
del sys.path[0]
from gendeg.doctor.trial import main
main()
"""
"""Of this gendeg and of no other, but nothing else that lies beside it or where one stands."""
TORCH = {
    "No module named": "pip install torch (https://pytorch.org has a small build for CPUs)",
    "cannot open shared object": "its files, or the driver's, are not whole: pip install --force-reinstall torch",
    "DLL load failed": "pip install --force-reinstall torch; on Windows the Visual C++ runtime is needed too",
    "NumPy": "numpy and torch do not fit: pip install --force-reinstall numpy torch",
}
"""What an import of torch says → what helps."""


def examine(patience: float = PATIENCE) -> Iterator[Finding]:
    """One finding a thing, as soon as it is known; never an error."""
    package = Path(__file__).resolve().parents[1]
    yield Finding("gendeg", "ok", f"{__version__} in {homely(package)}", facts={"version": __version__})
    yield from look_at_machine()
    with doing("loading torch and the bundled model"):
        stages, end = _try_out(package.parent, patience)
    yield from _of_torch(stages, end)
    yield _of_sample_photos()


def _try_out(root: Path, patience: float) -> tuple[dict[str, dict[str, Any]], str]:
    """Stage → its facts, of those that were reached; and how the process ended where it did not end by itself."""
    code = [sys.executable, "-P", "-c", TRIAL.format(root=str(root))]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}  # what comes along needs no network
    try:
        done = subprocess.run(code, capture_output=True, timeout=patience, env=quiet, stdin=subprocess.DEVNULL)
        said, end = done.stdout, _ended(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as error:
        said, end = error.stdout or b"", f"no answer in {patience:.0f} s"
    except OSError as error:
        said, end = b"", f"Python cannot be started ({error.strerror})"
    stages = {}
    for line in said.decode(errors="replace").splitlines():
        with suppress(ValueError, TypeError, KeyError):  # what a library prints is no stage
            row = json.loads(line)
            stages[row["stage"]] = row
    return stages, end


def _ended(code: int, stderr: bytes) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"the process was killed by {signal.Signals(-code).name}"
    lines = stderr.decode(errors="replace").strip().splitlines()
    return f"exit code {code}: {lines[-1] if lines else 'nothing was said'}" if code else ""


def _of_torch(stages: dict[str, dict[str, Any]], end: str) -> Iterator[Finding]:
    torch = stages.get("torch", {})
    if "version" not in torch:
        reason = torch.get("error", end)
        advice = next((help for sign, help in TORCH.items() if sign in reason), "pip install --force-reinstall torch")
        yield Finding("torch", "off", reason, advice)
        yield Finding("model", "off", "not tried, for want of torch", "mend torch first")
        return
    yield Finding("torch", "ok", f"{torch['version']}, {torch['threads']} threads ({torch['seconds']} s)", facts=torch)
    yield _of_device(torch)
    yield _of_model(stages, end)
    if torch["kind"] != "cpu" and "difference" in stages.get("image", {}):
        yield _of_other_device(torch["kind"], stages.get("device", {}), end)


def _of_device(torch: dict[str, Any]) -> Finding:
    cards = ", ".join(
        f"{card['name']} ({say_bytes(card['free'])} of {say_bytes(card['all'])} free)" for card in torch["devices"]
    )
    if cards:
        return Finding("device", "ok", f"cuda {torch['cuda']}: {cards}", facts={"kind": "cuda"})
    if torch["kind"] == "mps":
        return Finding("device", "ok", f"mps (Apple), {platform.machine()}", facts={"kind": "mps"})
    if not torch["cuda"]:
        here = "; an NVIDIA card is here" if Path("/dev/nvidia0").exists() else ""
        advice = "to use it, install torch with CUDA (https://pytorch.org)" if here else ""
        found = f"cpu (this torch is a build without CUDA{here})"
        return Finding("device", "note" if here else "ok", found, advice, {"kind": "cpu"})
    if Path("/dev/nvidia0").exists():
        advice = "the driver is too old for this torch, or CUDA_VISIBLE_DEVICES hides it: nvidia-smi tells"
        return Finding("device", "note", f"cpu; the NVIDIA card is not usable by CUDA {torch['cuda']}", advice)
    return Finding("device", "ok", "cpu (no GPU that torch can use)", facts={"kind": "cpu"})


def _of_model(stages: dict[str, dict[str, Any]], end: str) -> Finding:
    model, image = stages.get("model", {}), stages.get("image", {})
    if "same_weights" not in model:
        return Finding("model", "off", f"the bundled model does not load: {model.get('error', end)}", REINSTALL)
    if "difference" not in image:
        advice = (
            "close other programs" if "SIGKILL" in end else f"GENDEG_DEBUG=1 gendeg synth shows where; or {REINSTALL}"
        )
        return Finding("model", "off", f"loaded, but makes no image: {image.get('error', end)}", advice)
    far, same = image["difference"], model["same_weights"]
    said = f"bundled, loaded in {model['seconds']} s, its known image in {image['seconds']} s"
    levels = f"{far} grey level{'' if far == 1 else 's'} off"
    facts = {"difference": far, "same_weights": same, "load_s": model["seconds"], "image_s": image["seconds"]}
    if not same:
        state = f"{said}; but its weights are not those that came with {__version__} ({levels})"
        return Finding("model", "off", state, REINSTALL, facts)
    if far > NEAR:
        advice = "other versions of torch or diffusers compute otherwise: install the tested ones (see packages)"
        return Finding("model", "off", f"{said}, {levels}: more than rounding", advice, facts)
    return Finding("model", "ok", f"{said}, {levels}", facts=facts)


def _of_other_device(kind: str, device: dict[str, Any], end: str) -> Finding:
    """The known image once more, on the GPU."""
    advice = "--device cpu works meanwhile; a driver and a torch that fit each other help"
    if "difference" not in device:
        return Finding("gpu image", "off", f"{kind} makes no image: {device.get('error', end)}", advice, device)
    said = f"{kind} makes the known image in {device['seconds']} s, {device['difference']} grey levels off"
    far = device["difference"] > NEAR_ELSEWHERE
    return Finding("gpu image", "off" if far else "ok", said, advice if far else "", device)


def _of_sample_photos() -> Finding:
    """What commands take when no photo is named."""
    spec = find_spec("sklearn")
    places = spec.submodule_search_locations or [] if spec else []
    if any((Path(place) / "datasets" / "images" / "china.jpg").is_file() for place in places):
        return Finding("samples", "ok", "the two sample photos are there")
    return Finding("samples", "note", "no sample photos: synth needs photos of yours", "pip install scikit-learn")
