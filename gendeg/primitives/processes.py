"""Which process is which, across containers and restarts: the kernel's boot, the PID namespace, number and start."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class ProcessId:
    """Numbers are used again, and again in every container; host names are whatever somebody calls a container."""

    host: str
    pid: int
    started: float  # ticks since the kernel's boot on Linux, elsewhere seconds of the clock
    boot: str  # of the kernel, the same in all its containers; "" where the system does not tell
    namespace: int  # in which the number counts; 0 where the system has none


def this_process() -> ProcessId:
    here = os.getpid()
    return ProcessId(socket.gethostname(), here, start_of(here) or 0.0, _boot(), _namespace())


def same_kernel(one: ProcessId, other: ProcessId) -> bool:
    """Where no boot is told, the host's name has to do."""
    return one.boot == other.boot and (one.boot != "" or one.host == other.host)


def is_running(process: ProcessId, here: ProcessId) -> bool | None:
    """None where it cannot be seen from here: another kernel, another namespace, or hidden by the system."""
    if not same_kernel(process, here) or process.namespace != here.namespace:
        return None
    began = start_of(process.pid)
    if began is not None:
        return abs(began - process.started) < 2.0
    hidden = not _stat(process.pid) and _takes_signals(process.pid)
    return None if hidden else False


def start_of(pid: int) -> float | None:
    """When a living process began; None for a dead one, also while its parent has not taken note (a zombie)."""
    if Path("/proc/self/stat").exists():
        fields = _stat(pid)
        return None if not fields or fields[0] in ("Z", "X") else float(fields[19])
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def _stat(pid: int) -> list[str]:
    """Linux: the fields behind the name, which may hold anything; the clock may be set, ticks since boot are not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _takes_signals(pid: int) -> bool:
    """/proc can be mounted so that other users' processes are not seen there: a signal finds them all the same."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _namespace() -> int:
    with suppress(OSError):
        return os.stat("/proc/self/ns/pid").st_ino
    return 0
