"""A study in small for the tests: photos, real pairs of three sources, a toy model, one recipe of a few steps."""

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from gendeg.primitives.images import write_image
from gendeg.study.config import StudyConfig
from tests.builds import model_folder
from tests.tiny import photo

RECIPE = """
[data]
model = "{model}"
test_photos = 2
size = 32
real_size = 40
types = "rain,haze"
existing_per_photo = 2
generated_per_photo = 2
sample_steps = 1
tolerance = 1.0
structure = -1.0
unseen_sources = ["stranger"]

[train]
steps = 3
batch_size = 2
size = 32
warmup = 1
log_every = 1

[arms]
seeds = [0, 1]
shares = [0.5]

[mixtures]
seeds = [1]
mixtures = ["existing=0.5,rain=0", "strength=0.5:1"]

[complexity]
seeds = [0]
pairs = 2
backgrounds = [1, 2]
ranges = [[0.5, 0.6, 0.0], [0.1, 1.0, 1.0]]
fixed_range = 0
fixed_backgrounds = 2

[content_prior]
seeds = [0]
autoencoder = "{model}"
unseen_noise = ["speckle=0.3"]

[transfer]
seeds = 1
share = 0.5
steps = 2
teacher_steps = 2
distill_steps = 2

[results]
draws = 20
embedded = 2
pictures = 1
"""
SHORT = RECIPE.split("[mixtures]")[0] + "[results]\ndraws = 20\nembedded = 1\npictures = 1\n"
"""Arms and shares only."""


def small_study(root: Path, recipe: str = SHORT, **changes: object) -> StudyConfig:
    """Six photos (one of them to test on), and real pairs of a known and of an unseen source."""
    (root / "photos").mkdir(parents=True, exist_ok=True)
    for number in range(6):
        write_image(photo(44, 52, seed=number), root / "photos" / f"p{number}.png", "png")
    _write_pairs(root / "real")
    (root / "recipe.toml").write_text(recipe.format(model=model_folder()))
    config = StudyConfig(
        root / "recipe.toml", root / "out", clean=str(root / "photos"), pairs=(root / "real" / "pairs.csv",),
        workers=1, device="cpu", progress=False,
    )  # fmt: skip
    return replace(config, **changes)  # type: ignore[arg-type]


def _write_pairs(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    rows = []
    for number, (source, split) in enumerate([("known", "train"), ("known", "test"), ("stranger", "train")]):
        clean = photo(48, 60, seed=20 + number)
        write_image(clean, folder / f"c{number}.png", "png")
        write_image((0.7 * clean + 70).astype("uint8"), folder / f"d{number}.png", "png")
        rows.append([f"d{number}.png", "pair", "haze", source, split, f"c{number}.png"])
    with open(folder / "pairs.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([["path", "kind", "degradation", "source", "split", "clean"], *rows])


@cache
def finished_study() -> Path:
    """The root of a whole study (arms and shares); to be read or copied only."""
    from gendeg.study.study import study

    root = Path(mkdtemp(prefix="gendeg-study-"))
    study(small_study(root))
    return root
