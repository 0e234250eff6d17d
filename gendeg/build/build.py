"""gendeg build: plan, make what is missing, and finish the dataset; the same command again resumes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from gendeg.build.config import BuildConfig, check_config
from gendeg.build.estimate import Forecast, estimate
from gendeg.build.finish import finish
from gendeg.build.prepare import prepare, versions
from gendeg.build.processes import Team, assemble
from gendeg.build.shard import to_retry
from gendeg.build.stopping import Stopper
from gendeg.build.worker import Model, Workshop, load_model
from gendeg.primitives.disk import free_bytes
from gendeg.primitives.errors import DifferentRun, NotEnoughRoom
from gendeg.primitives.files import is_temporary
from gendeg.primitives.folders import BUILD, claim
from gendeg.primitives.lock import FolderLock
from gendeg.primitives.parallel import share
from gendeg.primitives.pictures import NO_PHOTO
from gendeg.primitives.progress import bar
from gendeg.shards.description import Description, Totals, missing_shards, totals
from gendeg.shards.index import Mark
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlannedShard


@dataclass(frozen=True)
class Built:
    """What stands on the disk after a run, counted there; photos without samples by reason. `made`: by this run.

    `kept`: failures that no further try can mend, of graded samples.
    """

    totals: Totals
    left_out: dict[str, int]
    made: int
    kept: int


def plan(config: BuildConfig) -> tuple[Description, Forecast]:
    """gendeg plan: decides every sample and writes the plan, without making any."""
    check_config(config)
    model = load_model(config)
    layout = Layout(config.out)
    claim(layout.root, BUILD)
    with FolderLock(layout.lock, layout.root):
        description = prepare(config, model.facts)
        say_moved(description)
        return description, estimate(config, description, model)


def build(config: BuildConfig) -> Built | None:
    """This process's part of a build. None from all but the first process, and from a dry run.

    Raises `ForeignFolder`, `FolderInUse`, `DifferentRun`, `NotEnoughRoom`, `OutputNotWritable`, `Interrupted`, and
    what plan and model raise.
    """
    check_config(config)
    with assemble() as team:
        model = load_model(config)
        if not team.leads:
            _follow(config, team, model)
            return None
        try:
            layout = Layout(config.out)
            claim(layout.root, BUILD)
            with FolderLock(layout.lock, layout.root):
                return _lead(config, team, model)
        except BaseException:
            if not team.told:
                team.tell(None)  # the others wait for their work
            raise


def _lead(config: BuildConfig, team: Team, model: Model) -> Built | None:
    layout = Layout(config.out)
    description = prepare(config, model.facts)
    _say_versions(description)
    missing = missing_shards(layout, description)
    if missing:
        check_room(config, description, missing, estimate(config, description, model))
    if config.dry_run:
        team.tell(None)
        return None
    sweep(layout)
    team.tell((description.fingerprint, [shard.index for shard in missing]))
    made = sum(team.collect(_work(config, team, model, description, missing)))
    sweep(layout)  # a worker of Ray may have died over a shard that another one made
    finish(layout, description)
    return Built(totals(layout, description), description.left_out, made, to_retry(layout, description)[1])


def _follow(config: BuildConfig, team: Team, model: Model) -> None:
    """Waits for the plan, makes this process's share of it, and waits for the others."""
    from gendeg.shards.description import read_description

    told = team.tell(None)
    if told is None:
        return
    fingerprint, numbers = told
    description = read_description(Layout(config.out))
    if description.fingerprint != fingerprint or description.model_sha256 != model.facts.sha256:
        raise DifferentRun(config.out, ["model or folder on another machine"])
    shards = description.planned_shards
    team.collect(_work(config, team, model, description, [shards[number] for number in numbers]))


def _work(
    config: BuildConfig, team: Team, model: Model, description: Description, missing: Sequence[PlannedShard]
) -> int:
    """Makes this process's share; returns the samples written."""
    written: list[int] = []
    if config.engine == "ray":
        from gendeg.build.ray import make_with_ray

        return make_with_ray(config, description, missing)
    mine = share(missing, team.world.rank, team.world.size)
    wanted = config.progress if team.leads else False
    with Stopper(config.grace) as stopper, bar("shards", total=len(mine), wanted=wanted) as progress:
        workshop = Workshop(config, description, model.driver, team.world.rank, stopper)

        def done(mark: Mark) -> None:
            written.append(mark.written)
            progress.update()
            progress.set_postfix(written=sum(written), refresh=False)

        try:
            workshop.make_all(mine, done)
        finally:
            workshop.close()
    return sum(written)


def check_room(
    config: BuildConfig, description: Description, missing: Sequence[PlannedShard], expected: Forecast
) -> None:
    """Says what is to come. Raises `NotEnoughRoom` before anything is made."""
    count = sum(shard.samples for shard in missing)
    needed = int(expected.bytes * count)
    left_out = sum(count for reason, count in description.left_out.items() if reason not in NO_PHOTO)
    print(
        f"gendeg: {description.samples} samples in {len(description.shards)} shards planned from {description.photos} "
        f"photos{f' ({left_out} left out)' if left_out else ''}; to make: {count} in {len(missing)}, "
        f"{expected.say(count)}",
        file=sys.stderr,
    )
    say_moved(description)
    free = free_bytes(config.out)
    if config.check_disk and free is not None and needed > free:
        raise NotEnoughRoom(config.out, needed, free)


def say_moved(description: Description) -> None:
    """Photos whose split is not the one that --split drew."""
    for change, count in description.moved.items():
        print(f"gendeg: {count} photos moved {change}: existing pairs, or copies, have them there", file=sys.stderr)


def sweep(layout: Layout) -> None:
    """Removes what a killed process of ours left: temporary files in the dataset's own folders, by the name that only
    we give. Only while holding the lock."""
    shards = (path for path in layout.root.iterdir() if path.is_dir() and path != layout.side)
    for folder in (layout.root, layout.side, layout.marks, layout.logs, *sorted(shards)):
        for path in folder.iterdir() if folder.is_dir() else ():
            if is_temporary(path):
                path.unlink(missing_ok=True)


def _say_versions(description: Description) -> None:
    now = versions()
    other = [f"{name} {now[name]} (was {was})" for name, was in description.made_with.items() if now.get(name) != was]
    if other:
        print(
            f"gendeg: other versions than at the start, so equal bytes are not sure: {', '.join(other)}",
            file=sys.stderr,
        )
