"""Models beside the simulators by the change that they make: which of several checkpoints averages least?

python benchmarks/change.py --clean index.csv MODEL [MODEL …]

For each degradation one line of the simulators at the same mu and sigma, one of the same with other seeds, and one of
each model: medians of `kurt` (excess, of the fine layer of the change), `fine` (its share), `local` and `global`
coherence of directions (for blur of what was lost; a straight one has .3), `length` and `width` in pixels
(autocorrelation down to a half). Then `distance` to the simulators ÷ what other seeds of theirs have
(`metrics/energy.py`; 1 is as good as simulated), all and at each intensity, the same of each group of statistics, and
`spread`: how much the statistics of seeds differ ÷ the simulators'. `pixels` is the same of plain pixels: a soft blot
at another place counts there. Images are kept below --keep and found again as long as weights and code are the same.
Core time as it stands: 1 minute for the simulations (once), 2 for each model.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gendeg.intensity.ask import Ask, ask_intensity
from gendeg.intensity.reach import nearest, physics_sha256
from gendeg.metrics.change import GROUPS, NAMES, change_statistics
from gendeg.metrics.diversity import diversity
from gendeg.metrics.energy import Compared, compare_changes
from gendeg.metrics.uncertainty import Estimate
from gendeg.model.generate import Generator, finite, noise_of
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.settings import settings_of
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.pairs.photos import open_photos
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side, write_image
from gendeg.primitives.kinds import Degradation, Mix, mix_name, parse_mixes
from gendeg.primitives.rng import for_sample
from gendeg.synth.plan import sample_photos

DRAWS = 500
GENDEG = Path(__file__).resolve().parents[1] / "gendeg"


@dataclass(frozen=True)
class Photo:
    """A square of a photo, and what names it in files and generators."""

    image: U8Image
    name: str


Make = Callable[[Photo, list[Ask], int], list[U8Image]]
"""(photo, its asks, seed) → an image for each ask."""


@dataclass(frozen=True)
class Made:
    """Statistics [intensities, photos, versions, statistics] and the mean pixel difference between seeds."""

    statistics: np.ndarray
    pixels: float


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    photos, mixes = square_photos(options), parse_mixes(options.type)
    simulator = _kept(options.keep / f"physics-{physics_sha256()[:10]}-{options.size}", simulate)
    makers = {"simulators": (simulator, options.simulations, 0), "other seeds": (simulator, options.seeds, 100)}
    for name in options.models:
        makers[name] = (_modeller(load_pipeline(name), options), options.seeds, 0)
    print(f"{len(photos)} squares of {options.size} pixels, intensities {options.intensity}, {options.seeds} seeds")
    intensities = [float(text) for text in options.intensity.split(",")]
    began = time.monotonic()
    for mix in mixes:
        asks = [ask_intensity(mix, q) for q in intensities]
        reference: Made | None = None
        for name, (make, seeds, first) in makers.items():
            made = _made(make, photos, asks, range(first, first + seeds))
            if reference is None:
                reference = made
                print(_head(mix, intensities))
                print(_line(name, made, None, 1.0), flush=True)
                continue
            generator = for_sample(0, mix_name(mix), "bootstrap")
            compared = compare_changes(reference.statistics, made.statistics, DRAWS, generator)
            print(_line(name, made, compared, reference.pixels), flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


# --- making ---


def square_photos(options: argparse.Namespace) -> list[Photo]:
    places = [options.clean] if options.clean else sample_photos()
    found = open_photos(places, split=options.split, most=options.photos)
    photos = []
    for photo in found:
        image = resize_short_side(photo.image(), options.size)
        top, left = ((side - options.size) // 2 for side in image.shape[:2])
        square = np.ascontiguousarray(image[top : top + options.size, left : left + options.size])
        photos.append(Photo(square, hashlib.sha256(square.tobytes()).hexdigest()[:16]))
    return photos


def _made(make: Make, photos: list[Photo], asks: list[Ask], seeds: range) -> Made:
    blur = Degradation.MOTION_BLUR in asks[0].mix
    statistics, differences = [], []
    for photo in photos:
        versions = [make(photo, asks, seed) for seed in seeds]
        rows = [[change_statistics(photo.image, image, blur) for image in images] for images in versions]
        statistics.append(np.swapaxes(rows, 0, 1))
        if len(versions) > 1:
            differences.append(np.mean([diversity(images) for images in zip(*versions, strict=True)]))
    return Made(np.swapaxes(statistics, 0, 1), float(np.mean(differences)) if differences else float("nan"))


def _kept(folder: Path, make: Make) -> Make:
    """As `make`, each image made once and found again in the folder."""

    def kept(photo: Photo, asks: list[Ask], seed: int) -> list[U8Image]:
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{photo.name}.{mix_name(one.mix)}.{one.mu:.5f}.s{seed}.png" for one in asks]
        missing = [i for i, file in enumerate(files) if not file.exists()]
        for i, image in zip(missing, make(photo, [asks[i] for i in missing], seed) if missing else [], strict=True):
            write_image(image, files[i], "png")
        return [read_rgb(file) for file in files]

    return kept


def _modeller(pipeline: GenDegPipeline, options: argparse.Namespace) -> Make:
    generator = Generator(pipeline, settings_of(pipeline, options.steps or None))

    def make(photo: Photo, asks: list[Ask], seed: int) -> list[U8Image]:
        noise = [noise_of(seed, photo.name, ask) for ask in asks]
        return finite(generator.degrade(generator.encode([photo.image]), asks, noise))

    name = f"model-{model_sha256(pipeline)[:10]}-{_code()}-{generator.settings.steps}-{options.size}"
    return _kept(options.keep / name, make)


def simulate(photo: Photo, asks: list[Ask], seed: int) -> list[U8Image]:
    """At the mu and sigma that each asks for, as nearly as they come: what differs is then not what was asked."""
    seeds = [int(for_sample(seed, f"{photo.name}/{ask.name}", "simulate").integers(2**63)) for ask in asks]
    return [nearest(photo.image, ask, one).image for ask, one in zip(asks, seeds, strict=True)]


def _code() -> str:
    """Of what made a model's image: another code's is made anew."""
    files = sorted((GENDEG / "model").glob("*.py"))
    return hashlib.sha256(b"".join(map(Path.read_bytes, files)) + physics_sha256().encode()).hexdigest()[:10]


# --- the table ---


def _head(mix: Mix, intensities: list[float]) -> str:
    ratios = "".join(f"{f'at {q:g}':>7}" for q in intensities)
    groups = "".join(f"{name[:6]:>7}" for name in GROUPS)
    return (
        f"\n{mix_name(mix):<24}{'kurt':>6}{'fine':>6}{'local':>7}{'global':>7}{'length':>7}{'width':>6}"
        f" | {'distance [95 %]':>17}{ratios} |{groups} | {'spread [95 %]':>17}{'pixels':>7}"
    )


def _line(name: str, made: Made, compared: Compared | None, pixels: float) -> str:
    middle = typical(made.statistics)
    text = (
        f"{name[-23:]:<24}{np.exp(middle['kurtosis']) - 3:>6.1f}{middle['fine_share']:>6.2f}"
        f"{middle['coherence_local']:>7.2f}{middle['coherence_global']:>7.2f}"
        f"{2 ** middle['length']:>7.1f}{2 ** middle['width']:>6.1f}"
    )
    if compared is None:
        return text
    parts = "".join(f"{one.value:>7.2f}" for one in compared.intensities)
    groups = "".join(f"{one.value:>7.2f}" for one in compared.groups.values())
    spread = _interval(compared.spread) if compared.spread else ""
    return f"{text} | {_interval(compared.distance):>17}{parts} |{groups} | {spread:>17}{made.pixels / pixels:>7.2f}"


def typical(statistics: np.ndarray) -> dict[str, float]:
    """The median of each statistic, over everything; they lie along the last axis."""
    medians = np.median(statistics.reshape(-1, statistics.shape[-1]), axis=0)
    return dict(zip(NAMES, medians.tolist(), strict=True))


def _interval(one: Estimate) -> str:
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["bundled"], help="bundled, or folders")
    parser.add_argument("--clean", type=Path, help="photos, or a table; none: the samples that come along")
    parser.add_argument("--split", default="test", help="rows of a table")
    parser.add_argument("--photos", type=int, default=5)
    parser.add_argument("--type", default="all", help="degradations: a comma list")
    parser.add_argument("--intensity", default="0.3,0.6,0.9")
    parser.add_argument("--size", type=int, default=128, help="side in pixels")
    parser.add_argument("--seeds", type=int, default=2, help="of each model, and of the other simulations")
    parser.add_argument("--simulations", type=int, default=4, help="of each photo and intensity, for comparing with")
    parser.add_argument("--steps", type=int, help="default: each model's own")
    parser.add_argument("--keep", type=Path, default=Path("out/change"), help="folder of the images")
    return parser.parse_args()


if __name__ == "__main__":
    main()
