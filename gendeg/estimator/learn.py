"""gendeg estimator: simulate, measure, train the members, fit intervals on held-out photos, report on test photos."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int

from gendeg.estimator.config import EstimatorConfig
from gendeg.estimator.estimate import COVERED, SURE
from gendeg.estimator.examples import PAIRS, REAL, SIMULATED, Example, arrays, make_examples, real_examples
from gendeg.estimator.network import CLEAN, KINDS, MEMBERS, Estimator, Notes, look, save_estimator
from gendeg.pairs.split import TEST, TRAIN, VALIDATION
from gendeg.primitives.errors import NoPhotos
from gendeg.primitives.files import refuse_existing
from gendeg.primitives.progress import bar
from gendeg.primitives.rng import for_sample

BATCH, RATE, DECAY, REACH = 64, 2e-3, 0.05, 6.0
NOISE = 0.1  # standard deviations, on the features of an example: it is never seen twice alike
LEAST = 20  # held-out examples of a degradation below which no interval is fitted
COLUMNS = ("photos", "named rightly", "refused", "named wrongly", "mu: r", "mean error", "of one guess", "in interval")
Arrays = tuple[Float[np.ndarray, "n features"], Int[np.ndarray, " n"], Float[np.ndarray, "n 2"]]


def learn(config: EstimatorConfig) -> Notes:
    """Makes the file; returns what is known of it. Raises `OutputExists`, `NoPhotos` for too few photos."""
    refuse_existing(config.overwrite, config.out)
    examples = make_examples(config) + (real_examples(config) if config.real else [])
    parts = {split: [one for one in examples if one.split == split] for split in (TRAIN, VALIDATION, TEST)}
    for split in (TRAIN, VALIDATION):
        counts = np.bincount([one.label for one in parts[split]], minlength=CLEAN + 1)
        if counts.min() < (1 if split == TRAIN else LEAST):
            kinds = f"at least {LEAST} of each kind have to be held out"
            raise NoPhotos(
                ", ".join(map(str, config.clean)), f"too few: {kinds}", "give more photos, or a higher --per-image"
            )
    network = train(arrays(parts[TRAIN]), config)
    notes = calibrate(network, arrays(parts[VALIDATION]))
    held_out = {origin: report(network, notes, [one for one in parts[TEST] if one.origin == origin])
                for origin in (SIMULATED, PAIRS, REAL) if any(one.origin == origin for one in parts[TEST])}  # fmt: skip
    notes = Notes(notes.temperature, notes.reach, held_out)
    save_estimator(network, notes, config.out)
    return notes


def train(examples: Arrays, config: EstimatorConfig) -> Estimator:
    """Every member from its own start and order; cross-entropy, and how far the roots of the true kind are off."""
    features, labels, roots = examples
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = Estimator(features.shape[1])
        network.centre = torch.from_numpy(features.mean(axis=0)).float()
        network.spread = torch.from_numpy(features.std(axis=0) + 1e-3).float()
        steps = MEMBERS * config.epochs * math.ceil(len(labels) / BATCH)
        with bar("training", total=steps, wanted=config.progress) as progress:
            for number in range(MEMBERS):
                _train_member(network, number, features, labels, roots, config, progress)
    return network.eval()


def _train_member(
    network: Estimator, number: int, features: np.ndarray, labels: np.ndarray, roots: np.ndarray,
    config: EstimatorConfig, progress: Any,
) -> None:  # fmt: skip
    inputs, kinds, targets = (
        torch.from_numpy(features).float(),
        torch.from_numpy(labels),
        torch.from_numpy(roots).float(),
    )
    steps = config.epochs * math.ceil(len(labels) / BATCH)
    optimiser = torch.optim.AdamW(network.members[number].parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    generator = for_sample(config.seed, number, "estimator member")
    network.train()
    for _ in range(config.epochs):
        order = torch.from_numpy(generator.permutation(len(labels)))
        for chosen in order.split(BATCH):
            seen = inputs[chosen] + NOISE * network.spread * torch.randn(len(chosen), inputs.shape[1])
            logits, guessed = network.member(number, seen)
            loss = F.cross_entropy(logits, kinds[chosen])
            some = kinds[chosen] != CLEAN
            told = guessed[some, kinds[chosen][some]]
            loss = loss + REACH * (told - targets[chosen][some]).abs().mean() if some.any() else loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            progress.update()


def calibrate(network: Estimator, held_out: Arrays) -> Notes:
    """The temperature of least loss, and for each kind how far roots are off in `COVERED` of held-out examples.

    Split conformal intervals (Vovk, Gammerman and Shafer, 2005): the ⌈(n + 1) · COVERED⌉-th smallest error.
    """
    features, labels, roots = held_out
    with torch.no_grad():
        logs, guessed = network(torch.from_numpy(features).float())
    kinds = torch.from_numpy(labels)
    losses = {t: float(F.cross_entropy(logs / t, kinds)) for t in np.geomspace(0.5, 4, 40).tolist()}
    reach = {}
    for number, kind in enumerate(KINDS):
        mine = labels == number
        errors = np.sort(np.abs(guessed[mine, number].double().numpy() - roots[mine]), axis=0)
        rank = min(len(errors), math.ceil((len(errors) + 1) * COVERED))
        reach[str(kind)] = [round(float(error), 6) for error in errors[rank - 1]]
    return Notes(round(min(losses, key=lambda t: losses[t]), 6), reach, {})


def report(network: Estimator, notes: Notes, examples: Sequence[Example]) -> dict[str, Any]:
    """Of each kind and of clean photos: how many there are, are named rightly, refused, and how well mu is told."""
    features, labels, roots = arrays(examples)
    probabilities, guessed = look(network, notes, features)
    best = probabilities[:, :CLEAN].argmax(axis=1)
    accepted = probabilities[np.arange(len(best)), best] >= SURE
    rows: dict[str, Any] = {}
    for number, name in enumerate([*map(str, KINDS), "clean"]):
        mine = labels == number
        if not mine.any():
            continue
        row: dict[str, Any] = {
            "photos": int(mine.sum()),
            "right": float((probabilities[mine].argmax(axis=1) == number).mean()),
            "refused": float((~accepted[mine]).mean()),
            "wrong": float((accepted & (best != number))[mine].mean()),
        }
        if number != CLEAN and roots[mine].any():
            row |= _strength(guessed[mine, number], roots[mine], notes.reach[name])
        rows[name] = {key: round(value, 4) for key, value in row.items()}
    return rows


def _strength(
    guessed: Float[np.ndarray, "n 2"], roots: Float[np.ndarray, "n 2"], reach: list[float]
) -> dict[str, float]:
    """Correlation, mean absolute error and coverage of mu, then of sigma, where the kind is known."""
    found: dict[str, float] = {}
    for column, name in enumerate(("mu", "sigma")):
        told, true = np.maximum(guessed[:, column], 0), roots[:, column]
        several = len(told) > 2 and told.std() > 0 and true.std() > 0
        found |= {
            f"{name} correlation": float(np.corrcoef(told**2, true**2)[0, 1]) if several else 0.0,
            f"{name} error": float(np.abs(told**2 - true**2).mean()),
            f"{name} spread": float(np.abs(true**2 - np.median(true**2)).mean()),
            f"{name} covered": float((np.abs(told - true) <= reach[column]).mean()),
        }
    return found


def tabulate(held_out: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of a report."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for origin, rows in held_out.items():
        for name, row in rows.items():
            shares = " | ".join(f"{row[key]:.0%}" for key in ("right", "refused", "wrong"))
            numbers = " | | | |"
            if "mu error" in row:
                told = [row["mu correlation"], row["mu error"], row["mu spread"]]
                numbers = f" {told[0]:.2f} | {told[1]:.3f} | {told[2]:.3f} | {row['mu covered']:.0%} |"
            lines.append(f"| {name}, {origin} | {row['photos']} | {shares} |{numbers}")
    return "\n".join(lines)
