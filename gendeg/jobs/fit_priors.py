"""Pair manifests → priors, and priors as a table."""

from pathlib import Path

from gendeg.intensity.priors import fit_prior, load_priors, mixture, save_prior
from gendeg.intensity.quantile import intensity_to_statistics
from gendeg.pairs.manifest import by_degradation_and_source, read_manifest
from gendeg.primitives.errors import NoPrior
from gendeg.primitives.kinds import KNOWN, mix_name

INTENSITIES = (0.1, 0.3, 0.5, 0.7, 0.9)


def fit_priors(manifests: tuple[Path, ...], out: Path) -> list[Path]:
    """One prior per degradation and source of all manifests together, below `out`; returns the files written."""
    pairs = [pair for path in manifests for pair in read_manifest(path)]
    groups = by_degradation_and_source(pairs)
    return [
        save_prior(fit_prior(degradation, source, (pair.intensity for pair in group)), out)
        for (degradation, source), group in groups.items()
    ]


def tabulate_priors(folder: Path | None = None) -> str:
    """A line per degradation: its sources, pairs, and mu/sigma at five intensities."""
    lines = [f"{'degradation':<13}{'sources':<18}{'pairs':>7}" + "".join(f"{f'at {q}':>14}" for q in INTENSITIES)]
    for mix in KNOWN:
        try:
            priors = load_priors(mix, folder)
        except NoPrior:
            continue
        joint = mixture(priors)
        asked = [intensity_to_statistics(joint, q) for q in INTENSITIES]
        cells = "".join(f"{f'{a.mu:.3f}/{a.sigma:.3f}':>14}" for a in asked)
        sources, pairs = "+".join(p.source for p in priors), sum(p.pairs for p in priors)
        lines.append(f"{mix_name(mix):<13}{sources:<18}{pairs:>7}{cells}")
    if len(lines) == 1:
        raise NoPrior("any degradation", folder or "manifests/priors")
    return "\n".join(lines)
