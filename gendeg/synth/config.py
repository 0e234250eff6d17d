"""Knobs of gendeg synth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gendeg.primitives.kinds import parse_types
from gendeg.primitives.options import (
    DEVICE,
    GUIDANCE_IMAGE,
    GUIDANCE_TEXT,
    IMAGE_BATCH,
    IMAGE_SEED,
    MODEL,
    SAMPLER,
    STEPS,
    STRUCTURE_CORRECTION,
    argument,
    checked,
    option,
)


@dataclass(frozen=True)
class SynthConfig:
    """gendeg synth"""

    paths: tuple[Path, ...] = argument((), "Photos or folders; none: two sample photos.", there=True)
    types: str = option(  # "": haze, or what `like` shows
        "",
        "Degradations and mixes (haze+rain, haze=0.6+rain), a comma list, all, or cdd11; default: haze, or as --like.",
        flag="--type",
        parse=checked(parse_types),
    )
    intensities: tuple[float, ...] = option(
        (0.5,), "How strong, in [0, 1]; a comma list makes one image each.", flag="--intensity", min=0, max=1
    )
    mu: float | None = option(None, "Instead of intensity: mean |clean - degraded|, [0, 0.7].")
    sigma: float | None = option(None, "With mu: its standard deviation, [0, 0.4].")  # None: the median given mu
    like: Path | None = option(None, "A degraded photo: make such ones. Its type and strength are estimated.")
    estimator: Path | None = option(None, "With --like: a file that gendeg estimator made.")
    direction: float | None = option(  # None: as the model draws it
        None, "Where rain, snow or camera go: degrees from the vertical, to the right.", min=-180, max=180
    )
    priors: str = option("", "What intensity means: a folder that `priors fit` wrote.")  # "": the packed ones
    variants: int = option(1, "Images per photo, type and intensity, with seeds S, S+1 ...", min=1)
    seed: int = IMAGE_SEED()
    caption: str = option("", "What the photo shows; the words of the degradation are added.", flag="--prompt")
    model: str = MODEL()
    sampler: Literal["own", "paper", "fast"] = SAMPLER()
    steps: int | None = STEPS()
    guidance_text: float | None = GUIDANCE_TEXT()
    guidance_image: float | None = GUIDANCE_IMAGE()
    structure_correction: bool = STRUCTURE_CORRECTION()
    size: int | None = option(None, "Scale the short side to this many pixels first.", min=1)
    out: Path = option(
        Path("out/synth"),
        "Folder for images (photo.rain+haze.i040-060.s0.png: strengths as in the name), records.jsonl and sheet.png; "
        "not given: the next that is free.",
    )
    device: str = DEVICE()
    format: Literal["png", "jpg", "webp"] = option("png", "Of the degraded images.")
    batch_size: int = IMAGE_BATCH()
    overwrite: bool = option(False, "Replace outputs that exist.")
    progress: bool | None = None  # no option
