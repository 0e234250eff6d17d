"""The two teachers of task transfer (Wang et al., arXiv 2208.13133): tasks whose labels real photos have for nothing.

Teacher 1 tells degraded photos from those without degradation (cross-entropy); teacher 2 restores photos of both kinds
that were blurred as light scattered by drops is (L1). Both have the restorer's own encoder, so one student of that
architecture can learn from both.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file, save_file

from gendeg.metrics.uncertainty import Estimate, bootstrap
from gendeg.model.loading import quiet
from gendeg.pairs.photo import Photo
from gendeg.primitives.images import signed_to_u8, write_image
from gendeg.primitives.rng import for_sample
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.restore.config import RestoreTrainConfig, TaskConfig
from gendeg.restore.loading import load_restorer, save_restorer
from gendeg.restore.networks.network import Restorer
from gendeg.restore.networks.presets import make_restorer
from gendeg.restore.transfer.distill import Classifier
from gendeg.restore.transfer.photos import CLEAN, DEGRADED, RealPhotos, make_crops, middle_of
from gendeg.restore.transfer.scatter import draw_scattering, scatter, scattering_kernels
from gendeg.training.losses import psnr
from gendeg.training.run import Run

MODEL, HEAD = "model", "head.safetensors"
SHOWN = 8  # photos on the second teacher's sheet
DRAWS = 500


def fresh_restorer(config: TaskConfig | RestoreTrainConfig) -> Restorer:
    """With the weights that this seed gives, the same for every arm of it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return make_restorer(config.model, config.preset)


# --- teacher 1: is it degraded? ---


def train_classifier(config: TaskConfig, photos: RealPhotos) -> dict[str, Any]:
    """Write the encoder as `model/` and the linear layer; returns the accuracy on photos it never saw."""
    quiet()
    torch.manual_seed(config.seed)
    classifier = Classifier(fresh_restorer(config))
    run = Run(config, classifier)
    device = run.accelerator.device
    batches = run.batches(lambda numbers: make_crops(numbers, photos, config))
    for _ in run.steps(f"{config.type} or not", lambda step: {}):
        for _ in range(config.accumulate):
            crops = next(batches)
            with run.accumulate():
                logits = run.model(crops.images.to(device))
                run.descend(F.cross_entropy(logits, crops.labels.to(device)))
    run.finish(lambda trained: _save_classifier(trained, config.out))
    return measure_classifier(load_classifier(config.out).to(device), photos, config)


def _save_classifier(classifier: Classifier, folder: Path) -> None:
    save_restorer(classifier.restorer, folder / MODEL)
    save_file({name: weight.contiguous() for name, weight in classifier.head.state_dict().items()}, folder / HEAD)


def load_classifier(folder: Path) -> Classifier:
    """What `train_classifier` wrote. Raises `BadModel`."""
    classifier = Classifier(load_restorer(folder / MODEL))
    classifier.head.load_state_dict(load_file(folder / HEAD))
    return classifier.eval()


@torch.no_grad()
def measure_classifier(classifier: Classifier, photos: RealPhotos, config: TaskConfig) -> dict[str, Any]:
    """Accuracy on held-out photos, each class counting half, with its interval over photos; and that of each class.

    Photos that look alike because one camera took them are not told apart from degradation by this number.
    """
    named = [(one, CLEAN) for one in photos.clean.held_out] + [(one, DEGRADED) for one in photos.degraded.held_out]
    device = next(classifier.parameters()).device
    right, truth = [], np.array([label for _, label in named])
    for photo, label in named:
        logits = classifier(middle_of(photo, config).to(device))[0]
        right.append(float(int(logits.argmax()) == label))
    correct = np.array(right)
    accuracy = _balanced(correct, truth, config.seed)
    by_class = {name: round(float(correct[truth == label].mean()), 6) for name, label in _CLASSES.items()}
    return {"accuracy": accuracy.as_row(), "by_class": by_class}


_CLASSES = {"clean": CLEAN, "degraded": DEGRADED}


def _balanced(correct: Float[np.ndarray, " n"], truth: np.ndarray, seed: int) -> Estimate:
    def mean(rows: np.ndarray) -> float:
        means = [correct[rows][truth[rows] == label] for label in (CLEAN, DEGRADED)]
        return float(np.mean([one.mean() for one in means])) if all(map(len, means)) else float("nan")

    return bootstrap(list(range(len(truth))), mean, DRAWS, for_sample(seed, "classifier", "bootstrap"))


# --- teacher 2: what was it before the light was scattered? ---


def train_descatterer(config: TaskConfig, photos: RealPhotos) -> dict[str, Any]:
    """Write the restorer as `model/`, and sheets; returns PSNR on crops of held-out photos, before and after."""
    quiet()
    torch.manual_seed(config.seed)
    network = fresh_restorer(config)
    run = Run(config, network)
    device = run.accelerator.device
    batches = run.batches(lambda numbers: make_crops(numbers, photos, config))
    for _ in run.steps("scattering", lambda step: _draw(network, photos, config, step)):
        for _ in range(config.accumulate):
            crops = next(batches)
            images = crops.images.to(device)
            with run.accumulate():
                run.descend(F.l1_loss(run.model(scatter(images, crops.kernels)), images))
    run.finish(lambda trained: save_restorer(trained, config.out / MODEL))
    return measure_descatterer(load_restorer(config.out / MODEL).to(device), photos, config)


@torch.no_grad()
def measure_descatterer(network: Restorer, photos: RealPhotos, config: TaskConfig) -> dict[str, Any]:
    """Mean PSNR in dB over held-out photos of both classes: scattered, and restored."""
    before, after = [], []
    for photo in (*photos.clean.held_out, *photos.degraded.held_out):
        image, scattered, restored = _one(network, photo, config)
        before.append(float(psnr(scattered, image)))
        after.append(float(psnr(restored, image)))
    return {"psnr_scattered": round(float(np.mean(before)), 6), "psnr": round(float(np.mean(after)), 6)}


def _one(network: Restorer, photo: Photo, config: TaskConfig) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(photo, scattered, restored), signed [1 3 h w]; how it is scattered follows from its name."""
    image = middle_of(photo, config)
    drawn = draw_scattering(config.scatter, for_sample(config.seed, photo.title, "held-out scattering"))
    scattered = scatter(image, scattering_kernels([drawn], config.scatter))
    return image, scattered, network(scattered.to(network.device)).cpu()


def _draw(network: Restorer, photos: RealPhotos, config: TaskConfig, step: int) -> dict[str, float]:
    held_out = [*photos.degraded.held_out[: SHOWN // 2], *photos.clean.held_out[: SHOWN // 2]]
    rows = []
    for photo in held_out:
        image, scattered, restored = _one(network, photo, config)
        after, before = (float(psnr(one, image)) for one in (restored, scattered))
        labels = "photo", f"scattered {before:.1f} dB", f"restored {after:.1f} dB"
        arrays = [signed_to_u8(one[0].permute(1, 2, 0).numpy()) for one in (image, scattered, restored.clamp(-1, 1))]
        rows.append([Tile(array, label) for array, label in zip(arrays, labels, strict=True)])
    write_image(draw_sheet(rows), config.out / f"sheet-{step:08d}.png", "png")
    return {}
