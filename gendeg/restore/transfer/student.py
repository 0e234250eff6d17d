"""Two teachers into one student encoder, on real photos (task transfer, Wang et al., arXiv 2208.13133).

Each teacher is asked about the photos that it was taught on, and the student sees the same ones: as they are for the
classifier, scattered for the restorer of scattered photos. The loss is that of restore/transfer/distill.py.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from gendeg.model.loading import quiet
from gendeg.restore.config import TaskConfig
from gendeg.restore.loading import save_restorer
from gendeg.restore.networks.network import Restorer
from gendeg.restore.transfer.distill import Student, feature_loss
from gendeg.restore.transfer.photos import Crops, RealPhotos, make_crops
from gendeg.restore.transfer.scatter import scatter
from gendeg.restore.transfer.teachers import MODEL, fresh_restorer
from gendeg.training.run import Run
from gendeg.training.state import read_log


def train_student(config: TaskConfig, photos: RealPhotos, teachers: Sequence[Restorer]) -> dict[str, Any]:
    """Write the student as `model/`: its encoder distilled, its decoder as it began; returns the loss at the end.

    `teachers`: of the classes (sees photos as they are), and of scattering (sees them scattered). The student of a
    seed begins with the weights of any restorer of that seed.
    """
    quiet()
    torch.manual_seed(config.seed)
    student = Student(fresh_restorer(config), teachers)
    run = Run(config, student, [{"params": [p for p in student.parameters() if p.requires_grad]}])
    device = run.accelerator.device
    frozen = [teacher.to(device).requires_grad_(False).eval() for teacher in teachers]
    batches = run.batches(lambda numbers: make_crops(numbers, photos, config))
    for _ in run.steps("distillation", lambda step: {}):
        for _ in range(config.accumulate):
            seen = _views(next(batches), device)
            with torch.no_grad():
                told = [teacher.encode(images) for teacher, images in zip(frozen, seen, strict=True)]
            with run.accumulate():
                run.descend(feature_loss(run.model(seen), told))
    run.finish(lambda trained: save_restorer(trained.restorer, config.out / MODEL))
    return {"loss": round(_last_loss(config.out), 6)}


def _views(crops: Crops, device: torch.device) -> list[torch.Tensor]:
    """What each teacher sees."""
    images = crops.images.to(device)
    return [images, scatter(images, crops.kernels)]


def _last_loss(folder: Path) -> float:
    """Mean of the last tenth of the logged losses."""
    losses = [float(row["loss"]) for row in read_log(folder / "log.csv")]
    last = losses[-max(1, len(losses) // 10) :]
    return sum(last) / len(last)
