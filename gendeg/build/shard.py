"""One shard, from its planned rows to the tar, its index and its done mark: the unit of work of a build."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import groupby
from weakref import WeakSet

import torch

from gendeg.build.sample import CleanHalf, Made, Rules, failure, finish_existing, finish_generated, read_clean
from gendeg.drive.driver import NOT_FINITE, Degraded, Driver, Unmade
from gendeg.drive.physics import UNREACHED
from gendeg.intensity.ask import Ask
from gendeg.pairs.judge import FLAT, INTENSITY_OFF, STRUCTURE_LOST
from gendeg.primitives.images import U8Image
from gendeg.primitives.parallel import in_order
from gendeg.primitives.records import Failure, Record
from gendeg.primitives.rng import torch_generator
from gendeg.shards.description import Description, done_marks
from gendeg.shards.index import Entry, Mark, write_index, write_mark
from gendeg.shards.layout import Layout
from gendeg.shards.plan import EXISTING, PlannedSample, PlannedShard, PlanReader
from gendeg.shards.writer import ShardWriter, StoredSample

REFUSED = (INTENSITY_OFF, FLAT, STRUCTURE_LOST, NOT_FINITE, UNREACHED)
"""Reasons of filter and model: another attempt may pass. All others are the photo's."""
AHEAD, BEHIND = 2, 2  # batches that are read before, and encoded after, the one in the model

Stored = tuple[StoredSample, Record]


@dataclass(frozen=True)
class Work:
    """What to make of a shard. A first build leaves the rest empty; a retry is a further round over what failed.

    `late` are samples whose photo could first be read in that round: they go through the model apart from their batch,
    and do so again whenever the shard is made again, so that it gets the same bytes.
    """

    shard: PlannedShard
    rows: list[PlannedSample]
    rounds: int = 0
    late: Mapping[str, int] = field(default_factory=dict)
    have: Mapping[str, Stored] = field(default_factory=dict)  # samples whose stored bytes are good
    gone: Mapping[str, Failure] = field(default_factory=dict)  # samples that are known to fail
    retry: bool = False


@dataclass
class Group:
    """Samples of one batch that go through the model together, and the attempts that they are granted."""

    samples: list[PlannedSample]
    halves: list[CleanHalf]
    start: int
    stop: int
    calls: list[Callable[[], object]] = field(default_factory=list)  # the simulators' share
    drawn: list[Future[object]] = field(default_factory=list)  # by threads or processes
    run: Future[list[Future[Made]]] = field(default_factory=Future)  # of the model; gives those of the threads


@dataclass
class Batch:
    """One batch on its way: what is settled already, and what is still with the model or the threads."""

    rows: list[PlannedSample]
    made: dict[str, Made]
    groups: list[Group]
    existing: dict[str, Future[Made]] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)


