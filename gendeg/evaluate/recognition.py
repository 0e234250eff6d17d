"""A small classifier trained on pairs names the degradation of every image of an evaluation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int
from safetensors.torch import load_file, save

from gendeg.evaluate.config import EvaluateConfig
from gendeg.evaluate.images import MODEL, SIMULATOR
from gendeg.evaluate.measures import Summary
from gendeg.evaluate.results import ALL, Naming, Recognition, Scored
from gendeg.metrics.recognition import BATCH, Recogniser, name_image, train_recogniser
from gendeg.metrics.uncertainty import Estimate
from gendeg.pairs.pair import Pair, open_pairs
from gendeg.primitives.errors import NoPairs
from gendeg.primitives.files import atomic_write, read_json_object, sha256_lines, write_json
from gendeg.primitives.images import U8Image, read_rgb
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.parallel import in_order
from gendeg.primitives.progress import bar, track
from gendeg.primitives.rng import for_sample

LABELS = [str(kind) for kind in Degradation]
MOST_PAIRS, HELD_OUT = 6000, 360  # of all, spread evenly over the degradations
MOST_PIXELS = 160_000_000  # of their clean halves, squares: a gigabyte in all
STRONG = 0.5  # the intensity from which a degradation must be plain to see
NAMED = (MODEL, SIMULATOR)


def recognise(rows: Sequence[Scored], config: EvaluateConfig) -> tuple[list[Scored], dict[str, Any]]:
    """Train (or load again) the classifier: the rows with a name each, and what is known of the classifier itself."""
    network, known = _classifier(config)

    def named(row: Scored) -> Scored:
        if row.arm not in NAMED:
            return row
        clean, degraded = (read_rgb(config.out / name) for name in (row.clean, row.degraded))
        probabilities = name_image(network, clean, degraded)
        best = int(probabilities.argmax())
        sure = round(float(probabilities[best]), 6)
        return replace(row, metrics=replace(row.metrics, named=LABELS[best], named_probability=sure))

    return [named(row) for row in track(rows, "naming", total=len(rows), wanted=config.progress)], known


def summarise_recognition(summary: Summary, known: dict[str, Any]) -> Recognition:
    """Over images of one degradation (a mix has no name of its own); the simulators' where the model made one too."""
    made = {row.place for row in summary.grid(MODEL)}

    def naming(arm: str) -> Naming:
        rows = [row for row in summary.grid(arm) if row.degradation in LABELS and row.place in made]
        strong = [row for row in rows if row.record.intensity >= STRONG]
        return Naming(
            _accuracy(summary, f"{arm}/named", rows),
            _accuracy(summary, f"{arm}/named strong", strong),
            _confusion(rows),
            _confusion(strong),
        )

    return Recognition(known, LABELS, naming(MODEL), naming(SIMULATOR))


def _accuracy(summary: Summary, name: str, rows: list[Scored]) -> dict[str, Estimate]:
    found = {}
    for degradation in (*LABELS, ALL):
        group = [row for row in rows if degradation in (ALL, row.degradation)]
        if group:
            right = [float(row.metrics.named == row.degradation) for row in group]
            found[degradation] = summary.mean(f"{name}/{degradation}", group, right)
    return found


def _confusion(rows: list[Scored]) -> list[list[int]]:
    """Counts: row = what was asked for, column = what it was called."""
    counts = np.zeros((len(LABELS), len(LABELS)), np.int64)
    for row in rows:
        counts[LABELS.index(row.degradation), LABELS.index(str(row.metrics.named))] += 1
    return counts.tolist()


# --- the classifier ---


def _classifier(config: EvaluateConfig) -> tuple[Recogniser, dict[str, Any]]:
    """Kept in the evaluation's folder; trained anew when pairs or settings are others."""
    assert config.pairs is not None
    every = [pair for pair in open_pairs([config.pairs]) if pair.degradation in LABELS and pair.split != "test"]
    train = _even(
        [pair for pair in every if pair.split == "train"], min(MOST_PAIRS, MOST_PIXELS // config.size**2), config.seed
    )
    held_out = _even([pair for pair in every if pair.split == "validation"], HELD_OUT, config.seed)
    if not train:
        raise NoPairs(config.pairs, "pairs of split train")
    weights, notes = config.out / "classifier.safetensors", config.out / "classifier.json"
    used = _fingerprint([*train, *held_out], config)
    network = Recogniser(len(LABELS))
    if weights.exists() and notes.exists() and read_json_object(notes).get("fingerprint") == used:
        network.load_state_dict(load_file(weights))
        return network.eval(), {k: v for k, v in read_json_object(notes).items() if k != "fingerprint"}
    network = _train(train, config)
    known: dict[str, Any] = {"trained_on": len(train), "steps": config.classifier_steps, "held_out": len(held_out)}
    if held_out:
        pairs, labels = _read(held_out, config, "reading held-out pairs")
        named = np.array([name_image(network, *pair).argmax() for pair in pairs])
        known["held_out_accuracy"] = round(float((named == labels).mean()), 6)
    atomic_write(weights, save(network.state_dict()))
    write_json(notes, known | {"fingerprint": used})
    return network, known


def _even(pairs: Sequence[Pair], most: int, seed: int) -> list[Pair]:
    """At most `most`, equally many of each degradation where there are enough."""
    order = for_sample(seed, "classifier", "choose").permutation(len(pairs))
    left = {label: most // len(LABELS) for label in LABELS}
    chosen = []
    for number in order:
        pair = pairs[int(number)]
        if left[pair.degradation] > 0:
            left[pair.degradation] -= 1
            chosen.append(pair)
    return chosen


def _fingerprint(pairs: Sequence[Pair], config: EvaluateConfig) -> str:
    told = [str(config.size), str(config.classifier_steps), str(config.seed), str(config.pairs)]
    return sha256_lines([*told, *(f"{pair.degraded.place} {pair.mu}" for pair in pairs)])


def _read(
    pairs: Sequence[Pair], config: EvaluateConfig, what: str
) -> tuple[list[tuple[U8Image, U8Image]], Int[np.ndarray, " n"]]:
    """Both halves at the evaluated size, and the classes."""
    images = in_order(lambda pair: pair.read(config.size), pairs, threads=2)
    read = list(track(images, what, total=len(pairs), wanted=config.progress))
    return read, np.array([LABELS.index(pair.degradation) for pair in pairs], dtype=np.int64)


def _train(pairs: Sequence[Pair], config: EvaluateConfig) -> Recogniser:
    """On random squares of seven eighths of the side, mirrored or not; every class equally often."""
    read, labels = _read(pairs, config, "reading pairs")
    side = max(config.size * 7 // 8, 1)
    places = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}

    def batch(step: int) -> tuple[np.ndarray, np.ndarray, Int[np.ndarray, " b"]]:
        progress.update()
        generator = for_sample(config.seed, step, "classifier")
        chosen = [int(generator.choice(places[int(c)])) for c in generator.choice(sorted(places), BATCH)]
        clean, degraded = zip(*(_crop(read[number], side, generator) for number in chosen), strict=True)
        return np.stack(clean), np.stack(degraded), labels[chosen]

    with bar("training the classifier", total=config.classifier_steps, wanted=config.progress) as progress:
        return train_recogniser(batch, len(LABELS), config.classifier_steps, config.seed)


def _crop(pair: tuple[U8Image, U8Image], side: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same square of both halves."""
    top, left = (int(generator.integers(0, n - side + 1)) for n in pair[0].shape[:2])
    mirror = generator.uniform() < 0.5
    one, other = (image[top : top + side, left : left + side][:, :: -1 if mirror else 1] for image in pair)
    return one, other
