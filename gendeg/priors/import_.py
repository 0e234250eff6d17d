"""gendeg priors import: the authors' JSON histograms → our priors, compared with their published means."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.priors import save_prior
from gendeg.pairs.sources import Source, find_source
from gendeg.primitives.errors import UnknownSource
from gendeg.primitives.files import refuse_existing
from gendeg.priors.config import ImportPriorsConfig
from gendeg.priors.published import Published, read_published


@dataclass(frozen=True)
class Imported:
    """What was written, a table to read, and what looks wrong, a line each."""

    written: list[Path]
    table: str
    warnings: list[str]


def import_priors(config: ImportPriorsConfig) -> Imported:
    """One prior per source below `out`, of the degradation that the published code asks for where it has drawn it.

    Raises as `read_published`, and `OutputExists` before anything is written.
    """
    found, unused = read_published(config.folder)
    known = {one.source: _known(one.source) for one in found}
    priors = [one.prior(known[one.source].weight, asked_as(one, known[one.source])) for one in found]
    refuse_existing(config.overwrite, *(config.out / one.degradation / f"{one.source}.json" for one in priors))
    written = [save_prior(prior, config.out) for prior in priors]
    warnings = [line for one in found for line in _differences(one, known[one.source])]
    earlier = [config.out / one.degradation / f"{one.source}.json" for one in found]
    warnings += [f"{path}: of an earlier import, which took the mix for this; remove it"
                 for path in earlier if path not in written and path.exists()]  # fmt: skip
    return Imported(written, _table(found, known), warnings + [f"{path}: not used" for path in unused])


def asked_as(one: Published, source: Source) -> str:
    """Its folder's degradation, or the mix with it that the source shows: ORD lies in rain/ and is rain+haze."""
    return source.degradation if one.degradation in source.degradation.split("+") else one.degradation


def _known(name: str) -> Source:
    try:
        return find_source(name)
    except UnknownSource:
        return Source(name, "", ())


def _differences(one: Published, source: Source) -> list[str]:
    """Means further than a bin's width from the published ones, and another number of pairs."""
    name = asked_as(one, source)
    if one.degradation not in source.published:
        return [f"{name} {one.source}: no published numbers to compare with"]
    mu, sigma, pairs = source.published[one.degradation]
    lines = []
    for what, mean, published, bins in (("mu", one.mean_mu, mu, MU_BINS), ("sigma", one.mean_sigma, sigma, SIGMA_BINS)):
        if (what == "mu" or one.sigma is not None) and abs(mean - published) > bins.width:
            lines.append(f"{name} {one.source}: mean {what} is {mean:.3f}, published is {published:.3f}")
    if round(one.mu.sum()) != pairs:
        lines.append(f"{name} {one.source}: counts {one.mu.sum():.0f} pairs, published are {pairs}")
    return lines


def _table(found: Sequence[Published], known: dict[str, Source]) -> str:
    """A line per source: pairs and means as counted and as published, and the mean of sigma as it will be drawn."""
    heads = ("pairs", "mu", "sigma", "drawn sigma", "published pairs", "mu", "sigma", "weight")
    lines = [f"{'degradation':<13}{'source':<16}" + "".join(f"{head:>{_width(head)}}" for head in heads)]
    for one in found:
        name, published = asked_as(one, known[one.source]), known[one.source].published.get(one.degradation)
        mu, sigma, pairs = map(_text, published or ("-", "-", "-"))
        own_sigma = "-" if one.sigma is None else _text(one.mean_sigma)
        cells = (f"{one.mu.sum():.0f}", _text(one.mean_mu), own_sigma, _text(one.mean_drawn_sigma), pairs, mu, sigma,
                 f"{known[one.source].weight:g}")  # fmt: skip
        row = "".join(f"{cell:>{_width(head)}}" for head, cell in zip(heads, cells, strict=True))
        lines.append(f"{name:<13}{one.source:<16}{row}")
    return "\n".join(lines)


def _text(value: float | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _width(head: str) -> int:
    return max(8, len(head) + 2)
