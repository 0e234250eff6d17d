"""The machine and what is installed: Python, memory, disks, packages, caches, switches. Python's own modules only."""

import importlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from gendeg.doctor.finding import Finding, homely
from gendeg.primitives.disk import free_bytes
from gendeg.primitives.files import packed_constraints
from gendeg.primitives.quantities import say_bytes

OLDEST, LIKED_MEMORY, LIKED_DISK = (3, 11), 2e9, 2e9
"""Python that is needed; bytes below which a word is said."""
SHOWN = 6
HUB_SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
OTHER_SWITCHES = (
    "GENDEG_DEBUG", "GENDEG_QUIET", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTHONPATH",
    "PYTORCH_ENABLE_MPS_FALLBACK",
)  # fmt: skip
TRUE = ("1", "true", "yes", "on")
NUMBERS = re.compile(r"\d+")


def look_at_machine() -> Iterator[Finding]:
    """One finding a thing. Raises nothing that a machine can be guilty of."""
    for look in (_python, _memory, _disks, _packages, _caches, _switches):
        try:
            yield look()
        except Exception as error:  # whatever else is broken: the rest is looked at all the same
            yield Finding(look.__name__[1:], "note", f"cannot be told ({type(error).__name__}: {error})")


def _python() -> Finding:
    version, system = platform.python_version(), platform.platform()
    facts = {"python": version, "system": system, "executable": homely(sys.executable), "cores": os.cpu_count()}
    said = f"{version} on {system}, {os.cpu_count()} cores"
    if sys.version_info < OLDEST:
        return Finding("python", "off", said, "Python 3.11 or newer is needed", facts)
    if not _utf8():
        return Finding("python", "note", f"{said}; file names are not UTF-8", "set LANG=C.UTF-8", facts)
    return Finding("python", "ok", said, facts=facts)


def _utf8() -> bool:
    return sys.getfilesystemencoding().lower().replace("-", "") == "utf8"


def _memory() -> Finding:
    try:
        memory = importlib.import_module("psutil").virtual_memory()
    except ImportError as error:
        return Finding("memory", "note", f"cannot be told ({error})", "pip install psutil")
    facts = {"free": memory.available, "all": memory.total}
    said = f"{say_bytes(memory.available)} of {say_bytes(memory.total)} free"
    if memory.available < LIKED_MEMORY:
        return Finding(
            "memory", "note", said, "close other programs, or ask for a smaller --size and --batch-size", facts
        )
    return Finding("memory", "ok", said, facts=facts)


def _disks() -> Finding:
    """Room where outputs, downloads and temporary files go by default."""
    places = {"here": Path.cwd(), "caches": hub_home(), "temporary files": Path(tempfile.gettempdir())}
    free = {name: free_bytes(_nearest(place)) for name, place in places.items()}
    said = ", ".join(f"{name} {'?' if room is None else say_bytes(room)}" for name, room in free.items()) + " free"
    short = [name for name, room in free.items() if room is not None and room < LIKED_DISK]
    advice = f"make room ({', '.join(short)}), or name another --out, HF_HOME or TMPDIR" if short else ""
    return Finding("disk", "note" if short else "ok", said, advice, {"free": free})


def _nearest(place: Path) -> Path:
    """The folder, or the lowest one above it that is there."""
    return next((one for one in (place, *place.parents) if one.exists()), Path("/"))


# --- packages ---


