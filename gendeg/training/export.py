"""A trained model → its folder in half precision, and the bundled model's place in this package."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from gendeg.doctor.known import keep_known
from gendeg.model.loading import bundled_folder
from gendeg.model.saving import write_folder
from gendeg.model.sketch import checked_levels
from gendeg.model.weights import load_pipeline
from gendeg.primitives.errors import BadOption
from gendeg.primitives.files import data_root
from gendeg.report.card_merge import write_card
from gendeg.training.config import ExportConfig

MOST = 80.0
"""The highest noise / signal of the levels that a new model has (`make_change_scheduler`), or nearly."""


def export_model(config: ExportConfig, card: str) -> None:
    """Write the pipeline folder with fp16 weights and a model card, replacing an earlier one.

    Raises `BadOption` for levels that the model was not trained for, and for numbers that it cannot have.
    """
    trained = load_pipeline(str(config.diffusion), dtype=torch.float16)
    sketch = config.sketch or float(trained.config.sketch)
    numbers = {name: value for name, value in vars(config).items() if name not in ("diffusion", "out")}
    try:
        check_levels(trained.highest, sketch, config.sketch_levels)
        pipeline = trained.with_parts(**numbers | {"sketch": sketch})
    except ValueError as error:
        raise BadOption("[export]", str(error)) from error
    write_folder(config.out, pipeline.save_pretrained)
    write_card(config.out / "README.md", card)


def check_levels(learnt: float, sketch: float, lower: Mapping[str, float]) -> None:
    """Raises `ValueError` where sampling would begin beyond the noise / signal that was `learnt` (0: all levels)."""
    checked_levels(sketch, lower)
    if learnt and learnt < MOST and (sketch > learnt or 0 in lower.values()):
        raise ValueError(f"this model is trained up to a noise / signal of {learnt:g}, and is to begin above")


def install_model(model: Path, priors: Path) -> None:
    """Make a model the bundled one of this checkout, with its priors and its known image."""
    shutil.rmtree(bundled_folder(), ignore_errors=True)
    shutil.copytree(model, bundled_folder())
    for prior in priors.glob("*/*.json"):
        target = data_root("manifests") / "priors" / prior.relative_to(priors)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(prior, target)
    keep_known()
