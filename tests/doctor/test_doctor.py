"""gendeg doctor: right about a whole installation, and alive on broken ones, which are really broken here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gendeg.doctor import machine
from gendeg.doctor.finding import Finding, closing, homely, runs
from gendeg.doctor.known import clean_image, difference, known_image, same_weights
from gendeg.model.weights import load_pipeline
from gendeg.primitives.files import packed_constraints

ROOT = Path(__file__).resolve().parents[2]


def ask_doctor(broken: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, dict]]:
    """The doctor in a process of its own, where modules of `broken` stand before the real ones."""
    path = os.pathsep.join([str(broken), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "gendeg", "doctor", "--json", *arguments],
        capture_output=True, text=True, cwd=broken, env={**os.environ, "PYTHONPATH": path, **environment},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    said = json.loads(done.stdout)
    assert said["runs"] == (done.returncode == 0)
    return done.returncode, {one["thing"]: one for one in said["findings"]}


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder


def test_the_known_image_is_the_bundled_models() -> None:
    """Where this fails after new weights: `make known`."""
    pipeline = load_pipeline()
    assert same_weights(pipeline) and difference(pipeline) <= 1
    change = np.abs(known_image(pipeline).astype(float) - clean_image()).mean() / 255
    assert abs(change - 0.06) < 0.01, "rain of the mu that was asked, so not a picture of nothing"
    with_noise = next(pipeline.unet.parameters())
    with_noise.data += 0.01
    assert not same_weights(pipeline)


@pytest.mark.parametrize(
    ("text", "says", "helps"),
    [
        ("raise ModuleNotFoundError(\"No module named 'torch'\")", "No module named", "pip install torch"),
        ("raise OSError('libcudart.so.13: cannot open shared object file')", "libcudart", "force-reinstall"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV", "reinstall torch"),
        ("import os; print('{\"stage\": 3}'); os._exit(9)", "exit code 9", "reinstall torch"),
    ],
)
def test_a_broken_torch_is_two_lines(tmp_path: Path, text: str, says: str, helps: str) -> None:
    code, found = ask_doctor(write(tmp_path, "torch.py", text))
    assert code == 1 and says in found["torch"]["found"] and helps in found["torch"]["advice"]
    assert found["model"]["state"] == "off" and found["python"]["state"] == found["packages"]["state"] == "ok"


def test_even_without_what_the_command_line_needs(tmp_path: Path) -> None:
    for name in ("typer", "numpy", "psutil", "sklearn", "PIL", "tqdm"):
        write(tmp_path, f"{name}.py", f"raise ImportError('no {name}')")
    code, found = ask_doctor(write(tmp_path, "torch.py", "raise ImportError('no torch')"))
    assert code == 1 and found["memory"]["state"] == "note" and found["torch"]["state"] == "off"
    done = subprocess.run(
        [sys.executable, "-m", "gendeg", "synth"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.splitlines() == ["gendeg: no typer; gendeg doctor says what helps"]


def test_caches_and_switches_are_looked_at(tmp_path: Path) -> None:
    broken = write(tmp_path, "torch.py", "raise ImportError('no')")
    (tmp_path / "file").touch()
    _, found = ask_doctor(broken, HF_HOME=str(tmp_path / "file" / "hf"), HF_HUB_OFFLINE="1", HF_TOKEN="hf_secret")
    assert "file is in the way" in found["caches"]["found"] and "HF_HOME" in found["caches"]["advice"]
    assert "HF_HUB_OFFLINE=1" in found["switches"]["found"] and "unset HF_HUB_OFFLINE" in found["switches"]["advice"]
    assert "secret" not in json.dumps(found)


def test_packages_are_held_against_the_tested_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.declared()["torch"] == "2.6" and machine.tested_versions()["pillow"] == "13.0.0"
    have = machine.version_of
    monkeypatch.setattr(machine, "version_of", lambda name: {"torch": "2.6.1+cpu"}.get(name) or have(name))
    assert machine._packages().state == "note" and "torch 2.6.1+cpu (2.13.0)" in machine._packages().found
    assert f"-c {packed_constraints()} torch" in machine._packages().advice.replace("~", str(Path.home()))
    monkeypatch.setattr(machine, "version_of", lambda name: {"torch": "2.5", "numpy": None}.get(name, have(name)))
    assert machine._packages().state == "off"
    assert machine._packages().found == "missing: numpy; torch 2.5 is too old"


def test_a_look_that_fails_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = {one.thing: one for one in machine.look_at_machine()}
    assert found["disks"].state == "note" and "cannot be told" in found["disks"].found and "switches" in found


def test_what_the_screen_says() -> None:
    good, odd, bad = Finding("a", "ok", "fine"), Finding("b", "note", "odd", "look"), Finding("c", "off", "no", "do")
    assert good.lines == ["ok    a         fine"] and odd.lines[1].strip() == "-> look"
    assert closing([good]) == "Everything runs." and "worth a look: b" in closing([good, odd])
    assert closing([odd, bad]).startswith("Off: c.") and runs([odd]) and not runs([bad])
    assert homely(Path.home() / "x") == "~/x" and homely(f"{Path.home()}er/x") == f"{Path.home()}er/x"


@pytest.mark.slow
def test_a_whole_installation_runs_and_a_damaged_model_does_not(tmp_path: Path) -> None:
    code, found = ask_doctor(tmp_path)
    assert code == 0 and found["model"]["facts"]["difference"] <= 1 and found["torch"]["facts"]["kind"]
    shutil.copytree(ROOT / "gendeg", tmp_path / "gendeg")
    for name in ("prompts", "manifests", "constraints.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    weights = tmp_path / "gendeg/weights/bundled/unet/diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    code, found = ask_doctor(tmp_path)
    assert code == 1 and "does not load" in found["model"]["found"] and "reinstall" in found["model"]["advice"]
    weights.write_bytes(whole[:-1000] + bytes(1000))
    code, found = ask_doctor(tmp_path)
    assert code == 1 and "weights are not those" in found["model"]["found"]
