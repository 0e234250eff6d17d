"""One build holds a folder at a time: a lock file that names host, process and start; a stale one is recognised."""

import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import psutil

from gendeg.primitives.errors import FolderInUse, OutputNotWritable
from gendeg.primitives.files import ensure_writable

BEAT = 20.0  # seconds between two touches of the file
DEAD_AFTER = 300.0  # seconds without one, after which a holder on another host counts as gone


@dataclass(frozen=True)
class Holder:
    """Who holds it. A process is known by host, number and start, for numbers are used again."""

    host: str
    pid: int
    started: float
    token: str


class FolderLock:
    """Within `with`: this process holds the dataset. Raises `FolderInUse` when another, living one does."""

    def __init__(self, path: Path, folder: Path):
        self.path, self.folder = path, folder
        started = psutil.Process().create_time()
        self.me = Holder(socket.gethostname(), os.getpid(), started, secrets.token_hex(8))
        self._stop = threading.Event()

    def __enter__(self) -> "FolderLock":
        ensure_writable(self.path.parent)
        while not self._take():
            holder = read_holder(self.path)
            if holder is not None and is_alive(holder, self.path):
                raise FolderInUse(self.folder, holder.host, holder.pid)
            self._clear(holder)
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        holder = read_holder(self.path)
        if holder is not None and holder.token == self.me.token:
            with suppress(OSError):
                self.path.unlink()

    def _take(self) -> bool:
        """Whole or not at all: written under another name, then linked to its own, which fails if it exists."""
        draft = self.path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            draft.write_text(json.dumps(asdict(self.me)) + "\n")
            os.link(draft, self.path)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            raise OutputNotWritable(self.path, error.strerror or str(error)) from error
        finally:
            with suppress(OSError):
                draft.unlink()

    def _clear(self, stale: Holder | None) -> None:
        """Moves the stale file away, then looks whether it was that one: two processes may have the same thought."""
        aside = self.path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        if read_holder(aside) != stale:
            with suppress(OSError):
                os.link(aside, self.path)
        aside.unlink()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            with suppress(OSError):
                os.utime(self.path)


def read_holder(path: Path) -> Holder | None:
    """None when there is no lock, or a file that is none."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_alive(holder: Holder, path: Path) -> bool:
    """On this host: does that process still run? On another one: did it touch the file lately?"""
    if holder.host != socket.gethostname():
        with suppress(OSError):
            return time.time() - path.stat().st_mtime < DEAD_AFTER
        return False
    try:
        process = psutil.Process(holder.pid)
        same = abs(process.create_time() - holder.started) < 2.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
