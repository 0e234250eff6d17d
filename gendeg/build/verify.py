"""gendeg verify: look at a dataset as closely as asked, shard by shard."""

import os
from collections.abc import Iterator
from pathlib import Path

from gendeg.build.finish import edited, unfinished
from gendeg.build.prepare import read_inputs
from gendeg.primitives.errors import BadOption, DamagedDataset, MissingPath
from gendeg.primitives.progress import track
from gendeg.primitives.silence import doing
from gendeg.shards.description import Description, missing_shards, read_description
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlannedShard, PlanReader
from gendeg.shards.verify import Depth, Problem, Sides, check_plan, check_sides, strays, verify_shard


def depth(quick: bool = False, decode: bool = False) -> Depth:
    """How closely to look, from the words of the command line. Raises `BadOption` for both at once."""
    if quick and decode:
        raise BadOption("--quick", "does not go with --decode")
    return Depth(bytes=not quick, images=decode)


def verify(folder: Path, depth: Depth, progress: bool | None = None) -> Iterator[Problem]:
    """Every problem, as it is found. Raises `NotADataset`, `DamagedDataset` (even its description is damaged)."""
    layout = Layout(folder)
    description = read_description(layout)
    for _, problems in examine(layout, description, depth, progress):
        yield from problems
    if depth.bytes:
        yield from split_problems(layout, description, progress)
        yield from finishing_problems(layout, description)


def notes(folder: Path) -> list[str]:
    """What is no damage but worth knowing: what people have edited, and what cannot be looked at here."""
    layout = Layout(folder)
    description = read_description(layout)
    return ([] if missing_shards(layout, description) else edited(layout, description)) + _not_here(layout)


def _not_here(layout: Layout) -> list[str]:
    """The original photos are part of no check: every sample is held against the plan and its own hashes."""
    try:
        places = [one.place for one in read_inputs(layout)]  # a dataset on the hub is named, not placed
        gone = [place for place in places if os.path.isabs(place) and not os.path.exists(place)]
    except MissingPath:
        gone = ["nor is their list, .gendeg/inputs.json"]
    told = f"the original photos are not here ({', '.join(gone)}): what is stored was checked without them, but"
    return [f"{told} whether they are still the same was not, and repair and retry need them"] if gone else []


def examine(
    layout: Layout, description: Description, depth: Depth, progress: bool | None = None
) -> Iterator[tuple[PlannedShard | None, list[Problem]]]:
    """Problems of the plan (shard None) and of each shard that has some."""
    with doing("hashing the plan"):
        damaged_plan, sides = check_plan(layout, description), Sides()
    if damaged_plan:
        yield None, damaged_plan
        depth = Depth(bytes=False)  # rows of a damaged plan prove nothing
    try:
        plan = PlanReader(layout.plan)
    except (DamagedDataset, OSError):
        plan = None
    for shard in track(description.planned_shards, "verifying", wanted=progress):
        if plan is not None:
            problems = verify_shard(layout, description, shard, plan, depth, sides)
            if problems:
                yield shard, problems
    yield None, strays(layout, description)


def split_problems(layout: Layout, description: Description, progress: bool | None = None) -> Iterator[Problem]:
    """Photos that stand in two splits. No repair helps: the plan is at fault, of a version that did not look."""
    if check_plan(layout, description) or len({shard.name.split for shard in description.planned_shards}) < 2:
        return
    plan, sides = PlanReader(layout.plan), Sides()
    for shard in track(description.planned_shards, "comparing splits", wanted=progress):
        yield from check_sides(layout, shard, plan, sides)


def finishing_problems(layout: Layout, description: Description) -> list[Problem]:
    """What the last step of a build writes; only expected once every shard is there."""
    if missing_shards(layout, description):
        return []
    return [Problem("", "", f"{name}: missing, or not what the shards say") for name in unfinished(layout, description)]