class ShardMaker:
    """Makes shards with one model and a few threads. `told` hears how many images each call of the model gave.

    `check(share)` is called before each batch with the share of the shard that is still to come, and may raise.
    """

    def __init__(
        self, layout: Layout, fingerprint: str, rules: Rules, driver: Driver,
        attempts: int, workers: int, told: Callable[[int], None], check: Callable[[float], None],
        drawers: Executor | None = None,
    ):  # fmt: skip
        self.layout, self.fingerprint, self.rules = layout, fingerprint, rules
        self.driver, self.attempts, self.told, self.check = driver, attempts, told, check
        self.pool = ThreadPoolExecutor(max(1, workers), "encode")
        self.readers = ThreadPoolExecutor(max(1, min(2, workers)), "read")
        self.drawers = drawers or self.pool
        self.draws: WeakSet[Future[object]] = WeakSet()  # that somebody may still wait for
        # A thread of its own, so that the model does not wait while this one writes; as many cores as this one uses.
        self.model = ThreadPoolExecutor(1, "model", torch.set_num_threads, (torch.get_num_threads(),))

    def first(self, work: Callable[[], None]) -> None:
        """Something for the model's thread to do before everything else."""
        self.model.submit(work).result()

    def close(self) -> None:
        self.model.shutdown(cancel_futures=True)
        self.readers.shutdown(cancel_futures=True)
        self.drawers.shutdown(cancel_futures=True)
        self.pool.shutdown(cancel_futures=True)

    def make(self, work: Work) -> Mark:
        """Writes shard, index and mark, in this order. Raises `OutputNotWritable` and what `check` raises."""
        name, failures, entries, late = work.shard.name, [], [], dict(work.late)
        with ShardWriter(self.layout.shard(name)) as writer:
            for batch in self._batches(work):
                late |= batch.late
                for row in batch.rows:
                    made = batch.made[row.key]
                    if isinstance(made, Failure):
                        failures.append(made)
                    else:
                        clean, degraded, record = writer.add(made[0])
                        entries.append(Entry(made[1], (clean, degraded, record)))
        mark = Mark(
            shard=str(name), fingerprint=self.fingerprint, sha256=writer.sha256, bytes=writer.size,
            index_sha256=write_index(self.layout, name, entries), planned=len(work.rows), written=len(entries),
            failures=[one.as_row() for one in failures], rounds=work.rounds, late=late,
        )  # fmt: skip
        assert mark.planned == mark.written + len(mark.failures)
        write_mark(self.layout, name, mark)
        return mark

    def _batches(self, work: Work) -> Iterator[Batch]:
        """Settled batches in order. While the model works on one, threads read and draw the next, encode the last."""
        flying: deque[Batch] = deque()
        try:
            yield from self._settled(work, flying)
        finally:
            for batch in flying:  # interrupted: what has not begun never does
                for group in batch.groups:
                    group.run.cancel()
            for future in list(self.draws):
                future.cancel()

    def _settled(self, work: Work, flying: deque[Batch]) -> Iterator[Batch]:
        batches = [list(rows) for _, rows in groupby(work.rows, key=lambda row: row.batch)]
        for done, batch in enumerate(in_order(partial(self._prepare, work), batches, self.readers, AHEAD)):
            self.check(1 - done / len(batches))
            for group in batch.groups:
                group.run = self.model.submit(self._launch, group, group.start)
            flying.append(batch)
            if len(flying) > BEHIND:
                yield self._settle(flying.popleft())
        while flying:
            yield self._settle(flying.popleft())

    def _prepare(self, work: Work, rows: list[PlannedSample]) -> Batch:
        """Reads the photos of a batch, once each, says who goes through the model with whom, and has threads draw."""
        batch = Batch(rows, {}, [])
        if all(row.key in work.have or (row.key in work.gone and not work.retry) for row in rows):
            batch.made = {row.key: work.have.get(row.key) or work.gone[row.key] for row in rows}
            return batch
        halves: dict[tuple[str, bytes], CleanHalf | Failure] = {}
        ready: dict[int, tuple[list[PlannedSample], list[CleanHalf]]] = {}
        for row in rows:
            known = work.gone.get(row.key)
            if work.retry and row.key in work.have:
                batch.made[row.key] = work.have[row.key]
                continue
            if work.retry and known is not None and not can_retry(row, known):
                batch.made[row.key] = known
                continue
            if not work.retry and known is not None and known.failed not in REFUSED:
                batch.made[row.key] = (
                    known  # a photo that came back would change who shares its batch: `retry` does that
                )
                continue
            at = row.clean_sha256, row.clean_path
            if at not in halves:
                halves[at] = read_clean(self.rules, row)
            half = halves[at]
            if isinstance(half, Failure):
                batch.made[row.key] = failure(self.rules, row, 0, half.failed, half.message)
            elif row.origin == EXISTING:
                batch.existing[row.key] = self.pool.submit(finish_existing, self.rules, row, half)
            else:
                samples, images = ready.setdefault(self._round(work, batch, row), ([], []))
                samples.append(row)
                images.append(half)
        batch.groups = [self._group(work, number, *both) for number, both in sorted(ready.items())]
        for group in batch.groups:
            self._draw(group, group.start)
        return batch

    def _round(self, work: Work, batch: Batch, row: PlannedSample) -> int:
        """The round in which a sample's photo could first be read: 0, but for late ones."""
        known = work.gone.get(row.key)
        if work.retry and known is not None and known.failed not in REFUSED:
            batch.late[row.key] = work.rounds
            return work.rounds
        return work.late.get(row.key, 0)

    def _group(self, work: Work, number: int, samples: list[PlannedSample], halves: list[CleanHalf]) -> Group:
        if samples[0].graded:
            return Group(samples, halves, 0, 1)
        stop = self.attempts * (work.rounds - number + 1)
        return Group(samples, halves, stop - self.attempts if work.retry else 0, stop)

    def _draw(self, group: Group, attempt: int) -> None:
        """Has others simulate what the model will ask for, so that it does not wait for more than the last of it."""
        photos, samples = [half.image for half in group.halves], group.samples
        group.calls = self.driver.ahead(photos, asks_of(samples), noise_of_rows(samples, attempt))
        try:
            group.drawn = [self.drawers.submit(call) for call in group.calls]
        except BrokenExecutor:  # a process was killed, and threads go on
            self.drawers = self.pool
            group.drawn = [self.pool.submit(call) for call in group.calls]
        self.draws.update(group.drawn)

    def _launch(self, group: Group, attempt: int) -> list[Future[Made]]:
        """Through the model, in its thread; the images go to the threads, which wait for them where it is a GPU."""
        samples, halves = group.samples, group.halves
        drawn = list(map(_result, group.drawn, group.calls))
        images = make_images(self.driver, samples, [half.image for half in halves], attempt, drawn)
        self.told(len(images))

        def finish(number: int) -> Made:
            row, used = samples[number], asdict(self.driver.used(samples[number].ask))
            return finish_generated(self.rules, row, halves[number], images[number], attempt, used)

        return [self.pool.submit(finish, number) for number in range(len(images))]

    def _settle(self, batch: Batch) -> Batch:
        """Waits for the threads; what the filter refuses gets its next attempt, until none is left."""
        for group in batch.groups:
            for attempt in range(group.start, group.stop):
                if attempt > group.start:
                    self._draw(group, attempt)
                    group.run = self.model.submit(self._launch, group, attempt)
                results = [future.result() for future in group.run.result()]
                batch.made |= {row.key: made for row, made in zip(group.samples, results, strict=True)}
                again = [i for i, made in enumerate(results) if isinstance(made, Failure)]
                if not again:
                    break
                group.samples = [group.samples[i] for i in again]
                group.halves = [group.halves[i] for i in again]
        batch.made |= {key: future.result() for key, future in batch.existing.items()}
        return batch


