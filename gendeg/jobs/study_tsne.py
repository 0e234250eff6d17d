"""t-SNE (van der Maaten and Hinton, JMLR 2008) of degradation features: do generated images lie where unseen ones do?

The features are a trained restorer's: embed(degraded) − embed(clean), so that what a photo shows falls out and what was
done to it stays. Beside the picture, a number: how near the unseen images have a neighbour in each training set.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from gendeg.jobs.restore_data import Example
from gendeg.jobs.study_data import EXISTING, GENERATED, REAL, STRANGE, generated_place
from gendeg.jobs.study_plan import BOTH
from gendeg.jobs.study_work import Study, examples_of
from gendeg.primitives.once import once
from gendeg.restore.loading import RESULT, load_restorer
from gendeg.restore.network import Restorer
from gendeg.training.examples import to_tensor

UNSEEN = "out of distribution"
FILE = "tsne.json"


def embed_degradations(study: Study) -> dict[str, Any]:
    """{points: [degradation, origin, x, y], nearest: degradation → origin → mean distance}; made once, and kept."""
    return once(study.config.out / FILE, lambda: _embedded(study))


def _embedded(study: Study) -> dict[str, Any]:
    seed = study.recipe.arms.seeds[0]
    restorer = load_restorer(study.config.out / "runs" / f"{BOTH}-s{seed}" / "train" / RESULT)
    chosen = _chosen(study)
    features = np.stack([_feature(restorer, example) for _, example in chosen])
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
    return {
        "restorer": f"{BOTH}, seed {seed}",
        "points": [
            {"degradation": one.pair.degradation, "origin": origin, "x": round(float(x), 3), "y": round(float(y), 3)}
            for (origin, one), (x, y) in zip(chosen, _flattened(features, study.recipe.results.seed), strict=True)
        ],
        "nearest": _nearest(features, [(one.pair.degradation, origin) for origin, one in chosen]),
    }


def _chosen(study: Study) -> list[tuple[str, Example]]:
    """As many images of each degradation and origin as the recipe says; real unseen ones count among the unseen."""
    unseen = list(examples_of(study.data / STRANGE, "train"))
    if (study.data / REAL).exists():
        real = examples_of(study.data / REAL, "test")
        unseen += [one for one in real if one.pair.source in study.recipe.data.unseen_sources]
    existing = study.data / EXISTING
    groups = {
        EXISTING: examples_of(existing if existing.exists() else study.data / REAL, "train"),
        GENERATED: examples_of(generated_place(study.config, study.recipe.data), "train"),
        UNSEEN: unseen,
    }
    found = []
    for origin, examples in groups.items():
        for kind in sorted({one.pair.degradation for one in examples}):
            here = [one for one in examples if one.pair.degradation == kind]
            found += [(origin, one) for one in here[: study.recipe.results.embedded]]
    return found


@torch.no_grad()
def _feature(restorer: Restorer, example: Example) -> Float[np.ndarray, " d"]:
    clean, degraded = example.read()
    both = restorer.embed(to_tensor([clean, degraded]))
    return (both[1] - both[0]).numpy().astype(np.float64)


def _flattened(features: Float[np.ndarray, "n d"], seed: int) -> Float[np.ndarray, "n 2"]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(1.0, (len(features) - 1) / 4))
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(features)


def _nearest(features: Float[np.ndarray, "n d"], names: Sequence[tuple[str, str]]) -> dict[str, dict[str, float]]:
    """Of a degradation's unseen images, the mean distance to the nearest image of the same degradation in each set."""
    kinds, told = np.array([kind for kind, _ in names]), {}
    origins = np.array([origin for _, origin in names])
    for kind in sorted(set(kinds.tolist())):
        unseen = features[(kinds == kind) & (origins == UNSEEN)]
        row = {}
        for origin in (EXISTING, GENERATED):
            there = features[(kinds == kind) & (origins == origin)]
            if len(unseen) and len(there):
                apart = np.linalg.norm(unseen[:, None] - there[None], axis=2).min(axis=1)
                row[origin] = round(float(apart.mean()), 4)
        told[kind] = row
    return told
