"""gendeg repair and gendeg retry: make again only what is missing, bad or failed, to the same bytes."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gendeg.build.build import sweep
from gendeg.build.config import BuildConfig
from gendeg.build.finish import finish
from gendeg.build.prepare import prepare, stored_config
from gendeg.build.shard import Stored, to_retry
from gendeg.build.stopping import Stopper
from gendeg.build.verify import examine
from gendeg.build.worker import Workshop, load_model
from gendeg.primitives.errors import DamagedDataset, DifferentRun
from gendeg.primitives.files import sha256_bytes
from gendeg.primitives.lock import FolderLock
from gendeg.primitives.progress import track
from gendeg.shards.description import Description, Totals, read_description, totals
from gendeg.shards.index import Entry, Mark, read_index, read_mark, read_member
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlannedShard
from gendeg.shards.verify import Depth, Problem, check_plan
from gendeg.shards.writer import StoredSample


@dataclass(frozen=True)
class Repaired:
    """Shards made again, those of them whose bytes are other than their mark says, and what stands now.

    `kept`: failures that no further try can mend, of graded samples.
    """

    shards: list[str]
    changed: list[str]
    totals: Totals
    kept: int


@contextmanager
def _held(folder: Path, changes: Mapping[str, Any]) -> Iterator[tuple[Layout, Description, BuildConfig]]:
    """A dataset that nobody else works at meanwhile, swept of what was half-written."""
    layout = Layout(folder)
    read_description(layout)  # before a lock is put into what may be nobody's dataset
    with FolderLock(layout.lock, layout.root):
        description = read_description(layout)
        config = stored_config(layout, description, **changes)
        sweep(layout)
        yield layout, description, config


def repair(folder: Path, depth: Depth, **changes: Any) -> Repaired:
    """`changes` are fields of `BuildConfig` that do not decide bytes: device, workers, progress.

    Raises `NotADataset`, `DamagedDataset`, `FolderInUse`, `DifferentRun` (the model is no longer the same).
    """
    with _held(folder, changes) as (layout, description, config):
        bad: list[tuple[PlannedShard, list[Problem]]] = []
        for shard, problems in examine(layout, description, depth, config.progress):
            if shard is not None:
                bad.append((shard, problems))
        model = load_model(config) if bad or check_plan(layout, description) else None
        if model is not None:
            if check_plan(layout, description):
                description = prepare(config, model.facts, anew=False)  # the same plan again, or an error
                bad = [(s, p) for s, p in examine(layout, description, depth, config.progress) if s is not None]
            _same_model(layout, description, model.facts.sha256)
            changed = _make_again(config, description, model, [(shard, _work(layout, shard)) for shard, _ in bad])
        finish(layout, description)
        names, stands = [str(shard.name) for shard, _ in bad], totals(layout, description)
        return Repaired(names, changed if model else [], stands, to_retry(layout, description)[1])


def retry(folder: Path, **changes: Any) -> Repaired:
    """Runs failed samples again: refused ones with further attempts, unreadable ones if their photo is there by now.

    Refused samples of a graded set stay refused: with other noise they would differ by more than their strength.
    """
    with _held(folder, changes) as (layout, description, config):
        failed, kept = to_retry(layout, description)
        if failed:
            model = load_model(config)
            _same_model(layout, description, model.facts.sha256)
            _make_again(config, description, model, [(shard, _retry_work(layout, shard)) for shard in failed])
        finish(layout, description)
        return Repaired([str(shard.name) for shard in failed], [], totals(layout, description), kept)


def _same_model(layout: Layout, description: Description, sha256: str) -> None:
    if sha256 != description.model_sha256:
        raise DifferentRun(layout.root, ["model"])


def _make_again(
    config: BuildConfig, description: Description, model: Any, work: Iterable[tuple[PlannedShard, dict[str, Any]]]
) -> list[str]:
    """Returns the shards whose hash is not the one that their mark had."""
    layout, changed = Layout(config.out), []
    with Stopper(config.grace) as stopper:
        workshop = Workshop(config, description, model.driver, stopper=stopper)
        try:
            for shard, how in track(list(work), "shards", wanted=config.progress):
                stopper.check_between()
                before = _mark(layout, shard)
                after = workshop.make(shard, **how)
                if before is not None and before.sha256 != after.sha256 and not how.get("retry"):
                    changed.append(str(shard.name))
        finally:
            workshop.close()
    if changed:
        print(
            f"gendeg: made again with other bytes than before (other hardware or versions?): {', '.join(changed)}",
            file=sys.stderr,
        )
    return changed


def _work(layout: Layout, shard: PlannedShard) -> dict[str, Any]:
    """What a damaged shard still tells: its mark, and the samples whose bytes are good."""
    mark = _mark(layout, shard)
    if mark is None:
        return {}
    return {
        "rounds": mark.rounds,
        "late": mark.late,
        "gone": {failure.key: failure for failure in mark.failed},
        "have": good_samples(layout, shard, mark),
    }


def _retry_work(layout: Layout, shard: PlannedShard) -> dict[str, Any]:
    how = _work(layout, shard)
    return how | {"rounds": how["rounds"] + 1, "retry": True}


def _mark(layout: Layout, shard: PlannedShard) -> Mark | None:
    try:
        return read_mark(layout, shard.name)
    except DamagedDataset:
        return None


class GoodSamples(Mapping[str, Stored]):
    """The samples of a shard whose three members have the bytes that its index says; read again when asked for."""

    def __init__(self, path: Path, entries: Iterable[Entry]):
        self.path = path
        self.entries = {entry.record.key: entry for entry in entries if self._read(entry) is not None}

    def __getitem__(self, key: str) -> Stored:
        entry = self.entries[key]
        sample = self._read(entry)
        if sample is None:
            raise DamagedDataset(self.path, f"{key} changed while it was read")
        return sample, entry.record

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def _read(self, entry: Entry) -> StoredSample | None:
        try:
            parts = [read_member(self.path, member) for member in entry.members]
        except OSError:
            return None
        if any(sha256_bytes(data) != member.sha256 for data, member in zip(parts, entry.members, strict=True)):
            return None
        return StoredSample(entry.record.key, parts[0], entry.members[0].name.rpartition(".")[2], parts[1], parts[2])


def good_samples(layout: Layout, shard: PlannedShard, mark: Mark) -> Mapping[str, Stored]:
    """Empty when the index itself is damaged."""
    try:
        return GoodSamples(layout.shard(shard.name), read_index(layout, shard.name, mark))
    except DamagedDataset:
        return {}
