"""Images a second of a build against a plain loop that writes PNGs as it goes, with a stand-in or a real model.

python benchmarks/build.py                        a stand-in of 50 ms a batch
python benchmarks/build.py --draws                the same, and each of its images needs a simulator's draw before
python benchmarks/build.py --model bundled        the real thing, on whatever device there is
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gendeg.build.config import BuildConfig  # noqa: E402
from gendeg.build.prepare import ModelFacts, prepare  # noqa: E402
from gendeg.build.shard import make_images  # noqa: E402
from gendeg.build.worker import Workshop, load_model  # noqa: E402
from gendeg.drive.driver import Degraded, Driver, Unmade, open_driver  # noqa: E402
from gendeg.intensity.ask import Ask  # noqa: E402
from gendeg.intensity.measure import measure_intensity  # noqa: E402
from gendeg.model.settings import Settings  # noqa: E402
from gendeg.pairs.crops import random_view  # noqa: E402
from gendeg.primitives.images import read_rgb, write_image  # noqa: E402
from gendeg.primitives.rng import for_sample  # noqa: E402
from gendeg.shards.description import Description  # noqa: E402
from gendeg.shards.layout import Layout  # noqa: E402
from gendeg.shards.plan import PlanReader  # noqa: E402

BATCH_SECONDS, STAND_IN = 0.05, Settings(1, 1.0, 1.0, False)


class Timed(Driver):
    """Any driver, and the seconds that were spent in it; without one the stand-in, which may need draws."""

    def __init__(self, inner: Driver | None, draws: bool = False):
        self.inner, self.seconds = inner, 0.0
        self.drawer = inner or (open_driver("physics") if draws else None)

    network = None  # to be compiled

    @property
    def draws_alone(self) -> bool:
        return self.drawer is not None and self.drawer.draws_alone

    def ahead(
        self, photos: Sequence[np.ndarray], asks: Sequence[Ask], noise: Sequence[Any]
    ) -> list[Callable[[], object]]:
        return self.drawer.ahead(photos, asks, noise) if self.drawer else []

    def degrade(
        self, photos: Sequence[np.ndarray], asks: Sequence[Ask], noise: Sequence[Any], drawn: Sequence[object] = ()
    ) -> Sequence[Degraded | Unmade]:
        start = time.perf_counter()
        if self.inner is not None:
            images = list(self.inner.degrade(photos, asks, noise, drawn))
        else:
            if not drawn:
                for call in self.ahead(photos, asks, noise):
                    call()
            time.sleep(BATCH_SECONDS)  # as a GPU: it takes time, and no processor
            images = [Degraded(photo ^ 3) for photo in photos]
        self.seconds += time.perf_counter() - start
        return images

    def used(self, ask: Ask) -> Settings:
        return STAND_IN


def photos_folder(folder: Path, count: int, size: int) -> Path:
    """Views of the two sample photographs that scikit-learn ships."""
    from sklearn.datasets import load_sample_image

    folder.mkdir()
    originals = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    for number in range(count):
        view = random_view(np.array(originals[number % 2]), size, for_sample(0, number, "bench"))
        write_image(view, folder / f"p{number:03d}.png", "png")
    return folder


def prepared(config: BuildConfig) -> tuple[Description, Driver | None]:
    Layout(config.out).side.mkdir(parents=True)
    if not config.model:
        return prepare(config, ModelFacts("stand-in", STAND_IN, "fp32")), None
    model = load_model(config)
    description = prepare(config, model.facts)
    return description, model.driver


def ours(config: BuildConfig, description: Description, generator: Timed) -> float:
    workshop = Workshop(config, description, generator)
    start = time.perf_counter()
    workshop.make_all(description.planned_shards, lambda mark: None)
    seconds = time.perf_counter() - start
    workshop.close()
    return seconds


def plain_loop(config: BuildConfig, description: Description, generator: Driver, folder: Path) -> float:
    """Read, run, measure, write, and the next batch: as the published script and the usual example do."""
    folder.mkdir()
    root, start = Path(config.clean[0]), time.perf_counter()
    for rows in PlanReader(Layout(config.out).plan):
        for number in sorted({row.batch for row in rows}):
            batch = [row for row in rows if row.batch == number]
            photos = [read_rgb(root / row.clean_path.decode()) for row in batch]
            for row, photo, made in zip(batch, photos, make_images(generator, batch, photos, 0), strict=True):
                assert isinstance(made, Degraded)
                measure_intensity(photo, made.image)
                write_image(made.image, folder / f"{row.key}.png", "png")
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="", help="bundled or a model folder; default: the stand-in")
    options.add_argument("--draws", action="store_true", help="of the stand-in: simulated before it can begin")
    options.add_argument("--samples", type=int, default=480)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--batch-size", type=int, default=4)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--steps", type=int, default=None)
    options.add_argument("--priors", default="")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        photos = photos_folder(root / "photos", min(24, asked.samples), asked.size)
        config = BuildConfig(
            clean=(str(photos),), out=root / "out", model=asked.model, types="haze", intensity="0.5",
            samples=asked.samples, shard_size=max(1, asked.samples // 2), batch_size=asked.batch_size, tolerance=1.0,
            structure=-1.0, workers=asked.workers, steps=asked.steps, priors=asked.priors, progress=False,
        )  # fmt: skip
        description, inner = prepared(config)
        model = Timed(inner, asked.draws)
        report("plain loop", asked.samples, model, plain_loop(config, description, model, root / "plain"))
        model = Timed(inner, asked.draws)
        report("gendeg build", asked.samples, model, ours(config, description, model))


def report(name: str, samples: int, generator: Timed, seconds: float) -> None:
    share = generator.seconds / seconds
    print(f"{name:>14}: {samples / seconds:7.2f} images a second, {share:6.1%} of the time in the model", flush=True)


if __name__ == "__main__":
    main()
