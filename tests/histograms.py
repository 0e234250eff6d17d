"""A folder in the form of the GenDeg authors' statistics, counted from numbers that a test makes up."""

import json
from pathlib import Path
from typing import Any

import numpy as np

MU, SIGMA = np.linspace(0, 0.7, 129), np.linspace(0, 0.4, 129)


def write_histograms(root: Path, degradation: str, sources: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    """Three files per source: mu and sigma of its own (mu, sigma) arrays, sigma given mu of all of them together."""
    folder = root / degradation
    folder.mkdir(parents=True)
    pooled = [np.concatenate(values) for values in zip(*sources.values(), strict=True)]
    joint, _, _ = np.histogram2d(*pooled, bins=(MU, SIGMA))
    for name, (mu, sigma) in sources.items():
        write(folder / f"Mu_{name}.json", histogram("Mu", mu, MU, name))
        write(folder / f"Sigma_{name}.json", histogram("Sigma", sigma, SIGMA, name))
        write(folder / f"Mu-Sigma-_{name}.json", table(joint, name))
    return folder


def histogram(what: str, values: np.ndarray, edges: np.ndarray, name: str) -> list[dict[str, Any]]:
    return [row | {"Dataset": name} for row in bins(what, np.histogram(values, edges)[0], edges)]


def bins(what: str, counts: np.ndarray, edges: np.ndarray) -> list[dict[str, Any]]:
    return [{f"{what} min": float(low), f"{what} max": float(high), "Count": int(count)}
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)]  # fmt: skip


def table(joint: np.ndarray, name: str) -> list[dict[str, Any]]:
    return [{"Mu range": f"{low:.3f} - {high:.3f}", "Count": bins("Sigma", row, SIGMA), "Dataset": name}
            for low, high, row in zip(MU[:-1], MU[1:], joint, strict=True)]  # fmt: skip


def write(path: Path, rows: object) -> None:
    path.write_text(json.dumps(rows, indent=4))


def spread(mean_mu: float, mean_sigma: float, pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """mu and sigma of `pairs` pairs around these means; sigma grows with mu."""
    generator = np.random.default_rng(seed)
    mu = np.clip(generator.normal(mean_mu, mean_mu / 3, pairs), 0.001, 0.69)
    return mu, np.clip(mean_sigma * mu / mean_mu + generator.normal(0, mean_sigma / 10, pairs), 0.001, 0.39)
