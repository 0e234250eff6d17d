"""Knobs of gendeg evaluate, evaluate gap and calibrate."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.kinds import parse_known, parse_mix, parse_types
from gendeg.primitives.options import (
    DEVICE,
    GUIDANCE_IMAGE,
    GUIDANCE_TEXT,
    IMAGE_BATCH,
    IMAGE_SEED,
    MODEL,
    SEED,
    STEPS,
    argument,
    checked,
    model_name,
    option,
)

PHOTOS = "Clean photos: a folder, a .txt list, or a .csv with path (and kind, split) columns."


REAL = "Real degraded photos: a folder each (haze/ …), or a .csv with degradation."


SPLIT = "Rows of a .csv that names splits."


TYPES = "Degradations and mixes (haze+rain): a comma list, all, or cdd11."


SIDE = "Short side in pixels."


@dataclass(frozen=True)
class EvaluateConfig:
    """gendeg evaluate; the defaults make about 3,000 images, twenty minutes on two CPU cores"""

    clean: Path = option(help=PHOTOS, there=True)  # that the model never saw
    out: Path = option(help="Folder for report.html, results.json, samples.jsonl and images/.")
    model: str = MODEL(argument=True)
    pairs: Path | None = option(None, "Pairs that a classifier is trained on: manifest or dataset.", there=True)
    real: Path | None = option(None, REAL, there=True)
    features: str = option("", "Folder of a network (DINO, CLIP …), for KID.")
    split: str = option("test", SPLIT)
    types: str = option("all", TYPES, flag="--type", parse=checked(parse_types))
    intensities: tuple[float, ...] = option(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "Comma list in [0, 1]; default: 0.1 to 0.9.",
        flag="--intensity", min=0, max=1, shown=False,
    )  # fmt: skip
    photos: int = option(20, "Spread evenly over those found; 0: all; default 20.", min=0, shown=False)
    compare: int = option(
        8, "Of these, for seeds, changes and the model without its map; default 8.", min=0, shown=False
    )
    size: int = option(128, SIDE, min=32)
    variants: int = option(3, "Seeds for diversity and changes; 1: not measured; default 3.", min=1, shown=False)
    steps: int | None = STEPS()
    guidance_text: float | None = GUIDANCE_TEXT()
    guidance_image: float | None = GUIDANCE_IMAGE()
    seed: int = IMAGE_SEED()
    tolerance: float = option(0.05, "Of the build's filter, in mu.", min=0)
    structure: float = option(0.15, "Of the build's filter, a correlation.")
    draws: int = option(500, "Of the bootstrap; default 500.", min=1, shown=False)
    classifier_steps: int = option(2000, "Batches of 32 that it is trained for; default 2000.", min=1, shown=False)
    batch_size: int = IMAGE_BATCH()
    device: str = DEVICE()
    progress: bool | None = None  # no option


@dataclass(frozen=True)
class CalibrateConfig:
    """gendeg calibrate"""

    clean: Path = option(help=PHOTOS, there=True)  # better other ones than those that evaluate measures on
    out: Path = option(help="Folder for the model with its map; with --overwrite, its own will do.")
    model: str = argument("bundled", "bundled, or a model folder.", parse=model_name)
    split: str = option("train", SPLIT)
    types: str = option("all", TYPES, flag="--type", parse=checked(parse_known))
    intensities: tuple[float, ...] = (0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)  # no option
    photos: int = option(6, "Spread evenly over those found.", min=1)
    rounds: int = option(3, "Of sampling, measuring and correcting.", min=1)
    size: int = option(128, SIDE, min=32)
    steps: int | None = STEPS()
    guidance_text: float | None = GUIDANCE_TEXT()
    guidance_image: float | None = GUIDANCE_IMAGE()
    seed: int = IMAGE_SEED()
    batch_size: int = IMAGE_BATCH()
    device: str = DEVICE()
    overwrite: bool = option(False, "Replace a model that is there.")
    progress: bool | None = None  # no option


def _named(text: str) -> tuple[str, Path]:
    name, equals, place = text.partition("=")
    if not name.strip() or not equals or not place:
        raise ValueError(f"'{text}': write NAME=PLACE, such as simulators=pairs/manifest.jsonl")
    return name.strip(), Path(place)


@dataclass(frozen=True)
class GapConfig:
    """gendeg evaluate gap"""

    synthetic: Path = option(
        help="A pair manifest, a dataset, or degraded images (haze/ …; gendeg synth's --out).", there=True
    )
    real: Path = option(help=REAL, there=True)
    out: Path = option(Path("out/gap"), "Folder for gap.json and gap.html.")
    also: tuple[tuple[str, Path], ...] = option(
        (), "NAME=PLACE: up to three others beside it, as --synthetic.", parse=_named
    )
    split: str = option("test", SPLIT)
    type: str = option("", "The degradation of folders that do not tell.", parse=checked(parse_mix))
    size: int = option(256, "Short side in pixels that all are brought to.", min=64)
    most: int = option(200, "Images of each set and degradation; 0: all.", min=0)  # spread evenly
    draws: int = option(200, "Of the bootstrap.", min=1)
    seed: int = SEED(help="Same seed, same numbers.")
    workers: int = option(0, "Threads; 0: one per core.", min=0)
    overwrite: bool = option(False, "Replace a gap.json that exists.")
    progress: bool | None = None  # no option
