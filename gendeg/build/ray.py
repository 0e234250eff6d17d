"""--engine ray: every missing shard is a Ray task that asks for a GPU; scheduling, retries and dead nodes are Ray's."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from gendeg.build.config import BuildConfig
from gendeg.build.prepare import is_folder
from gendeg.build.worker import Workshop, load_model
from gendeg.primitives.errors import WorkersFailed
from gendeg.primitives.progress import bar
from gendeg.shards.description import Description, read_description
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlannedShard

RETRIES = 10  # of a task whose worker died; its shard is simply made again


def make_with_ray(config: BuildConfig, description: Description, missing: Sequence[PlannedShard]) -> int:
    """Returns the samples written. The folder must be seen by all nodes under the same path.

    RAY_ADDRESS names the cluster; without it Ray starts one on this machine. Raises `WorkersFailed`.
    """
    import ray

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="ERROR")
    gpus = 1 if ray.cluster_resources().get("GPU") else 0
    there = replace(config, out=config.out.absolute(), model=_place(config.model), device="auto" if gpus else "cpu")
    task = ray.remote(num_gpus=gpus, num_cpus=1, max_retries=RETRIES)(make_shard)
    waiting = {task.remote(there, description.fingerprint, shard.index): str(shard.name) for shard in missing}
    written, failed = 0, {}
    with bar("shards", total=len(missing), wanted=config.progress) as progress:
        while waiting:
            done, _ = ray.wait(list(waiting))
            for reference in done:
                name = waiting.pop(reference)
                try:
                    written += ray.get(reference)
                except ray.exceptions.RayError as error:
                    failed[name] = str(error).strip().splitlines()[-1]
                progress.update()
    if failed:
        raise WorkersFailed(failed, next(iter(failed.values())))
    return written


def make_shard(config: BuildConfig, fingerprint: str, index: int) -> int:
    """Runs in a worker: one shard, with the model that this worker loaded for its first one."""
    workshop = _workshop(config, fingerprint)
    shard = workshop.description.planned_shards[index]
    return workshop.make(shard).written


@cache
def _workshop(config: BuildConfig, fingerprint: str) -> Workshop:
    description = read_description(Layout(config.out))
    if description.fingerprint != fingerprint:
        raise ValueError(f"{config.out} is another dataset on this node")
    model = load_model(config)
    if model.facts.sha256 != description.model_sha256:
        raise ValueError(f"the model {config.model} is another one on this node")
    return Workshop(config, description, model.driver, rank=os.getpid())


def _place(model: str) -> str:
    return str(Path(model).absolute()) if is_folder(model) else model
