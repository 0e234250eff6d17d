"""Numbers for people: bytes and seconds in the unit that fits, so that nobody reads "0.00 GB" or "0.01 hours".

And values of settings, as short as they can be told apart.
"""

import json
import re
from itertools import takewhile
from typing import Any


def say_bytes(count: float) -> str:
    """`3_500_000` → `"3.5 MB"`; decimal units, as disks are sold."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


def say_seconds(seconds: float) -> str:
    """`36.2` → `"36 seconds"`; minutes from two of them on, then hours."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


LONGEST, BEFORE = 40, 8
"""Letters of a value that are shown, and of what stands before the first that differs."""


def say_change(then: Any, now: Any) -> str:
    """` (haze,rain -> haze)`: what a setting was and is, long ones around where they begin to differ.

    Of hashes nothing, for they say nothing to anybody.
    """
    texts = [_said(then), _said(now)]
    if all(re.fullmatch("[0-9a-f]{40,}", text) for text in texts):
        return ""
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    start = max(0, alike - BEFORE)
    return f" ({' -> '.join(_around(text, start) for text in texts)})"


def _said(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return " ".join(text.split())


def _around(text: str, start: int) -> str:
    if len(text) <= LONGEST:
        return text
    return ("…" if start else "") + text[start : start + LONGEST] + ("…" if len(text) > start + LONGEST else "")
