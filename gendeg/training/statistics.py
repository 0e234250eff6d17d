"""What a run measures in its own examples before it trains: the size of each degradation's change, its directions."""

import math
from collections import defaultdict
from collections.abc import Sequence

import torch

from gendeg.model.change import LEAST_SIZE, fit_scale
from gendeg.model.latents import encode
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.kinds import has_direction, parse_mix
from gendeg.primitives.once import once
from gendeg.primitives.parallel import in_order
from gendeg.training.batches import View, Views
from gendeg.training.config import DiffusionConfig

SIZED, DIRECTED = 32, 96
"""Examples of each mix whose change is encoded, and whose directions are kept."""
MOST = 4096
"""Examples that are looked through: a mix that is rarer than one in a hundred is told from what there is of it."""
FIRST = 1 << 40
"""Number of the first one: the training's own numbers never get so far."""


def learn_statistics(pipeline: GenDegPipeline, views: Views, config: DiffusionConfig, wanted: Sequence[str]) -> None:
    """Fill the pipeline's `change_scale` and `directions` for the mixes that it does not know yet.

    Measured once a run, and read from `statistics.json` when it goes on. Raises `ValueError` for a mix without change.
    """
    told = once(config.out / "statistics.json", lambda: _measure(pipeline, views, config, wanted))
    pipeline.register_to_config(change_scale=told["change_scale"], directions=told["directions"])


def _measure(
    pipeline: GenDegPipeline, views: Views, config: DiffusionConfig, wanted: Sequence[str]
) -> dict[str, object]:
    scales, directions = dict(pipeline.config.change_scale), dict(pipeline.config.directions)
    missing = set(wanted) - set(scales)
    seen = _collect(views, config, missing) if missing else {}
    for name, some in sorted(seen.items()):
        scales[name] = round(_scale(pipeline, some[:SIZED]), 4)
        if has_direction(parse_mix(name)):
            known = [v.direction for v in some if not math.isnan(v.direction.cos)]
            directions[name] = [[round(x, 3) for x in one] for one in known[:DIRECTED]]
    return {"change_scale": scales, "directions": directions}


def _collect(views: Views, config: DiffusionConfig, missing: set[str]) -> dict[str, list[View]]:
    seen: dict[str, list[View]] = defaultdict(list)
    wanted = {name: DIRECTED if has_direction(parse_mix(name)) else SIZED for name in missing}
    firsts = range(FIRST, FIRST + MOST, config.batch_size)
    threads, ahead = config.workers, config.workers + 1
    for group in in_order(lambda first: views(list(range(first, first + config.batch_size))), firsts, threads, ahead):
        for view in group:
            if view.degradation in missing and math.hypot(*view.intensity) >= LEAST_SIZE:
                seen[view.degradation].append(view)
        if all(len(seen[name]) >= count for name, count in wanted.items()):
            break
    return {name: some for name, some in seen.items() if some}


@torch.no_grad()
def _scale(pipeline: GenDegPipeline, views: list[View]) -> float:
    changes = []
    for view in views:
        latents = torch.stack([view.clean, view.degraded]).to(pipeline.device)
        clean, degraded = encode(pipeline.vae, latents).float() if view.clean.shape[0] == 3 else latents.float()
        changes.append((degraded - clean) * pipeline.vae.config.scaling_factor)
    return fit_scale(changes, [v.intensity.mu for v in views], [v.intensity.sigma for v in views])
