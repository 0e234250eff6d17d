"""What some disks lack (exFAT, CIFS, gcsfuse, Lustre): done without, and said once with what is promised then."""

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from gendeg.primitives.parallel import world
from gendeg.primitives.streams import say

LACKING = {
    errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY,
    errno.EBADF, errno.EISDIR, errno.EMLINK, errno.EXDEV, errno.ENOLCK,
}  # fmt: skip
"""How file systems say that they have no such thing. A full or broken disk (ENOSPC, EDQUOT, EIO) says it otherwise."""

NO_FSYNC = "after a power cut the last files may be torn: gendeg verify finds them, gendeg repair mends them"
NO_LINKS = "the lock is made by exclusive creation; do not start two builds there from two hosts in the same moment"
NO_FLOCK = "builds in other containers or on other hosts are known by the sign of life that they give every 20 s"
NO_MODES = "weights keep the permissions that the disk gives"

_said: set[str] = set()


def do_without(what: str, promise: str, do: Callable[[], object]) -> bool:
    """Whether `do()` went well; False where the disk has no such thing, which is said once. Raises other `OSError`s."""
    try:
        do()
    except OSError as error:
        if error.errno not in LACKING:
            raise
        if what not in _said and world().rank == 0:
            say(f"gendeg: this disk has no {what} ({error.strerror}); {promise}")
        _said.add(what)
        return False
    return True


def fsync_file(stream: IO[bytes]) -> None:
    """Flushes a file and makes it survive a power cut, where the disk can."""
    stream.flush()
    do_without("fsync", NO_FSYNC, lambda: os.fsync(stream.fileno()))


def fsync_folder(folder: Path) -> None:
    """Makes a rename in this folder survive a power cut, where the disk can: the name itself is data of the folder."""

    def flush() -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    do_without("fsync of folders", NO_FSYNC, flush)


def hard_link(source: Path, target: Path) -> bool:
    """False where the disk has no hard links. Raises `FileExistsError` when the target is there."""
    return do_without("hard links", NO_LINKS, lambda: os.link(source, target))


def take_flock(stream: IO[bytes]) -> bool:
    """This process holds the file until it closes it or dies: the kernel sees to that. False where there is no flock.

    For a file that nobody else can have locked yet.
    """
    return do_without("file locks", NO_FLOCK, lambda: _flock(stream, exclusive=True))


def is_flocked(path: Path) -> bool:
    """Whether a living process holds this file by `take_flock`, wherever the disk passes locks on."""
    with suppress(OSError), open(path, "rb") as stream:
        try:
            _flock(stream, exclusive=False)  # shared: two that look do not see each other
        except (BlockingIOError, PermissionError):
            return True
    return False


def _flock(stream: IO[bytes], exclusive: bool) -> None:
    """Raises `OSError`; ENOSYS on a system without."""
    try:
        import fcntl
    except ImportError as error:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    fcntl.flock(stream.fileno(), (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)


def free_bytes(folder: Path) -> int | None:
    """What can still be written there; None where the disk does not say (object stores tell a size of 0)."""
    with suppress(OSError):
        usage = shutil.disk_usage(folder)
        return usage.free if usage.total else None
    return None
