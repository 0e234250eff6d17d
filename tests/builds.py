"""Small datasets for the tests of build: a toy model on the disk, photos, priors, and hashes of what came out."""

import hashlib
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tqdm import tqdm

from gendeg.build.config import BuildConfig
from gendeg.intensity.priors import Prior, save_prior
from gendeg.primitives.images import write_image
from tests.tiny import photo, tiny_pipeline

KINDS = ("haze", "rain", "snow", "motion_blur", "low_light", "raindrop", "rain+haze")


@cache
def model_folder() -> Path:
    """The toy pipeline, saved once a session."""
    folder = Path(mkdtemp(prefix="gendeg-model-"))
    tiny_pipeline().save_pretrained(folder)
    return folder


@cache
def priors_folder() -> Path:
    """Two sources of each degradation."""
    folder = Path(mkdtemp(prefix="gendeg-priors-"))
    for kind in KINDS:
        for source, weight, low in (("first", 1.0, 3), ("second", 3.0, 20)):
            counts = {(mu, sigma): 5 for mu in range(low, low + 30) for sigma in range(2, 30)}
            save_prior(Prior(kind, source, weight, counts), folder)
    return folder


def write_photos(folder: Path, count: int = 5, format: str = "png") -> Path:
    """Two sizes, so that batches differ."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_image(photo(32, 40 if number % 2 else 36, seed=number), folder / f"p{number}.{format}", format)  # type: ignore[arg-type]
    return folder


def small_build(root: Path, **changes: object) -> BuildConfig:
    """Five photos, twice haze and twice rain, shards of three; every image passes the filter unless told otherwise."""
    photos = root / "photos"
    if not photos.exists():
        write_photos(photos)
    config = BuildConfig(
        clean=(str(photos),), out=root / "out", model=str(model_folder()), priors=str(priors_folder()),
        types="haze,rain", per_image=4, shard_size=3, batch_size=2, steps=2,
        tolerance=1.0, structure=-1.0, device="cpu", workers=2,
        estimate=False, progress=False,
    )  # fmt: skip
    return replace(config, **changes)  # type: ignore[arg-type]


def tree(out: Path) -> dict[str, str]:
    """Path → hash of every file of a dataset that is the same after every run: all but logs, lock and places."""
    ours = (path for path in sorted(out.rglob("*")) if path.is_file())
    names = {path.relative_to(out).as_posix(): path for path in ours}
    skipped = (".gendeg/logs/", ".gendeg/lock.json", ".gendeg/inputs.json")
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if not name.startswith(skipped)
    }


@cache
def finished_build() -> Path:
    """The root of a build that ran without interruption; to be read or copied only."""
    from gendeg.build.build import build

    root = Path(mkdtemp(prefix="gendeg-finished-"))
    built = build(small_build(root))
    assert built is not None and built.totals.written == built.totals.planned == built.made == 20
    return root


def copy_build(target: Path) -> Path:
    """A copy of `finished_build` that may be damaged; returns `target`, its root."""
    finished = finished_build()
    for name in ("out", "photos"):
        shutil.copytree(finished / name, target / name)
    inputs = target / "out/.gendeg/inputs.json"
    inputs.write_text(inputs.read_text().replace(str(finished), str(target)))
    return target


def fork(work: Callable[[], object], **environment: str) -> int:
    """Runs `work` in a child that shares what is imported; returns its number. It exits with 0, or 1 on an error.

    A real process, to be killed for real, without the seconds that importing torch takes.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    _unlock(tqdm, threading.RLock())
    try:
        os.environ.update(environment)
        work()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _unlock(bar: type[tqdm], lock: threading.RLock) -> None:
    """tqdm's own lock is one for all forks, and stays taken when its holder is killed. Subclasses may have their own,
    as those that a hub's downloads have run under."""
    bar.set_lock(lock)
    for below in bar.__subclasses__():
        _unlock(below, lock)


def exit_code(child: int) -> int:
    """Waits for it; negative: the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fork_world(work: Callable[[], object], size: int) -> list[int]:
    """`work` in as many processes as torchrun would start, with the variables that it would set."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    told = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [fork(work, RANK=str(rank), LOCAL_RANK=str(rank), **told) for rank in range(size)]


def log_rows(out: Path) -> list[dict]:
    """Every whole line of every process's log."""
    lines = [line for path in sorted(out.glob(".gendeg/logs/*.jsonl")) for line in path.read_text().splitlines()]
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # cut by a kill
    return rows
