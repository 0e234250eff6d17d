"""gendeg plan, build, verify, repair, retry, status, push: a dataset from clean photos."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gendeg.build.config import BuildConfig, check_config
from gendeg.primitives.exits import ERROR, SOME_FAILED
from gendeg.primitives.options import command
from gendeg.primitives.pictures import HARMLESS, NO_PHOTO, say_reasons
from gendeg.primitives.quantities import say_bytes
from gendeg.primitives.streams import say

PLAN_EXAMPLE = "Example: gendeg plan photos/ --out gends/ --types all --per-image 6"
BUILD_EXAMPLE = "Example: gendeg build photos/ --out gends/   (on many GPUs: accelerate launch -m gendeg build …)"
VERIFY_EXAMPLE = "Example: gendeg verify gends/ --decode"
REPAIR_EXAMPLE = "Example: gendeg repair gends/"
RETRY_EXAMPLE = "Example: gendeg retry gends/"
STATUS_EXAMPLE = "Example: gendeg status gends/ --json"
PUSH_EXAMPLE = "Example: gendeg push gends/ user/name --parquet --private"

Folder = Annotated[Path, typer.Argument(help="The dataset's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


@command(BuildConfig, without=("workers", "engine", "grace", "check_disk", "dry_run"))
def plan(config: BuildConfig) -> int:
    """Decide every sample of a dataset and write the plan; makes none. The same options to build carry it out."""
    check_config(config)  # before what loads torch, which takes seconds
    from gendeg.build.build import plan as make_plan

    description, expected = make_plan(config)
    _say_left_out(config.out, description.left_out)
    samples = description.samples
    say(f"gendeg: {samples} samples in {len(description.shards)} shards, {expected.say(samples)}; nothing was made")
    return 0


@command(BuildConfig)
def build(config: BuildConfig) -> int:
    """Make a dataset of clean and degraded pairs: sharded, the same bytes every time. The same command resumes."""
    check_config(config)  # before what loads torch, which takes seconds
    from gendeg.build.build import build as make_dataset

    built = make_dataset(config)
    return 0 if built is None else _report(config.out, built)


def verify(
    folder: Folder,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every image, and measure some again.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Done marks and sizes only.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check a dataset against its plan and hashes; names shard and sample of every problem (exit code 1)."""
    from gendeg.build.verify import depth, notes
    from gendeg.build.verify import verify as find_problems

    count = 0
    for problem in find_problems(folder, depth(quick, decode)):
        count += 1
        row = {"shard": problem.shard, "key": problem.key, "problem": problem.what}
        print(json.dumps(row) if as_json else problem, flush=True)
    for note in notes(folder):
        say(f"gendeg: {note}")
    mend = f"problems: {count}; gendeg repair {folder} puts right what is damaged"
    found = mend if count else f"{folder}: nothing wrong"
    say(f"gendeg: {found}")
    return ERROR if count else 0


@command(BuildConfig, only=("device", "workers"))
def repair(
    folder: Folder, given: dict[str, Any],
    quick: Annotated[bool, typer.Option("--quick", help="Trust every shard whose size is right.")] = False,
) -> int:  # fmt: skip
    """Make again what is missing or damaged, to the same bytes."""
    from gendeg.build.repair import repair as make_good
    from gendeg.build.verify import depth

    return _again(folder, make_good(folder, depth(quick), **given))


@command(BuildConfig, only=("device", "workers"))
def retry(folder: Folder, given: dict[str, Any]) -> int:
    """Run failed samples again: refused ones with more attempts (but of graded sets), photos that can be read now."""
    from gendeg.build.repair import retry as run_again

    return _again(folder, run_again(folder, **given))


