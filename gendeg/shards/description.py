"""`.gendeg/config.json`: what a dataset is a function of, and the fingerprint over it."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from gendeg.primitives.errors import BadManifest, DamagedDataset, MissingPath, NotADataset, OtherVersion
from gendeg.primitives.files import read_json_object, sha256_bytes, write_json
from gendeg.primitives.once import Changes, changed
from gendeg.shards.index import Mark, is_done, read_mark
from gendeg.shards.layout import Layout, ShardName
from gendeg.shards.plan import PlannedShard

BUILD_SCHEMA = "gendeg-build-2"
"""Raise the number when plan, index or records get other fields."""


@dataclass(frozen=True)
class Description:
    """Model, settings, inputs and plan decide every byte; the rest is for people."""

    model: str  # as the user named it
    model_sha256: str
    settings: dict[str, Any]
    inputs: str  # digest of the listing of all photos
    plan_sha256: str
    shards: list[list[Any]]  # degradation, split, number, samples; in the plan's order
    photos: int
    left_out: dict[str, int]  # reason → photos that no sample is planned for
    made_with: dict[str, str] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)  # "train → test" → photos, so that each has one split
    schema: str = BUILD_SCHEMA

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the bytes."""
        deciding = [self.schema, self.model, self.model_sha256, self.settings, self.inputs, self.plan_sha256]
        return sha256_bytes(json.dumps(deciding, sort_keys=True).encode())

    @property
    def planned_shards(self) -> list[PlannedShard]:
        return [PlannedShard(i, ShardName(*row[:3]), row[3]) for i, row in enumerate(self.shards)]

    @property
    def samples(self) -> int:
        return sum(row[3] for row in self.shards)

    def differing(self, other: "Description") -> Changes:
        """What decides the bytes and is not the same. The priors of other types are others: that is said of the types.

        A model of the same name and other weights is told by the beginning of their hash.
        """
        found = changed(self.settings, dict.fromkeys(self.settings) | other.settings)
        if "types" in found:
            found.pop("priors", None)
        models = (self.model, self.model_sha256), (other.model, other.model_sha256)
        if models[0] != models[1]:
            then, now = (name if self.model != other.model else f"{name} {sha[:8]}" for name, sha in models)
            found = {"model": (then, now)} | found
        return found | ({"inputs": (self.inputs, other.inputs)} if self.inputs != other.inputs else {})


def write_description(layout: Layout, description: Description) -> None:
    row = asdict(description) | {"fingerprint": description.fingerprint}
    write_json(layout.config, row)


def read_description(layout: Layout) -> Description:
    """Raises `NotADataset` when there is none, `OtherVersion`, and `DamagedDataset` when it was changed."""
    try:
        row = read_json_object(layout.config)
    except MissingPath as error:
        raise NotADataset(layout.root) from error
    except BadManifest as error:
        raise DamagedDataset(layout.config, str(error)) from error
    if row.get("schema", BUILD_SCHEMA) != BUILD_SCHEMA:
        raise OtherVersion(layout.root, str(row["schema"]), BUILD_SCHEMA)
    fingerprint = row.pop("fingerprint", None)
    try:
        description = Description(**row)
    except TypeError as error:
        raise DamagedDataset(layout.config, f"other fields than this version's ({error})") from error
    if description.fingerprint != fingerprint:
        raise DamagedDataset(layout.config, "its fingerprint is not that of its contents")
    return description


# --- what stands on the disk ---


@dataclass(frozen=True)
class Totals:
    """Counted from the marks of the shards that are done; planned = written + failed + what is still missing."""

    shards: int
    done: int
    planned: int
    written: int
    failed: int
    reasons: dict[str, int]

    @property
    def missing(self) -> int:
        return self.planned - self.written - self.failed


def missing_shards(layout: Layout, description: Description) -> list[PlannedShard]:
    """Shards without a mark, or whose tar is not as long as the mark says."""
    fingerprint = description.fingerprint
    return [shard for shard in description.planned_shards if not is_done(layout, shard.name, fingerprint)]


def done_marks(layout: Layout, description: Description) -> Iterator[tuple[PlannedShard, Mark]]:
    fingerprint = description.fingerprint
    for shard in description.planned_shards:
        if is_done(layout, shard.name, fingerprint):
            mark = read_mark(layout, shard.name)
            assert mark is not None
            yield shard, mark


def totals(layout: Layout, description: Description) -> Totals:
    reasons: Counter[str] = Counter()
    done = written = 0
    for _, mark in done_marks(layout, description):
        done, written = done + 1, written + mark.written
        reasons.update(failure.failed for failure in mark.failed)
    return Totals(
        len(description.shards), done, description.samples, written, reasons.total(), dict(sorted(reasons.items()))
    )
