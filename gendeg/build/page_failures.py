"""The failures of a dataset: by reason, and the clean photos of a few of them, where they can still be had."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from gendeg.build.page_rows import Dataset, member_bytes, picture_of
from gendeg.build.sample import read_clean, rules_of
from gendeg.pairs.photos import by_turns
from gendeg.primitives.files import read_jsonl
from gendeg.primitives.pictures import WORDS
from gendeg.primitives.records import Failure
from gendeg.report.config import ReportConfig
from gendeg.report.html import Card, Cell, Picture, Section, Sheet, Table, make_picture, percent
from gendeg.shards.description import Description
from gendeg.shards.index import Mark, read_entries, read_index_table
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlannedSample, PlannedShard, PlanReader

SHOWN = 24


def failures_section(config: ReportConfig, data: Dataset) -> Section:
    failed = failures_by_turns(data.done, SHOWN)
    reasons, planned = data.reasons, sum(mark.planned for _, mark in data.done)
    total = sum(reasons.values())
    text = [f"{planned:,} planned = {len(data.rows):,} written + {total:,} failed."]
    blocks: list[Table | Sheet] = []
    if total:
        blocks.append(_reasons(data, planned))
        photos = clean_photos(data.layout, data.description, data.done, failed, config.picture_size)
        text.append(
            "A build keeps the reason of a failed sample, not its image; what is shown is the clean photo that it was "
            f"to be made from. {len(failed)} of {total:,}: the first of each reason and degradation, then the second, "
            "and so on."
        )
        blocks.append(Sheet([_card(one, photos.get(one.key)) for _, one in failed]))
    if data.description.left_out:
        blocks.append(_left_out(data))
    return Section("failures", "Failures", text, blocks)


def _card(one: Failure, photo: Picture | None) -> Card:
    notes = [one.message, f"attempt {one.attempt + 1} of {one.key}"]
    return Card(f"{one.degradation or 'every degradation'} · {one.failed}", notes, one.degradation, "generated", photo)


def _reasons(data: Dataset, planned: int) -> Table:
    reasons = data.reasons
    kinds = sorted({kind for _, kind in reasons})
    by_reason = Counter({r: sum(n for (other, _), n in reasons.items() if other == r) for r, _ in reasons})
    most = max(by_reason.values())
    lines: list[list[Cell | str]] = [
        [reason, Cell(bars=[("failed", count / most)]), f"{count:,}", percent(count, planned),
         *(f"{reasons[reason, kind]:,}" for kind in kinds)]
        for reason, count in by_reason.most_common()
    ]  # fmt: skip
    columns = ["reason", "", "samples", "of planned", *(kind or "every" for kind in kinds)]
    return Table("Failed samples by reason", columns, lines)


def _left_out(data: Dataset) -> Table:
    """Photos (and other files beside them) without a single sample; their messages stay on the machine that built."""
    examples: dict[str, str] = {}
    if data.layout.left_out.is_file():
        for row in read_jsonl(data.layout.left_out):
            examples.setdefault(str(row.get("failed", "")), str(row.get("message", "")))
    lines = [
        [WORDS.get(reason, reason), f"{count:,}", examples.get(reason, "")]
        for reason, count in sorted(data.description.left_out.items())
    ]
    return Table("What no sample was planned for", ["reason", "files or rows", "for example"], lines)


# --- their photos ---


def failures_by_turns(done: Sequence[tuple[PlannedShard, Mark]], count: int) -> list[tuple[PlannedShard, Failure]]:
    """At most `count`: the first of each reason and degradation, then the second of each, in the plan's order."""
    every = ((shard, failure) for shard, mark in done for failure in mark.failed)
    return by_turns(every, lambda one: (one[1].failed, one[1].degradation), count)


def clean_photos(
    layout: Layout,
    description: Description,
    done: Sequence[tuple[PlannedShard, Mark]],
    failed: Sequence[tuple[PlannedShard, Failure]],
    longest: int,
) -> dict[str, Picture]:
    """Key of a failed sample → its clean photo, where it can still be had.

    Out of another sample of the same photo in the dataset; else the photo itself, if it lies where the build found it.
    """
    planned = _planned(layout, failed)
    stored = _stored_photos(layout, done, {row.clean_sha256 for row in planned.values()})
    found = {}
    for key, row in planned.items():
        if row.clean_sha256 in stored:
            picture = picture_of(stored[row.clean_sha256], longest)
        else:
            picture = _original(layout, description, row, longest)
        if picture is not None:
            found[key] = picture
    return found


def _planned(layout: Layout, failed: Sequence[tuple[PlannedShard, Failure]]) -> dict[str, PlannedSample]:
    if not failed or not layout.plan.is_file():
        return {}
    wanted: dict[int, set[str]] = defaultdict(set)
    for shard, failure in failed:
        wanted[shard.index].add(failure.key)
    plan = PlanReader(layout.plan)
    return {row.key: row for index, keys in wanted.items() for row in plan.rows(index) if row.key in keys}


def _stored_photos(layout: Layout, done: Sequence[tuple[PlannedShard, Mark]], hashes: set[str]) -> dict[str, bytes]:
    """Hash of a photo → the clean half of the first sample made from it."""
    found: dict[str, bytes] = {}
    for shard, _ in done:
        if found.keys() >= hashes:
            break
        there = read_index_table(layout.index(shard.name), ["clean_sha256"]).column(0).to_pylist()
        for digest in hashes - found.keys():
            if digest in there:
                (entry,) = read_entries(layout, shard.name, [there.index(digest)])
                found[digest] = member_bytes(layout, shard.name, entry.members[0])
    return found


def _original(layout: Layout, description: Description, row: PlannedSample, longest: int) -> Picture | None:
    if not layout.inputs.is_file():
        return None
    from gendeg.build.prepare import read_inputs  # imports torch, which the rest of a report does without

    half = read_clean(rules_of(description, read_inputs(layout)), row)
    return None if isinstance(half, Failure) else make_picture(half.image, longest)
