"""Pairs → priors, and priors as a table and as a picture."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gendeg.intensity.ask import intensity_to_statistics
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.priors import Prior, are_exact, fit_prior, load_priors, mixture, refuse_other_priors, save_prior
from gendeg.pairs.pair import by_degradation_and_source, measured, open_pairs
from gendeg.primitives.errors import BadOption, NoPrior
from gendeg.primitives.files import write_new
from gendeg.primitives.kinds import KNOWN, Mix, mix_name
from gendeg.priors.plot import FORMATS, Panel, SourceCounts, draw_priors

INTENSITIES = (0.1, 0.3, 0.5, 0.7, 0.9)


def fit_priors(places: Iterable[str | Path], out: Path, overwrite: bool = False) -> list[Path]:
    """One prior per degradation and source of all places together, below `out`; returns the files written.

    Raises `OutputExists`, before anything is written, where another prior (or one with another weight) is there.
    """
    groups = by_degradation_and_source(measured(open_pairs(places)))
    priors = [fit_prior(kind, source, (pair.intensity for pair in group)) for (kind, source), group in groups.items()]
    refuse_other_priors(priors, out, overwrite)
    return [save_prior(prior, out) for prior in priors]


def plot_priors(folder: Path | None, target: Path, overwrite: bool = False) -> None:
    """Every prior below `folder` (None: those packed with gendeg) as one picture.

    Raises `NoPrior`, `BadOption`, and `OutputExists` for another file in its place.
    """
    format = target.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        raise BadOption("--plot", f"must end in .{', .'.join(FORMATS)}, not '{target.name}'")
    panels = [Panel(mix_name(mix), tuple(map(_counts, priors))) for mix, priors in _every_prior(folder)]
    write_new(target, draw_priors(panels, MU_BINS.high, SIGMA_BINS.high, format), overwrite, "--plot")


def _counts(prior: Prior) -> SourceCounts:
    return SourceCounts(prior.source, prior.pairs, prior.density())


def _every_prior(folder: Path | None) -> list[tuple[Mix, list[Prior]]]:
    """Of each degradation that has any. Raises `NoPrior` when none has."""
    found = []
    for mix in KNOWN:
        with suppress(NoPrior):
            found.append((mix, load_priors(mix, folder)))
    if not found:
        raise NoPrior("any degradation", folder or "manifests/priors")
    return found


def tabulate_priors(folder: Path | None = None) -> str:
    """A line per degradation: its sources, pairs, and mu/sigma at five intensities."""
    every = _every_prior(folder)
    names = ["+".join(prior.source for prior in priors) for _, priors in every]
    width = max(16, *map(len, names)) + 2
    lines = [f"{'degradation':<13}{'sources':<{width}}{'pairs':>7}" + "".join(f"{f'at {q}':>14}" for q in INTENSITIES)]
    for (mix, priors), name in zip(every, names, strict=True):
        joint = mixture(priors)
        asked = [intensity_to_statistics(joint, q, are_exact(priors)) for q in INTENSITIES]
        cells = "".join(f"{f'{a.mu:.3f}/{a.sigma:.3f}':>14}" for a in asked)
        lines.append(f"{mix_name(mix):<13}{name:<{width}}{sum(prior.pairs for prior in priors):>7}{cells}")
    return "\n".join(lines)
