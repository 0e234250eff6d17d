"""One process holds a folder at a time: a lock file that names host, process and start; a stale one is recognised.

What is promised. On one machine, its containers too, a living build is never taken over and a dead one is recognised at
once: the kernel knows both. From another host, or where the disk lacks file locks from another container, a holder is
known by the sign of life that it gives every `BEAT` seconds: one that stood still for longer than `DEAD_AFTER` may be
taken over while it lives. Both then make the same bytes (unless the second planned anew, before any was made), under
temporary names of their own, and the one that comes second to a name replaces it by its equal; no file is ever the work
of two.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO

from gendeg.primitives.disk import hard_link, is_flocked, take_flock
from gendeg.primitives.errors import FolderInUse, OutputNotWritable
from gendeg.primitives.files import ensure_writable, temporary_beside
from gendeg.primitives.folders import LOCK, SIDE
from gendeg.primitives.processes import ProcessId, is_running, same_kernel, this_process

BEAT = 20.0  # seconds between two touches of the file
DEAD_AFTER = 300.0  # seconds without one, after which a holder that cannot be seen counts as gone
NAMESAKE = 60.0  # the same for one of this host's name: nearly always this machine, before it was started again
TORN = 5.0  # seconds that a lock file without content may still be under the pen


@dataclass(frozen=True)
class Holder(ProcessId):
    """Who holds it, and how that can be known. Fields behind `token` are missing in files of earlier versions."""

    token: str = ""
    device: int = 0  # of the disk, as its kernel numbers it
    flocked: bool = False


class FolderLock:
    """Within `with`: this process holds the folder. Raises `FolderInUse` when another, living one does."""

    def __init__(self, path: Path, folder: Path):
        self.path, self.folder = path, folder
        self.token = os.urandom(8).hex()
        self._file: IO[bytes] | None = None
        self._stop = threading.Event()

    def __enter__(self) -> "FolderLock":
        ensure_writable(self.path.parent)
        waited_until = time.monotonic() + TORN
        while not self._take():
            holder = read_holder(self.path)
            if holder is None and self.path.exists() and time.monotonic() < waited_until:
                time.sleep(TORN / 50)  # another process may be writing it at this moment
                continue
            if holder is not None and is_alive(holder, self.path, self._disk_time()):
                raise FolderInUse(self.folder, holder.host, holder.pid)
            self._clear(holder)
        threading.Thread(target=self._beat, args=(self._file,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        holder = read_holder(self.path)
        if holder is not None and holder.token == self.token:
            with suppress(OSError):
                self.path.unlink()
        self._drop()

    def _take(self) -> bool:
        """Whole or not at all where the disk has hard links: locked and written under another name, then linked to its
        own, which fails if it exists. Elsewhere the file is made under its own name, which fails just so."""
        draft = temporary_beside(self.path)
        try:
            self._write(draft)
            if hard_link(draft, self.path):
                return True
            self._drop()
            self._write(self.path)
            return True
        except FileExistsError:
            self._drop()
            return False
        except FileNotFoundError:  # its holder took the folder along when it left
            self._drop()
            ensure_writable(self.path.parent)
            return False
        except OSError as error:
            self._drop()
            raise OutputNotWritable(self.path, error.strerror or str(error)) from error
        finally:
            with suppress(OSError):
                draft.unlink()

    def _write(self, path: Path) -> None:
        """Raises `FileExistsError`."""
        self._file = open(path, "x+b")  # noqa: SIM115 (held for as long as the lock)
        try:
            flocked = take_flock(self._file)
            me = Holder(**asdict(this_process()), token=self.token, device=_device(path), flocked=flocked)
            self._file.write((json.dumps(asdict(me)) + "\n").encode())
            self._file.flush()
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def _drop(self) -> None:
        """Lets go of the open file, and so of the kernel's lock."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _clear(self, stale: Holder | None) -> None:
        """Moves the stale file away, then looks whether it was that one: two processes may have the same thought."""
        aside = temporary_beside(self.path)
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        if read_holder(aside) != stale:
            with suppress(OSError):
                if not hard_link(aside, self.path) and not self.path.exists():
                    os.rename(aside, self.path)
        aside.unlink(missing_ok=True)

    def _disk_time(self) -> float:
        """By the disk's own clock, which set the times of the lock file too: hosts may differ."""
        probe = temporary_beside(self.path)
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:
            return time.time()
        finally:
            with suppress(OSError):
                probe.unlink()

    def _beat(self, file: IO[bytes]) -> None:
        """The open file, not the name: that may be another holder's by now."""
        while not self._stop.wait(BEAT):
            with suppress(OSError, ValueError):
                os.utime(file.fileno() if os.utime in os.supports_fd else self.path)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within `with`: no other process of ours writes into the folder, which is made. Raises as `FolderLock`."""
    ours = False
    try:
        with FolderLock(folder / SIDE / LOCK, folder):
            ours = True
            yield
    finally:
        if ours:
            with suppress(OSError):  # it holds something else too
                (folder / SIDE).rmdir()


def read_holder(path: Path) -> Holder | None:
    """None when there is no lock, or a file that is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name: told[field.name] for field in fields(Holder) if field.name in told}
        holder = Holder(**{"boot": "", "namespace": 0} | known)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        return None
    whole = isinstance(holder.pid, int) and isinstance(holder.started, int | float) and isinstance(holder.host, str)
    return holder if whole else None


def is_alive(holder: Holder, path: Path, now: float | None = None) -> bool:
    """Does that process still run, as far as it can be seen from here? Where it cannot: is its file locked, or touched
    lately? `now` is the disk's time, else this host's."""
    here = this_process()
    running = is_running(holder, here)
    if running is not None:
        return running
    if holder.flocked and is_flocked(path):
        return True
    if holder.flocked and same_kernel(holder, here) and holder.device == _device(path):
        return False  # the kernel would know
    patience = NAMESAKE if holder.host == here.host and not same_kernel(holder, here) else DEAD_AFTER
    with suppress(OSError):
        return (time.time() if now is None else now) - path.stat().st_mtime < patience
    return False


def _device(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_dev
    return 0
