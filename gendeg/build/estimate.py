"""What a build will take: bytes from a few photos of the plan, seconds from a few steps of the model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from gendeg.build.config import BuildConfig
from gendeg.build.prepare import read_inputs
from gendeg.build.sample import CleanHalf, read_clean, rules_of
from gendeg.build.shard import asks_of, make_images, noise_of_rows
from gendeg.build.worker import Model, drawers_of, threads_of
from gendeg.intensity.ask import Ask
from gendeg.primitives.images import encode_image
from gendeg.primitives.parallel import per_core
from gendeg.primitives.quantities import say_bytes, say_seconds
from gendeg.shards.description import Description
from gendeg.shards.layout import Layout
from gendeg.shards.plan import GENERATED, PlannedSample, PlanReader

PHOTOS = 4  # that are looked at
SHARDS = 16  # of which one sample's kind is looked at
STEPS = 2  # that are timed beyond the first; the rest is taken to go on like that
IN_THREADS = 2  # simulators that Python lets work at a time
OVERHEAD = 4096  # bytes of headers, padding and record of a sample
NOISE = 1.15  # a degraded image compresses a little worse than its photo


@dataclass(frozen=True)
class Forecast:
    """Of one sample. `seconds` is None where it was not measured."""

    bytes: float
    seconds: float | None

    def say(self, samples: int) -> str:
        """What so many of them will take."""
        time = "" if self.seconds is None else f", about {say_seconds(self.seconds * samples)} on one process like this"
        return f"about {say_bytes(self.bytes * samples)}{time}"


def estimate(config: BuildConfig, description: Description, model: Model) -> Forecast:
    """Reads photos of the middle of the plan, and runs one batch for a few steps (not with `estimate` off)."""
    layout = Layout(config.out)
    plan, shards = PlanReader(layout.plan), len(description.shards)
    rows, asks = _looked_at(plan, shards, model) if config.estimate else (plan.rows(shards // 2), [])
    rules = rules_of(description, read_inputs(layout))
    looked = [(row, half) for row in rows[:: max(1, len(rows) // PHOTOS)][:PHOTOS]
              if isinstance(half := read_clean(rules, row), CleanHalf)]  # fmt: skip
    if not looked:
        return Forecast(OVERHEAD, None)
    sizes = [len(half.data) + NOISE * len(encode_image(half.image, "png")) + OVERHEAD for _, half in looked]
    generated = sorted((both for both in looked if both[0].origin == GENERATED), key=lambda both: _area(both[0]))
    typical = generated[len(generated) // 2] if generated and config.estimate else None
    workers = threads_of(config)
    drawers = drawers_of(model.driver, workers, description.samples) or min(workers, per_core(), IN_THREADS)
    seconds = _seconds(model, *typical, rows, asks, drawers) if typical else None
    return Forecast(mean(sizes), seconds)


def _looked_at(plan: PlanReader, shards: int, model: Model) -> tuple[list[PlannedSample], list[Ask]]:
    """The samples of one shard, of a kind that simulators draw if there is one, and what some others ask for.

    A shard is of one kind, and kinds differ in draws and passes.
    """
    chosen = plan.rows(shards // 2)
    asks: list[Ask] = []
    for number in sorted({place * shards // SHARDS for place in range(SHARDS)}):
        rows = plan.rows(number)
        ask = next((row.ask for row in rows if row.origin == GENERATED), None)
        if ask is None:
            continue
        if model.driver.draws(ask) and not any(map(model.driver.draws, asks)):
            chosen = rows
        asks.append(ask)
    return chosen, asks


def relative_area(row: PlannedSample, rows: Sequence[PlannedSample]) -> float:
    """How many times as many pixels the generated ones of `rows` have, on average, as `row`."""
    return mean(_area(one) for one in rows if one.origin == GENERATED) / _area(row)


def _area(row: PlannedSample) -> int:
    return row.width * row.height


def _seconds(
    model: Model, row: PlannedSample, half: CleanHalf, rows: Sequence[PlannedSample], asks: Sequence[Ask], drawers: int
) -> float:
    """Of one sample of mean size, from the batch that `row` is planned in; photos of many sizes make small batches.

    So many `drawers` simulate at a time. How many are drawn, and their passes, are means over `asks`.
    """
    driver, own = model.driver, max(model.facts.settings.steps, 1)
    count = sum(one.batch == row.batch and one.origin == GENERATED for one in rows)
    samples, photos = [row] * count, [half.image] * count
    calls = driver.ahead(photos, asks_of(samples), noise_of_rows(samples, 0))
    start = time.perf_counter()
    drawn = [call() for call in calls[:1]] * count  # they are all the same
    simulated = (time.perf_counter() - start) * (len(drawn) / drawers) * mean(map(driver.draws, asks))

    def run(steps: int) -> float:
        fewer, start = driver.in_steps(steps), time.perf_counter()
        list(make_images(fewer, samples, photos, 0, drawn))
        return time.perf_counter() - start

    def passes(steps: int) -> int:
        return driver.in_steps(steps).used(row.ask).passes

    first = passes(1)
    # Who begins far down has hardly more passes with more steps.
    steps = next((n for n in range(2, own) if passes(n) >= (1 + STEPS) * first), own)
    run(1)  # the first call is slower than all others
    few, more = run(1), run(steps)
    further = mean(driver.used(ask).passes for ask in asks) - first
    made = few + max(0.0, more - few) / max(passes(steps) - first, 1) * further
    beside = driver.network is not None and driver.network.pipeline.together  # a GPU works meanwhile
    return (max(simulated, made) if beside else simulated + made) / count * relative_area(row, rows)
