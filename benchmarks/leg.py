"""One leg of a training on a machine that is lent for minutes: goes on from parts of an earlier one, leaves parts.

bash benchmarks/prepare_leg.sh                       makes the folder that is carried there, and says what to run there
bash benchmarks/gpu_leg.sh .leg                      there: installs what is missing and calls this
python benchmarks/leg.py join runs/leg runs/model    here: a model folder again

What lies in the output at any moment is whole: the averaged weights in half precision as parts of 15 MB at most (at
most 8 files with log and sheet), renewed with every sheet, about every two minutes, and at the end.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ != "__mp_main__":  # the processes that simulate import this file too, and start sooner without all that
    import torch
    from PIL import Image

    from gendeg.bundle.bundle import make_bundle
    from gendeg.bundle.config import BundleConfig
    from gendeg.model.latents import factor
    from gendeg.model.parts import INDEX, join_parts, write_parts
    from gendeg.model.pipeline import GenDegPipeline
    from gendeg.model.saving import write_folder
    from gendeg.model.weights import load_pipeline
    from gendeg.primitives.errors import GendegError
    from gendeg.primitives.files import atomic_write
    from gendeg.training.config import DiffusionConfig
    from gendeg.training.diffusion import make_denoiser, new_pipeline
    from gendeg.training.fresh_pairs import FreshPairs, fresh_recipe
    from gendeg.training.presets import read_recipe

FILES = 6
"""Of the eight that may come back, those for parts and their index; the others are the log and the sheet."""
LAST = 25.0
"""Seconds for putting the finished model into parts."""
LATE = 150.0
"""Seconds after which parts are made whatever the step, where a machine has become slower than it was timed at."""
EXAMPLES = 512
"""In a batch, all noise levels of its crops together: with twice as many a step takes nearly twice as long."""
REPEATS = (4, 32)
"""Noise levels that a crop is seen at, at least and at most."""


class Courier:
    """Puts what is being trained into parts whenever a sheet has been drawn."""

    def __init__(self, work: Path, out: Path):
        self.work, self.out = work, out

    def __call__(self, trained: Any, step: int) -> None:
        """What goes wrong here is said, and does not end a training that goes well."""
        try:
            self.bring(trained, step)
        except (OSError, GendegError) as error:
            print(f"no parts of step {step}: {error}", flush=True)

    def bring(self, trained: Any, step: int) -> None:
        """Save the weights of a pipeline in half precision, or an autoencoder as it is, and send them."""
        stage = "diffusion" if isinstance(trained, GenDegPipeline) else "autoencoder"
        whole, half = self.work / "now", self.work / "half"
        place = whole if stage == "diffusion" else whole / "vae"
        shutil.rmtree(whole, ignore_errors=True)
        trained.save_pretrained(place)
        if stage == "diffusion":
            halved = load_pipeline(str(whole), dtype=torch.float16)
            write_folder(half, halved.save_pretrained)
        self.send(half if stage == "diffusion" else whole, {"stage": stage, "step": step})

    def send(self, model: Path, notes: dict[str, str | int | float]) -> None:
        """Replace the parts and the sheet."""
        write_parts(model, self.out, notes, most=FILES)
        sheets = [
            path
            for stage in ("autoencoder", "diffusion")
            for path in sorted((self.work / "run" / stage).glob("sheet-*.png"))
        ]
        if sheets:
            stream = io.BytesIO()
            Image.open(sheets[-1]).convert("RGB").save(stream, "jpeg", quality=88)
            atomic_write(self.out / "sheet.jpg", stream.getvalue())
        print(f"parts: {notes}", flush=True)


def start_of(asked: argparse.Namespace, work: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Where the weights come from: the bundle's `init`, or settings of its steps."""
    given, stage = "bundled", "done"
    if (asked.carried / "parts" / INDEX).exists():
        parts = join_parts(asked.carried / "parts", work / "start")
        given, stage = str(work / "start"), str(parts.notes["stage"])
        print(f"goes on from {parts.notes}", flush=True)
    if asked.from_nothing:
        return "", {}
    if asked.train_autoencoder:
        return "", {"autoencoder": {"init": given}}
    return ("", {"diffusion": {"vae": given}}) if stage == "autoencoder" or asked.new_unet else (given, {})


def train(asked: argparse.Namespace) -> None:
    since = time.time() if asked.started is None else asked.started
    asked.out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="leg-"))
    courier = Courier(work, asked.out)
    init, changed = start_of(asked, work)
    for stage in ("autoencoder", "diffusion"):
        changed[stage] = {**changed.get(stage, {}), "sheet_seconds": LATE}
    manifest = asked.carried / "data" / "manifest.jsonl"
    clean = asked.carried / "data" / "clean.txt"
    if torch.cuda.is_available():
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
        torch.backends.cudnn.benchmark = True  # two sizes of batch in all
        torch.set_float32_matmul_precision("high")
        if not asked.as_recipe:
            changed["diffusion"] |= choose_batch(asked.recipe, clean, "cuda")
    left = asked.seconds - (time.time() - since) - LAST
    print(f"{left:.0f} s are left to train in", flush=True)
    config = BundleConfig(
        (clean,), asked.recipe, work / "run", left / 60, (manifest,) if manifest.exists() else (), asked.weights, init
    )
    model = make_bundle(config, courier, changed, short=True)
    courier.send(model, {"stage": "done", "seconds": round(time.time() - since)})
    if not asked.keep:
        shutil.rmtree(work)


