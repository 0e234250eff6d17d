"""Captions of clean photos: what a captioner says made plain, and a cache on disk that survives interruption."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gendeg.primitives.errors import CannotRead, OutputNotWritable
from gendeg.primitives.files import append_jsonl, ensure_writable, json_line, sha256_bytes


def plain_caption(said: str, openings: Iterable[str]) -> str:
    """`"A photo of a dog.\\n"` → `"a dog"`: the first line, without the first of `openings` that fits; "" for no words.

    The degradation's phrase follows after a comma, so no full stop stands at the end.
    """
    line = next((line for line in said.splitlines() if line.strip()), "")
    caption = " ".join(line.split()).strip(" \"'.,;:")
    for opening in openings:
        if re.match(re.escape(opening) + r"\b", caption, re.IGNORECASE):
            caption = caption[len(opening) :].strip(" \"'.,;:")
            break
    return caption if re.search(r"\w", caption) else ""


# --- the cache: one file per captioner, a line per photo ---


def default_cache() -> Path:
    """`~/.cache/gendeg/captions`, or below XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gendeg" / "captions"


def cache_file(folder: Path, captioner: Mapping[str, object]) -> Path:
    """The file of this captioner: `captioner` holds everything that decides its words."""
    return folder / f"{sha256_bytes(json_line(captioner).encode())[:24]}.jsonl"


def open_cache(path: Path) -> dict[str, str]:
    """SHA-256 of a photo's bytes → its caption. A line that an interruption cut is skipped and closed.

    Raises `OutputNotWritable` for a place that captions cannot be kept in, `CannotRead`.
    """
    ensure_writable(path.parent)
    try:
        data = path.read_bytes() if path.exists() else b""
        if data and not data.endswith(b"\n"):
            with open(path, "ab") as stream:
                stream.write(b"\n")
    except PermissionError as error:
        raise OutputNotWritable(path, error.strerror or str(error)) from error
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    return dict(found for line in data.split(b"\n") if (found := _entry(line)))


def keep_captions(path: Path, captions: Mapping[str, str]) -> None:
    """Add a batch. Raises `OutputNotWritable`."""
    append_jsonl(path, ({"sha256": sha256, "caption": caption} for sha256, caption in captions.items()))


def _entry(line: bytes) -> tuple[str, str] | None:
    try:
        row = json.loads(line)
        return (row["sha256"], row["caption"]) if isinstance(row["sha256"] + row["caption"], str) else None
    except (ValueError, KeyError, TypeError):
        return None
