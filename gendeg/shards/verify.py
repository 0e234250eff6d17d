"""Is a dataset what its plan and done marks say? Every problem names its shard and, where there is one, its sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gendeg.intensity.measure import measure_intensity
from gendeg.primitives.errors import BadImage, BadRecord, DamagedDataset
from gendeg.primitives.files import sha256_bytes, sha256_of
from gendeg.primitives.images import read_header, read_rgb
from gendeg.primitives.records import DECIMALS, Record
from gendeg.shards.description import Description
from gendeg.shards.index import Entry, Mark, read_index, read_index_table, read_mark
from gendeg.shards.layout import Layout, ShardName
from gendeg.shards.plan import PlannedSample, PlannedShard, PlanReader
from gendeg.shards.writer import BLOCK, Member, member_header, tail

MEASURED_EVERY = 10  # samples; with --decode every image is decoded, and of every tenth pair mu and sigma are measured


@dataclass(frozen=True)
class Problem:
    """`shard` and `key` are empty where the problem is not one of a shard or of a sample."""

    shard: str
    key: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.shard, self.key, self.what) if part)


@dataclass(frozen=True)
class Depth:
    """How closely to look: marks and sizes only, every byte, or every image too."""

    bytes: bool = True
    images: bool = False


class Sides:
    """In which split each photo was seen first: it may be in no other one, by whatever hash it is known."""

    def __init__(self) -> None:
        self._first: dict[bytes, str] = {}

    def check(self, name: ShardName, key: str, *hashes: str) -> list[Problem]:
        """Hexadecimal hashes of a clean photo in this shard."""
        seen = [self._first.setdefault(bytes.fromhex(one), name.split) for one in hashes]
        other = next((split for split in seen if split != name.split), "")
        what = f"its clean photo is in split {other} too; build it again, so that each photo has one split"
        return [Problem(str(name), key, what)] if other else []


def verify_shard(
    layout: Layout, description: Description, shard: PlannedShard, plan: PlanReader, depth: Depth, sides: Sides
) -> list[Problem]:
    """All problems of one shard. Empty: it holds what the plan says, as its mark says."""
    name = shard.name
    try:
        mark = read_mark(layout, name)
    except DamagedDataset as error:
        return [Problem(str(name), "", error.reason)]
    if mark is None:
        return [Problem(str(name), "", "missing: it has no done mark")]
    problems = _check_mark(layout, description, shard, mark)
    if problems or not depth.bytes:
        return problems
    try:
        entries = read_index(layout, name, mark)
        rows = plan.rows(shard.index)
    except DamagedDataset as error:
        return [Problem(str(name), "", f"{error.path.name}: {error.reason}")]
    problems = _check_counts(name, mark, entries, rows) + _check_members(layout.shard(name), name, mark, entries)
    if not problems:
        problems = _check_records(layout.shard(name), name, entries, description)
    if not problems and depth.images:
        problems = list(_check_images(layout.shard(name), name, entries, sides))
    return problems


def check_sides(layout: Layout, shard: PlannedShard, plan: PlanReader, sides: Sides) -> list[Problem]:
    """Photos of a shard that were seen in another split: by their files' bytes, and by those that are stored."""
    try:
        rows = plan.column(shard.index, ["key", "clean_sha256"])
        stored = read_index_table(layout.index(shard.name), ["key", "clean_digest"]).to_pydict()
    except DamagedDataset:
        return []  # said elsewhere
    digests = dict(zip(stored["key"], stored["clean_digest"], strict=True))
    return [
        problem
        for key, sha256 in zip(rows["key"], rows["clean_sha256"], strict=True)
        for problem in sides.check(shard.name, key, sha256, *([digests[key]] if key in digests else []))
    ]


def _check_mark(layout: Layout, description: Description, shard: PlannedShard, mark: Mark) -> list[Problem]:
    name, path = str(shard.name), layout.shard(shard.name)
    problems = []
    if mark.fingerprint != description.fingerprint:
        problems.append(Problem(name, "", "made by another build"))
    if mark.planned != shard.samples or mark.planned != mark.written + len(mark.failures):
        problems.append(
            Problem(name, "", f"planned {shard.samples}, written {mark.written}, failed {len(mark.failures)}")
        )
    if not layout.index(shard.name).is_file():
        problems.append(Problem(name, "", "its index is missing"))
    if not path.is_file():
        return [*problems, Problem(name, "", "the tar is missing")]
    size = path.stat().st_size
    if size != mark.bytes:
        key = _first_beyond(layout, shard.name, size)
        problems.append(Problem(name, key, f"the tar has {size} bytes, not {mark.bytes}"))
    return problems


