"""One leg of a training on a machine that is lent for minutes: goes on from parts of an earlier one, leaves parts.

bash benchmarks/prepare_leg.sh                       makes the folder that is carried there, and says what to run there
bash benchmarks/gpu_leg.sh .leg                      there: installs what is missing and calls this
python benchmarks/leg.py join runs/leg runs/model    here: a model folder again

What lies in the output at any moment is whole: the averaged weights in half precision as parts of 15 MB at most (at
most 8 files with log and sheet), renewed about every two minutes and at the end. Going on with a diffusion model, which
is the rule, is `replay.py`'s; where an autoencoder is trained too, or one begins from nothing, it is `gendeg bundle`.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ != "__mp_main__":  # the processes that simulate import this file too, and start sooner without all that
    import torch
    from PIL import Image

    from benchmarks.parts import INDEX, join_parts, write_parts
    from benchmarks.replay import Time
    from benchmarks.replay import train as replay
    from gendeg.bundle.bundle import make_bundle
    from gendeg.bundle.config import BundleConfig
    from gendeg.drive.driver import Degraded, drive
    from gendeg.intensity.ask import ask_intensities
    from gendeg.model.pipeline import GenDegPipeline
    from gendeg.model.saving import write_folder
    from gendeg.model.settings import settings_of
    from gendeg.model.weights import load_pipeline
    from gendeg.pairs.photos import open_photos
    from gendeg.primitives.errors import GendegError
    from gendeg.primitives.files import atomic_write
    from gendeg.primitives.images import resize_short_side, write_image
    from gendeg.report.sheet import Tile, draw_sheet
    from gendeg.training.presets import read_recipe

FILES = 6
"""Of the eight that may come back, those for parts and their index; the others are the log and the sheet."""
LAST = 25.0
"""Seconds for putting the finished model into parts."""
LATE = 150.0
"""Seconds after which parts are made whatever the step, where a machine has become slower than it was timed at."""
SHOWN = 110.0
"""Seconds between two sendings of a diffusion training."""
SEEN = 192
"""Short side of the photo on its sheet."""


class Courier:
    """Puts what is being trained into parts whenever it is called."""

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
    manifest, clean = (asked.carried / "data" / name for name in ("manifest.jsonl", "clean.txt"))
    pairs = (manifest,) if manifest.exists() else ()
    if torch.cuda.is_available():
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
        torch.backends.cudnn.benchmark = True  # two sizes of batch in all
        torch.set_float32_matmul_precision("high")
    left = asked.seconds - (time.time() - since) - LAST
    print(f"{left:.0f} s are left to train in", flush=True)
    if init:
        recipe = read_recipe(asked.recipe, work).config("diffusion", pairs=pairs, clean=(clean,), out=work, init=init)
        pipeline = load_pipeline(init)
        taught = replace(recipe, batch_size=16, repeats=1, workers=1) if asked.toy else recipe
        first = {"first": 64} if asked.toy else {}
        courier(pipeline, replay(pipeline, taught, Time(time.time() + left, SHOWN), courier, **first))
        draw_six(pipeline.to("cpu"), clean, asked.out / "sheet.jpg")
    else:
        for stage in ("autoencoder", "diffusion"):
            changed[stage] = {**changed.get(stage, {}), "sheet_seconds": LATE}
        config = BundleConfig((clean,), asked.recipe, work / "run", left / 60, pairs, "", init)
        courier.send(make_bundle(config, courier, changed, short=True), {"stage": "done"})
    print(f"ended after {time.time() - since:.0f} s", flush=True)
    if not asked.keep:
        shutil.rmtree(work)


def draw_six(pipeline: GenDegPipeline, clean: Path, out: Path) -> None:
    """A photo under each degradation at two strengths, as the weights are."""
    photo = resize_short_side(open_photos([clean], most=1)[0].image(), SEEN)
    driver = drive(pipeline, settings_of(pipeline))
    asks = ask_intensities("all", (0.4, 0.7))
    made = driver.degrade([photo], asks, [torch.Generator().manual_seed(0) for _ in asks])
    tiles = [
        Tile(one.image, f"{ask.name} {ask.intensity}")
        for ask, one in zip(asks, made, strict=True)
        if isinstance(one, Degraded)
    ]
    write_image(draw_sheet([[Tile(photo, "clean"), *tiles[:6]], tiles[6:]]), out, "jpg")


def split(asked: argparse.Namespace) -> None:
    """A model in half precision, as parts."""
    asked.parts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        write_folder(Path(place) / "half", load_pipeline(str(asked.model), dtype=torch.float16).save_pretrained)
        print(write_parts(Path(place) / "half", asked.parts, {"stage": "done"}, most=FILES).files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    todo = parser.add_subparsers(required=True)
    leg = todo.add_parser("train", help="on the lent machine")
    leg.add_argument("carried", type=Path, help="folder with data/ and, to go on, parts/")
    leg.add_argument("--out", type=Path, required=True)
    leg.add_argument("--seconds", type=float, default=540, help="from --started to the last part")
    leg.add_argument("--started", type=float, help="seconds since 1970; now")
    leg.add_argument("--recipe", type=Path, default=Path("manifests/recipes/bundled.toml"))
    leg.add_argument("--toy", action="store_true", help="batches of 16, that it runs")
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
