"""gendeg priors import: the authors' JSON histograms → our priors, compared with their published means."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gendeg.configs import ImportPriorsConfig
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.priors import save_prior
from gendeg.intensity.published import Published, read_published
from gendeg.pairs.sources import Source, find_source
from gendeg.primitives.errors import OutputExists, UnknownSource

MIXED = {"ORD": "rain+haze", "CSD": "snow+haze"}
"""The published code asks for "rainy and hazy" where it has drawn from ORD, for "snowy and hazy" where from CSD."""


@dataclass(frozen=True)
class Imported:
    """What was written, a table to read, and what looks wrong, a line each."""

    written: list[Path]
    table: str
    warnings: list[str]


def import_priors(config: ImportPriorsConfig) -> Imported:
    """One prior per degradation and source below `out`; those of MIXED a second time, for the mix.

    Raises as `read_published`, and `OutputExists` before anything is written.
    """
    found, unused = read_published(config.folder)
    known = {one.source: _known(one.source) for one in found}
    priors = []
    for one in found:
        weight = known[one.source].weight
        priors.append(one.prior(weight))
        if one.degradation == MIXED.get(one.source, "").partition("+")[0]:
            priors.append(one.prior(weight, MIXED[one.source]))
    targets = [config.out / prior.degradation / f"{prior.source}.json" for prior in priors]
    there = [path for path in targets if path.exists()]
    if there and not config.overwrite:
        raise OutputExists(there[0])
    written = [save_prior(prior, config.out) for prior in priors]
    warnings = [line for one in found for line in _differences(one, known[one.source])]
    return Imported(written, _table(found, known), warnings + [f"{path}: not used" for path in unused])


def _known(name: str) -> Source:
    try:
        return find_source(name)
    except UnknownSource:
        return Source(name, "", ())


def _differences(one: Published, source: Source) -> list[str]:
    """Means further than a bin's width from the published ones, and another number of pairs."""
    if one.degradation not in source.published:
        return [f"{one.degradation} {one.source}: no published numbers to compare with"]
    mu, sigma, pairs = source.published[one.degradation]
    lines = []
    for name, mean, published, bins in (("mu", one.mean_mu, mu, MU_BINS), ("sigma", one.mean_sigma, sigma, SIGMA_BINS)):
        if (name == "mu" or one.sigma is not None) and abs(mean - published) > bins.width:
            lines.append(f"{one.degradation} {one.source}: mean {name} is {mean:.3f}, published is {published:.3f}")
    if round(one.mu.sum()) != pairs:
        lines.append(f"{one.degradation} {one.source}: counts {one.mu.sum():.0f} pairs, published are {pairs}")
    return lines


def _table(found: Sequence[Published], known: dict[str, Source]) -> str:
    """A line per source: pairs and means as counted and as published, and the mean of sigma as it will be drawn."""
    heads = ("pairs", "mu", "sigma", "drawn sigma", "published pairs", "mu", "sigma", "weight")
    lines = [f"{'degradation':<13}{'source':<16}" + "".join(f"{head:>{_width(head)}}" for head in heads)]
    for one in found:
        published = known[one.source].published.get(one.degradation)
        mu, sigma, pairs = map(_text, published or ("-", "-", "-"))
        own_sigma = "-" if one.sigma is None else _text(one.mean_sigma)
        cells = (f"{one.mu.sum():.0f}", _text(one.mean_mu), own_sigma, _text(one.mean_drawn_sigma), pairs, mu, sigma,
                 f"{known[one.source].weight:g}")  # fmt: skip
        row = "".join(f"{cell:>{_width(head)}}" for head, cell in zip(heads, cells, strict=True))
        lines.append(f"{one.degradation:<13}{one.source:<16}{row}")
    return "\n".join(lines)


def _text(value: float | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _width(head: str) -> int:
    return max(8, len(head) + 2)