def split(asked: argparse.Namespace) -> None:
    """A model in half precision, as parts."""
    asked.parts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        write_folder(Path(place) / "half", load_pipeline(str(asked.model), dtype=torch.float16).save_pretrained)
        print(write_parts(Path(place) / "half", asked.parts, {"stage": "done"}, most=FILES).files)


def choose_batch(path: Path, clean: Path, device: str, together: int = EXAMPLES) -> dict[str, int]:
    """Crops in a batch and noise levels of each: as many levels as the GPU has time for while crops are simulated."""
    config: DiffusionConfig = read_recipe(path, Path()).config("diffusion", clean=(clean,), pairs=(), out=Path())
    crops, examples = crops_a_second(config), examples_a_second(config, device, together)
    repeats = REPEATS[0]
    while 2 * repeats <= REPEATS[1] and 2 * repeats * crops < examples:
        repeats *= 2
    chosen = {"batch_size": max(4, together // repeats), "repeats": repeats}
    print(f"{crops:.0f} crops/s are simulated, {examples:.0f} examples/s trained on: {chosen}", flush=True)
    return chosen


def crops_a_second(config: DiffusionConfig) -> float:
    """Of all processes together, once all of them work."""
    size, jobs = 16, 2 * config.workers
    with closing(FreshPairs(fresh_recipe(config, ()), config.workers)) as fresh, ThreadPoolExecutor(jobs) as pool:

        def make(job: int) -> None:
            fresh.views(range(job * size, (job + 1) * size), config.size)

        list(pool.map(make, range(config.workers)))
        since = time.perf_counter()
        list(pool.map(make, range(config.workers, config.workers + jobs)))
        return jobs * size / (time.perf_counter() - since)


def examples_a_second(config: DiffusionConfig, device: str, together: int) -> float:
    """Forward and backward passes of a fresh network, in bfloat16."""
    pipeline = new_pipeline(DiffusionConfig(pairs=(), out=Path(), vae="bundled", sizes=config.sizes))
    denoiser = make_denoiser(pipeline, config).to(device)
    side, channels = config.size // factor(pipeline.vae), pipeline.unet.config.out_channels
    noisy = torch.randn(together, channels, side, side, device=device)
    tokens = pipeline.tokenize(["a photo"] * together).to(device)
    number = torch.full((together,), 0.1, device=device)
    direction, time_step = number[:, None].repeat(1, 2), torch.full((together,), 400, device=device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16):
            said = denoiser(noisy, noisy, time_step, tokens, number, number, direction)
        said.float().square().mean().backward()

    return together / seconds_of(step, device)


def seconds_of(step: Callable[[], None], device: str, warm: int = 4, counted: int = 8) -> float:
    """A step's, with the work of a GPU waited for."""
    for _ in range(warm):
        step()
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    wait()
    since = time.perf_counter()
    for _ in range(counted):
        step()
    wait()
    return (time.perf_counter() - since) / counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    todo = parser.add_subparsers(required=True)
    leg = todo.add_parser("train", help="on the lent machine")
    leg.add_argument("carried", type=Path, help="folder with data/ and, to go on, parts/")
    leg.add_argument("--out", type=Path, required=True)
    leg.add_argument("--seconds", type=float, default=540, help="from --started to the last part")
    leg.add_argument("--started", type=float, help="seconds since 1970; now")
    leg.add_argument("--recipe", type=Path, default=Path("manifests/recipes/bundled.toml"))
    leg.add_argument("--as-recipe", action="store_true", help="its batch, not one chosen by what is timed there")
    leg.add_argument("--weights", default="", help="how often degradations and sources are drawn: gopro=2")
    start = leg.add_mutually_exclusive_group()
    start.add_argument("--keep-autoencoder", action="store_true", help="the default: latents stay what they are")
    start.add_argument("--train-autoencoder", action="store_true", help="go on with it, then diffusion from nothing")
    start.add_argument("--new-unet", action="store_true", help="keep the autoencoder, diffusion from nothing")
    start.add_argument("--from-nothing", action="store_true", help="train both from nothing")
    leg.add_argument("--keep", action="store_true", help="do not remove the run's own folder")
    leg.set_defaults(run=train)
    cut = todo.add_parser("split", help="a model folder → parts, to start from")
    cut.add_argument("model", type=Path)
    cut.add_argument("parts", type=Path)
    cut.set_defaults(run=split)
    join = todo.add_parser("join", help="parts → a model folder")
    join.add_argument("parts", type=Path)
    join.add_argument("model", type=Path)
    join.set_defaults(run=lambda asked: print(join_parts(asked.parts, asked.model).notes))
    asked = parser.parse_args()
    asked.run(asked)


if __name__ == "__main__":
    main()