def status(
    folder: Folder, as_json: AsJson = False,
    failed: Annotated[bool, typer.Option("--failed", help="List what failed or was left out, and why.")] = False,
) -> int:  # fmt: skip
    """How far a build is, also while it runs: shards, failures by reason, images per second, time left."""
    from gendeg.build.status import failures
    from gendeg.build.status import status as look

    if failed:
        for one in failures(folder):
            print(json.dumps(one.as_row()) if as_json else f"{one.key}: {one.failed}: {one.message}")
        return 0
    now = look(folder)
    stands, left = now.totals, now.seconds_left
    row = {
        "shards": stands.shards, "done": stands.done, "missing": stands.shards - stands.done, "planned": stands.planned,
        "written": stands.written, "failed": stands.failed, "reasons": stands.reasons, "left_out": now.left_out,
        "running": now.holder is not None, "processes": now.processes,
        "images_per_second": round(now.images_per_second, 3), "seconds_left": None if left is None else round(left),
    }  # fmt: skip
    if as_json:
        print(json.dumps(row))
        return 0
    print(f"shards   {stands.done} of {stands.shards} done, {stands.shards - stands.done} missing")
    print(f"samples  {stands.written} written, {stands.failed} failed, of {stands.planned}{_reasons(stands.reasons)}")
    if now.left_out:
        print(f"photos   {sum(now.left_out.values())} left out{_reasons(now.left_out)}")
    if now.holder is not None:
        hours = "" if left is None else f", about {left / 3600:.2f} hours left"
        who = f"process {now.holder.pid} on {now.holder.host}"
        print(f"running  {who}: {now.images_per_second:.2f} images a second from {now.processes} processes{hours}")
    return 0


def push(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="user/name on the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="Only for you, if it is new.")] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Also the pairs as Parquet, in NAME-parquet: for the hub's viewer.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be uploaded.")] = False,
) -> int:
    """Upload a finished dataset to the Hugging Face hub; after a break, the same command goes on."""
    from gendeg.build import push as hub

    if dry_run:
        planned = [hub.plan_upload(folder, name), *([hub.plan_parquet(folder, name)] if parquet else [])]
        files, size = [file for one in planned for file in one.files], sum(one.bytes for one in planned)
        print("\n".join(files))
        say(f"gendeg: {len(files)} files, {'at most ' if parquet else ''}{say_bytes(size)}; nothing was uploaded")
        return 0
    if parquet:
        hub.twin(name)  # a name that is too long is said before anything is uploaded
    print(hub.push(folder, name, private))
    if parquet:
        print(hub.push_parquet(folder, name, private))
    return 0


# Any below: the runs' own types would bring torch to `gendeg --help`.


def _report(out: Path, built: Any) -> int:
    """`built` is a `gendeg.build.build.Built`."""
    _say_left_out(out, built.left_out)
    _say_totals(out, built.totals, built.kept)
    unreadable = not set(built.left_out) <= HARMLESS
    return SOME_FAILED if built.totals.failed or unreadable else 0


def _again(folder: Path, done: Any) -> int:
    """`done` is a `gendeg.build.repair.Repaired`."""
    say(f"gendeg: shards made again: {len(done.shards)}")
    _say_totals(folder, done.totals, done.kept)
    return ERROR if done.changed else SOME_FAILED if done.totals.failed else 0


def _say_totals(out: Path, stands: Any, kept: int) -> None:
    """`kept`: of the failed samples those that no retry mends."""
    failed = f"{stands.failed} failed{_reasons(stands.reasons)}"
    say(f"gendeg: {stands.written} of {stands.planned} samples written, {failed}")
    if stands.failed:
        mend = f"; gendeg retry {out} tries again what another try may mend" if stands.failed > kept else ""
        say(f"gendeg: gendeg status {out} --failed lists them{mend}")
    if kept:
        why = (
            "the levels of a photo share their noise; --tolerance and --structure decide, in a build with another --out"
        )
        say(f"gendeg: {kept} refused samples stay so: {why}")


def _say_left_out(out: Path, reasons: Mapping[str, int]) -> None:
    photos = {reason: count for reason, count in reasons.items() if reason not in NO_PHOTO}
    others = {reason: count for reason, count in reasons.items() if reason in NO_PHOTO}
    said = [f"{what}: {sum(counts.values())}{_reasons(counts)}" for what, counts in (
        ("photos left out", photos), ("files that are none", others)) if counts]  # fmt: skip
    if said:
        say(f"gendeg: {', '.join(said)}; each is named in {out}/.gendeg/left_out.jsonl")


def _reasons(counts: Mapping[str, int]) -> str:
    return f" ({say_reasons(counts)})" if counts else ""