def _first_beyond(layout: Layout, name: ShardName, size: int) -> str:
    """The first sample that a shorter file no longer holds whole; the last one when only the tar's end is cut."""
    try:
        entries = read_index(layout, name)
    except DamagedDataset:
        return ""
    cut = (e for e in entries if e.members[-1].offset + e.members[-1].size > size)
    found = next(cut, entries[-1] if entries else None)
    return found.record.key if found else ""


def _check_counts(
    name: ShardName, mark: Mark, entries: Sequence[Entry], rows: Sequence[PlannedSample]
) -> list[Problem]:
    """Every planned sample is written or failed, in the plan's order."""
    stored, failed = [entry.record.key for entry in entries], {failure.key for failure in mark.failed}
    expected = [row.key for row in rows if row.key not in failed]
    if stored == expected and len(failed) == len(mark.failures) and failed <= {row.key for row in rows}:
        return []
    odd = sorted(set(stored) ^ set(expected))
    return [Problem(str(name), key, "planned and stored samples differ") for key in odd or [""]]


def _check_members(path: Path, name: ShardName, mark: Mark, entries: Sequence[Entry]) -> list[Problem]:
    """Byte for byte: headers and padding are known, the data by its hash; nothing is left over."""
    if sha256_of(path) == mark.sha256:
        return []
    problems, end, key = [], 0, ""
    with open(path, "rb") as stream:
        for entry in entries:
            key = entry.record.key
            for member in entry.members:
                if not _member_is_good(stream.read(_span(member)), member):
                    problems.append(Problem(str(name), key, f"{member.name} has other bytes than when it was written"))
                end += _span(member)
        if stream.read() != tail(end):
            problems.append(Problem(str(name), key, "the end of the tar, after the last sample, has other bytes"))
    return problems or [Problem(str(name), "", "its hash is not the mark's")]


def _span(member: Member) -> int:
    return BLOCK + member.size + -member.size % BLOCK


def _member_is_good(data: bytes, member: Member) -> bool:
    head, body, rest = data[:BLOCK], data[BLOCK : BLOCK + member.size], data[BLOCK + member.size :]
    return head == member_header(member.name, member.size) and sha256_bytes(body) == member.sha256 and not any(rest)


def _check_records(path: Path, name: ShardName, entries: Sequence[Entry], description: Description) -> list[Problem]:
    """The record in the tar is the index's, of this model and degradation."""
    problems = []
    with open(path, "rb") as stream:
        for entry in entries:
            stream.seek(entry.members[2].offset)
            try:
                record = Record.from_json(stream.read(entry.members[2].size).decode())
            except (BadRecord, UnicodeDecodeError) as error:
                problems.append(Problem(str(name), entry.record.key, str(error)))
                continue
            ours = record.origin != "generated" or record.model_sha256 == description.model_sha256
            if record != entry.record or record.degradation != name.degradation or not ours:
                problems.append(Problem(str(name), record.key, "the record is not the index's, or of another model"))
    return problems


def _check_images(path: Path, name: ShardName, entries: Sequence[Entry], sides: Sides) -> Iterator[Problem]:
    """Decodes every image; measures every tenth pair again."""
    with open(path, "rb") as stream:
        for number, entry in enumerate(entries):
            record, images = entry.record, []
            for member in entry.members[:2]:
                stream.seek(member.offset)
                data = stream.read(member.size)
                try:
                    images.append(read_rgb(data))
                    if not read_header(data).plain:
                        what = f"{member.name}: readers do not agree on it (turned, transparent or not RGB)"
                        yield Problem(str(name), record.key, f"{what}; build it again with this version")
                except BadImage as error:
                    yield Problem(str(name), record.key, f"{member.name} cannot be decoded: {error.reason}")
            if len(images) == 2:
                yield from sides.check(name, record.key, sha256_bytes(images[0].tobytes()))
            if any(image.shape[:2] != (record.height, record.width) for image in images):
                yield Problem(str(name), record.key, "an image is not as large as the record says")
            elif len(images) == 2 and number % MEASURED_EVERY == 0:
                mu, sigma = (round(value, DECIMALS) for value in measure_intensity(*images))
                if (mu, sigma) != (record.mu, record.sigma):
                    yield Problem(str(name), record.key, f"measured mu {mu}, sigma {sigma}; the record has others")


def strays(layout: Layout, description: Description) -> list[Problem]:
    """Files among the shards that no plan knows: readers would take them for part of the dataset."""
    known = {layout.shard(shard.name) for shard in description.planned_shards}
    folders = {path.parent for path in known}
    found = sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir() if path not in known)
    return [Problem("", "", f"{path.relative_to(layout.root)}: not part of the dataset") for path in found]


def check_plan(layout: Layout, description: Description) -> list[Problem]:
    """The plan is the one that the fingerprint stands for."""
    if not layout.plan.is_file():
        return [Problem("", "", "plan.parquet: missing")]
    same = sha256_of(layout.plan) == description.plan_sha256
    return [] if same else [Problem("", "", "plan.parquet: other bytes than when it was written")]