def _result(drawn: Future[object], again: Callable[[], object]) -> object:
    """What a process drew or, where it was killed, what it would have drawn."""
    try:
        return drawn.result()
    except BrokenExecutor:
        return again()


def can_retry(row: PlannedSample, known: Failure) -> bool:
    """Whether another try may pass. Not of a graded sample that was refused: its noise is that of its series."""
    return known.failed not in REFUSED or not row.graded


def to_retry(layout: Layout, description: Description) -> tuple[list[PlannedShard], int]:
    """Shards with a failure that another try may mend, and how many failures there are that none can."""
    plan, shards, kept = PlanReader(layout.plan), [], 0
    for shard, mark in done_marks(layout, description):
        if mark.failures:
            rows = {row.key: row for row in plan.rows(shard.index)}
            hopeful = [can_retry(rows[failure.key], failure) for failure in mark.failed]
            kept += hopeful.count(False)
            shards += [shard] if any(hopeful) else []
    return shards, kept


def make_images(
    driver: Driver,
    samples: Sequence[PlannedSample],
    photos: Sequence[U8Image],
    attempt: int,
    drawn: Sequence[object] = (),
) -> Sequence[Degraded | Unmade]:
    """One batch of photos of one size, through the model: a sample depends on its row, attempt and batch only.

    `drawn` as in `Driver.degrade`.
    """
    return driver.degrade(photos, asks_of(samples), noise_of_rows(samples, attempt), drawn)


def asks_of(samples: Sequence[PlannedSample]) -> list[Ask]:
    return [sample.ask for sample in samples]


def noise_of_rows(samples: Sequence[PlannedSample], attempt: int) -> list[torch.Generator]:
    """A new generator for each, of its row and the attempt."""
    return [torch_generator(sample.seed, f"{sample.noise}/{attempt}", "sample") for sample in samples]