def _packages() -> Finding:
    """What gendeg itself declares, against its lower bounds and against the versions that it was tested with."""
    tested, wanted = tested_versions(), declared()
    have = {name: version_of(name) for name in wanted}
    missing = [name for name, version in have.items() if version is None]
    old = [name for name, least in wanted.items() if (version := have[name]) and _order(version) < _order(least)]
    other = {
        name: f"{name} {version} ({tested[name]})"
        for name, version in have.items()
        if version and name not in old and name in tested and version.partition("+")[0] != tested[name]
    }
    facts = {"installed": have, "tested": {name: tested[name] for name in have if name in tested}}
    if missing or old:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        wrong = [f"missing: {', '.join(missing[:SHOWN])}{more}"] if missing else []
        wrong += [f"{name} {have[name]} is too old" for name in old]
        return Finding("packages", "off", "; ".join(wrong), f"{_pip(tested)} {' '.join(missing + old)}", facts)
    if not tested:
        return Finding("packages", "note", f"{len(have)}, tested versions unknown", "install gendeg again", facts)
    if other:
        more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        said = f"{len(have) - len(other)} of {len(have)} as tested, not: {', '.join([*other.values()][:SHOWN])}{more}"
        advice = f"usually no matter; the tested ones: {_pip(tested)} {' '.join(other)}"
        return Finding("packages", "note", said, advice, facts)
    return Finding("packages", "ok", f"all {len(have)} at the versions that were tested", facts=facts)


def _pip(tested: dict[str, str]) -> str:
    limits = packed_constraints() if tested else None
    return f"{homely(sys.executable)} -m pip install" + (f" -c {homely(limits)}" if limits else "")


def declared() -> dict[str, str]:
    """Package → its lowest version, of what gendeg needs without extras. Empty where it is not installed."""
    try:
        lines = metadata.requires("gendeg") or []
    except metadata.PackageNotFoundError:
        return {}  # a checkout on the path
    needed = (re.fullmatch(r"([\w.-]+)\s*(?:>=\s*([\w.]+))?", line.strip()) for line in lines if ";" not in line)
    return {_plain(found[1]): found[2] or "0" for found in needed if found}


def tested_versions() -> dict[str, str]:
    """Package → version, as the file that came along pins them; empty without it."""
    path = packed_constraints()
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_plain(name): version.strip() for name, version in pairs}


def version_of(package: str) -> str | None:
    """None: it is not there, or what pip knows of it is damaged."""
    with suppress(Exception):
        return str(metadata.version(package))
    return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _order(version: str) -> list[int]:
    return [int(number) for number in NUMBERS.findall(version.partition("+")[0])]


# --- caches and switches ---


def hub_home() -> Path:
    """As huggingface_hub chooses it."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{cache}/huggingface").expanduser()


def _caches() -> Finding:
    own = Path("~/.cache/gendeg").expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE") or hub_home() / "hub").expanduser()
    places = {"hub": hub, "captions": own}
    wrong = {name: reason for name, place in places.items() if (reason := _unusable(place))}
    said = ", ".join(f"{homely(place)}{'' if place.exists() else ' (not there yet)'}" for place in places.values())
    facts = {"folders": {name: homely(place) for name, place in places.items()}, "wrong": wrong}
    if wrong:
        said = ", ".join(f"{homely(places[name])}: {reason}" for name, reason in wrong.items())
        advice = (
            "mend its permissions, or name another: HF_HOME=/a/folder (hub), --cache (captions); needed for these only"
        )
        return Finding("caches", "note", said, advice, facts)
    return Finding("caches", "ok", said, facts=facts)


def _unusable(place: Path) -> str:
    """Why nothing can be kept there; "" where it can, or where the folder can be made."""
    try:
        nearest = _nearest(place)
        if not nearest.is_dir():
            return "a file is in the way"
        if nearest == place:
            os.listdir(place)
        if not os.access(nearest, os.W_OK | os.X_OK):
            return "cannot be written" if nearest == place else "is not there and cannot be made"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _switches() -> Finding:
    """What the environment says that changes what gendeg does; nothing secret is among it."""
    there = {name: os.environ[name] for name in (*HUB_SWITCHES, *OTHER_SWITCHES) if os.environ.get(name)}
    said = " ".join(f"{name}={homely(value)}" for name, value in there.items()) or "none set"
    offline = [name for name in HUB_SWITCHES if there.get(name, "").lower() in TRUE]
    if offline:
        advice = f"models and datasets of the hub come from the cache only; to download: unset {' '.join(offline)}"
        return Finding("switches", "note", said, advice, there)
    return Finding("switches", "ok", said, facts=there)
