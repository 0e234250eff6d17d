"""Who can tell? A small classifier that names the degradation of a pair, and the classifier two-sample test."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from gendeg.metrics.pyramid import laplacian_pyramid
from gendeg.primitives.images import U8Image

WIDTHS = (24, 48, 96, 128)
BATCH, RATE = 32, 3e-3
LEAST, MOST = 0.5 / 255, 6.0  # a change's mean, signed, below which it is not magnified further; its largest multiple
FOLDS, PENALTY = 3, 0.1
LEVELS = 3  # finest bands that the two-sample test looks at


# --- naming the degradation ---


class Recogniser(nn.Module):
    """Strided 3 × 3 convolutions with group normalisation, mean and maximum over the image, one layer: 0.2 M weights.

    Takes what `_channels` makes of pairs of any size from 32 pixels; gives one logit a class.
    """

    def __init__(self, classes: int):
        super().__init__()
        widths = (6, *WIDTHS)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.SiLU())
                for a, b in zip(widths, WIDTHS, strict=False)
            )
        )
        self.head = nn.Linear(2 * WIDTHS[-1], classes)

    def forward(self, pairs: Float[Tensor, "b 6 h w"]) -> Float[Tensor, "b classes"]:
        features = self.stages(pairs)
        return self.head(torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1))


Images = UInt8[np.ndarray, "b h w 3"]
Batches = Callable[[int], tuple[Images, Images, Int[np.ndarray, " b"]]]
"""Number of a step → clean images, degraded ones, and their classes."""


def train_recogniser(batches: Batches, classes: int, steps: int, seed: int) -> Recogniser:
    """Cross-entropy with AdamW, one cycle of the learning rate (Smith and Topin, 2019); one seed, one network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Recogniser(classes)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    network.train()
    for step in range(steps):
        clean, degraded, labels = batches(step)
        loss = F.cross_entropy(network(_channels(clean, degraded)), torch.from_numpy(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def name_image(network: Recogniser, clean: U8Image, degraded: U8Image) -> Float[np.ndarray, " classes"]:
    """Probability of each class for one pair."""
    return network(_channels(clean[None], degraded[None]))[0].softmax(dim=0).double().numpy()


def _channels(clean: Images, degraded: Images) -> Float[Tensor, "b 6 h w"]:
    """The degraded image, signed, and the change in units of its own mean: a weak one has its kind as a strong one has.

    The change is what makes the small classifier sure: whether a photo is dark or was darkened, it alone tells.
    """
    first, second = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1 for images in (clean, degraded))
    change = second - first
    size = change.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=LEAST)
    return torch.cat([second, (change / size).clamp(-MOST, MOST)], dim=1)


# --- the two-sample test ---


def image_statistics(image: U8Image) -> Float[np.ndarray, " features"]:
    """What a small set of photos can be told apart by: colour, contrast, and the size and peakedness of three bands."""
    unit = image.astype(np.float64) / 255
    features = [*unit.mean(axis=(0, 1)), *np.log(unit.std(axis=(0, 1)) + 1e-3), np.quantile(unit.min(axis=2), 0.1)]
    for band in laplacian_pyramid(image)[:LEVELS]:
        grey = band.mean(axis=2).astype(np.float64)
        spread = grey.std() + 1e-6
        features += [np.log(spread + 1e-4), np.log((grey**4).mean() / spread**4 + 1), (grey**3).mean() / spread**3]
    return np.array(features)


def two_sample_auc(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """Classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017): can two sets of feature vectors be told apart?

    Area under the ROC curve of a logistic regression on held-out folds: 0.5 not at all, 1 always. Raises `ValueError`
    for fewer than two vectors in a set.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("a two-sample test needs at least two images in each set")
    values = np.concatenate([np.stack(list(first)), np.stack(list(second))])
    labels = np.repeat([0, 1], [len(first), len(second)])
    folds = StratifiedKFold(min(FOLDS, len(first), len(second)), shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=500))
    scores = cross_val_predict(model, values, labels, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, scores))
