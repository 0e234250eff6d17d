"""Scores of many runs on the same images → tables [seeds images] a source, and means with intervals over them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gendeg.metrics.uncertainty import bootstrap_blocks
from gendeg.primitives.files import read_json_object, read_jsonl
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.rng import for_sample
from gendeg.study.plan import StudyRun
from gendeg.study.work import RESULT, SCORES, Study

WITHIN, OOD, ALL, ALL_BUT_BLUR = "within", "ood", "all", "all but motion blur"
BLUR = "motion_blur"
Place = tuple[str, str]
"""(degradation, source)"""
Block = Float[np.ndarray, "seeds images"]
Blocks = dict[Place, Block]


@dataclass(frozen=True)
class Scores:
    """Runs of one name, one a seed, and their rows of every place, in one order of images."""

    name: str
    results: list[dict[str, Any]]
    rows: list[dict[Place, dict[str, dict[str, Any]]]]

    def blocks(self, measure: str) -> Blocks:
        """Of the images that every seed has this measure of (E_R needs a mask that is not empty)."""
        found = {}
        for place in self.rows[0]:
            every = sorted(self.rows[0][place])
            images = [key for key in every if all(measure in one[place][key] for one in self.rows)]
            if images:
                found[place] = np.array([[one[place][key][measure] for key in images] for one in self.rows], np.float64)
        return found

    def of_seeds(self, seeds: Collection[int]) -> "Scores":
        """The same of some of the seeds."""
        kept = [i for i, told in enumerate(self.results) if told["seed"] in seeds]
        return Scores(self.name, [self.results[i] for i in kept], [self.rows[i] for i in kept])


def read_scores(study: Study, runs: Iterable[StudyRun]) -> dict[str, Scores]:
    """Name → its runs, seeds in order."""
    by_name: dict[str, list[StudyRun]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    return {name: _scores(study, name, sorted(some, key=lambda run: run.seed)) for name, some in by_name.items()}


def _scores(study: Study, name: str, runs: Sequence[StudyRun]) -> Scores:
    results = [read_json_object(study.folder(run) / RESULT) for run in runs]
    every = []
    for run in runs:
        places: dict[Place, dict[str, dict[str, Any]]] = {}
        for row in read_jsonl(study.folder(run) / SCORES):
            places.setdefault((row["degradation"], row["source"]), {})[row["degraded"]] = row
        every.append(places)
    return Scores(name, results, every)


def difference(one: Blocks, other: Blocks) -> Blocks:
    """Per seed and image: the same seed draws the same first weights and order of examples in both."""
    return {place: block - other[place] for place, block in one.items() if place in other}


def chosen(blocks: Blocks, wanted: Callable[[Place], bool]) -> Blocks:
    return {place: block for place, block in blocks.items() if wanted(place)}


def mean_over(study: Study, blocks: Blocks, name: str) -> dict[str, Any] | None:
    """Every degradation counts alike, and every source within one; None when there is nothing.

    {value, low, high, n (images), sources, seeds}; the interval is of other seeds and other photos (bootstrap_blocks).
    """
    if not blocks:
        return None
    kinds = [kind for kind, _ in blocks]
    weights = [1 / (len(set(kinds)) * kinds.count(kind)) for kind in kinds]
    settings = study.recipe.results
    generator = for_sample(settings.seed, name, "bootstrap")
    estimate = bootstrap_blocks(list(blocks.values()), weights, settings.draws, generator)
    return estimate.as_row() | {"sources": len(blocks), "seeds": len(next(iter(blocks.values())))}


def by_degradation(study: Study, blocks: Blocks, name: str) -> dict[str, Any]:
    """A mean of each degradation, over all of them, and over all but motion blur (the paper's own weak case)."""
    kinds = list(dict.fromkeys(kind for kind, _ in sorted(blocks)))
    each = {kind: {place: block for place, block in blocks.items() if place[0] == kind} for kind in kinds}
    told = {kind: mean_over(study, each[kind], f"{name}/{kind}") for kind in kinds}
    told[ALL] = mean_over(study, blocks, f"{name}/{ALL}")
    if BLUR in kinds and len(kinds) > 1:
        told[ALL_BUT_BLUR] = mean_over(study, chosen(blocks, lambda p: p[0] != BLUR), f"{name}/{ALL_BUT_BLUR}")
    return told


def kinds_of(means: Mapping[str, Any]) -> list[str]:
    """The degradations among the keys, motion blur last, for it is read apart."""
    found = [kind.value for kind in Degradation if kind.value in means]
    return [kind for kind in found if kind != BLUR] + [kind for kind in found if kind == BLUR]
