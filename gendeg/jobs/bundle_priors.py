"""What intensity means to a bundle's model: priors of mu and sigma, from pictures simulated for this alone."""

import time
from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gendeg.configs import FreshConfig
from gendeg.intensity.measure import Intensity
from gendeg.intensity.priors import fit_prior, save_prior
from gendeg.jobs.fresh_pairs import SHARED, FreshPairs, Seen, fresh_recipe
from gendeg.jobs.simulate import SIMULATED
from gendeg.primitives.kinds import mix_name, parse_mixes
from gendeg.primitives.parallel import in_order

MOST, LEAST = 160, 6
"""Pictures of each mix: what a prior is fitted to, and what it has to do with where time or photos are few."""
TOGETHER = 8
FIRST = 1 << 41
"""Number of the first picture: neither the training's nor its statistics' numbers get so far."""


def simulate_priors(config: FreshConfig, pictures: int, seconds: float, out: Path) -> list[Path]:
    """Simulate so many whole views, all mixes alike, for so many seconds, and fit a prior to each; returns the files.

    From the photos of that training, in as many processes, but without its weights; both are taken within `MOST` and
    `LEAST`. Raises `NoImages`, `BadOption`.
    """
    names = [mix_name(mix) for mix in parse_mixes(config.types)]
    seen = _measured(replace(config, weights=""), names, pictures, time.monotonic() + seconds)
    return [save_prior(fit_prior(name, SIMULATED, seen[name]), out) for name in names]


def _measured(config: FreshConfig, names: list[str], pictures: int, until: float) -> dict[str, list[Intensity]]:
    seen: dict[str, list[Intensity]] = defaultdict(list)
    with closing(FreshPairs(fresh_recipe(config, ()), config.workers)) as fresh:

        def views(group: int) -> list[Seen]:
            first = FIRST + group * TOGETHER * SHARED
            return fresh.views(range(first, first + TOGETHER * SHARED, SHARED), config.view)

        for group in in_order(views, range(len(names) * MOST // TOGETHER), config.workers, config.workers + 1):
            for view in group:
                seen[view.degradation].append(view.intensity)
            made = sum(len(some) for some in seen.values())
            if (made >= pictures or time.monotonic() > until) and min(len(seen[name]) for name in names) >= LEAST:
                break
    return seen
