"""Everything one process needs to make shards of a dataset: model, plan, inputs, its own log."""

import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from gendeg.build.config import BuildConfig
from gendeg.build.prepare import ModelFacts, read_inputs
from gendeg.build.sample import rules_of
from gendeg.build.shard import ShardMaker, Work
from gendeg.build.stopping import Stopper
from gendeg.drive.driver import Driver, open_driver
from gendeg.intensity.draw import asks_direction
from gendeg.model.compiled import Size, check_compiler, compile_networks, warm
from gendeg.model.fitting import PLAIN_BATCH, fitting_batch
from gendeg.primitives.device import choose_device, local_device
from gendeg.primitives.files import append_jsonl
from gendeg.primitives.parallel import per_core, processes
from gendeg.shards.description import Description
from gendeg.shards.index import Mark
from gendeg.shards.layout import Layout
from gendeg.shards.plan import GENERATED, PlannedShard, PlanReader

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Model:
    """What makes the images, and what a plan has to know of it."""

    driver: Driver
    facts: ModelFacts


def load_model(config: BuildConfig) -> Model:
    """Raises `BadModel`, `HubUnreachable`, `BadOption`."""
    device = local_device(choose_device(config.device))
    precision = config.precision
    if precision == "auto":
        precision = "fp16" if device.startswith("cuda") else "fp32"
    if config.compile:
        check_compiler(device.partition(":")[0])
    driver = open_driver(
        config.model, device, PRECISIONS[precision], config.sampler, asks_direction(config.direction), config.tolerance,
        steps=config.steps, guidance_text=config.guidance_text, guidance_image=config.guidance_image,
        structure_correction=config.structure_correction, compile=config.compile or None,
    )  # fmt: skip

    def fitting(height: int, width: int) -> int:
        return PLAIN_BATCH if driver.network is None else fitting_batch(driver.network, (height, width), config.types)

    return Model(driver, ModelFacts(driver.sha256, driver.settings, precision, driver.write, fitting))


LEAST_THREADS = 4
DRAWS = 16
"""Of each process that simulates, without which it is not worth its start."""


def threads_of(config: BuildConfig) -> int:
    """Those of this process, as asked or by its share of the cores."""
    return per_core(config.workers, LEAST_THREADS)


def drawers_of(driver: Driver, workers: int, samples: int) -> int:
    """Processes that simulate: threads stand in each other's way, and in the model's. 0: threads do, all the same.

    Beside a network on the CPU all cores have enough to do.
    """
    count = min(workers, samples // DRAWS) if driver.draws_alone else 0
    return count if count > 1 else 0


class Log:
    """What this process did and when, a line each; `status` reads the lines of all."""

    def __init__(self, layout: Layout, rank: int):
        self.path = layout.logs / f"{socket.gethostname()}-{rank}.jsonl"
        self.rank = rank
        self.write(event="start", pid=os.getpid())

    def write(self, **row: Any) -> None:
        append_jsonl(self.path, [{"time": round(time.time(), 2), "rank": self.rank} | row])


class Workshop:
    """Makes shards; `close` it. `stopper` may end the work between two batches."""

    def __init__(
        self,
        config: BuildConfig,
        description: Description,
        driver: Driver,
        rank: int = 0,
        stopper: Stopper | None = None,
    ):
        self.config, self.description = config, description
        self.layout = Layout(config.out)
        self.log, self.stopper = Log(self.layout, rank), stopper or Stopper(config.grace)
        self.plan = PlanReader(self.layout.plan)
        self._started = time.monotonic()
        workers = threads_of(config)
        drawers = drawers_of(driver, workers, description.samples)
        self.maker = ShardMaker(
            self.layout, description.fingerprint, rules_of(description, read_inputs(self.layout)), driver,
            description.settings["attempts"], workers, self._made, self._check,
            processes(drawers) if drawers else None,
        )  # fmt: skip
        network = driver.network
        if config.compile and network is not None:
            compile_networks(network, description.settings["batch_size"])
            self.maker.first(lambda: warm(network, self._sizes(), config.types))

    def _sizes(self) -> list[Size]:
        """Of the photos that are to be generated from."""
        found: set[Size] = set()
        for shard in self.description.planned_shards:
            columns = self.plan.column(shard.index, ["height", "width", "origin"])
            rows = zip(*(columns[name] for name in ("height", "width", "origin")), strict=True)
            found |= {(height, width) for height, width, origin in rows if origin == GENERATED}
        return sorted(found)

    def close(self) -> None:
        self.maker.close()

    def make(self, shard: PlannedShard, **work: Any) -> Mark:
        """One shard; `work` as in `Work`."""
        self._started, self._shard = time.monotonic(), shard
        mark = self.maker.make(Work(shard, self.plan.rows(shard.index), **work))
        seconds = round(time.monotonic() - self._started, 2)
        self.log.write(
            event="shard", shard=str(shard.name), written=mark.written, failed=len(mark.failures), seconds=seconds
        )
        return mark

    def make_all(self, shards: Iterable[PlannedShard], done: Callable[[Mark], None]) -> None:
        for shard in shards:
            self.stopper.check_between()
            done(self.make(shard))

    def _made(self, images: int) -> None:
        self.log.write(event="batch", shard=str(self._shard.name), images=images)

    def _check(self, share: float) -> None:
        """`share` of the shard is still to come; at the pace so far that takes this long."""
        spent = time.monotonic() - self._started
        self.stopper.check(spent / (1 - share) * share if share < 1 else float("inf"))
