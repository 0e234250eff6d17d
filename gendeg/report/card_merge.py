"""A card that people edit: between our marks stands what we write, all the rest is theirs and stays byte for byte."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from gendeg.primitives.files import atomic_write

HEAD_BEGIN, HEAD_END = "# gendeg:begin", "# gendeg:end"
BODY_BEGIN, BODY_END = "<!-- gendeg:begin", "<!-- gendeg:end -->"
HINT = "written by gendeg, and written anew when the data change: put your own before or after"

_HEAD = re.compile(rf"^{HEAD_BEGIN}[^\n]*\n.*?^{HEAD_END}[^\n]*\n", re.MULTILINE | re.DOTALL)
_BODY = re.compile(rf"{BODY_BEGIN}[^\n]*-->.*?{BODY_END}", re.DOTALL)
_HEAD_MARK = re.compile(rf"^(?:{HEAD_BEGIN}|{HEAD_END})[^\n]*\n", re.MULTILINE)
_BODY_MARK = re.compile(rf"{BODY_BEGIN}[^\n]*-->|{BODY_END}")
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Merged:
    """The card as it should stand. `edited`: people have written in it. `stale`: our part is not what it should be."""

    text: str
    edited: bool
    stale: bool


def head_part(yaml_lines: str) -> str:
    return f"{HEAD_BEGIN} ({HINT})\n{yaml_lines}{HEAD_END}\n"


def body_part(text: str) -> str:
    return f"{BODY_BEGIN} ({HINT}) -->\n{text}{BODY_END}"


def merge_card(standing: str, fresh: str) -> Merged:
    """What stands there with our parts as in `fresh`; the whole of `fresh` where there is nothing else, or half of it.

    A card without any of our marks is somebody's own. Where one of two marks is lost, our part takes the other's
    place, and what was between them stays: it is no longer known whose it is.
    """
    line = "\r\n" if "\r\n" in standing else "\n"
    text = standing.replace("\r\n", "\n")
    if fresh.startswith(text.rstrip()) and len(text.rstrip()) < len(fresh.rstrip()):
        return Merged(fresh, edited=False, stale=True)  # missing, or cut
    if not _HEAD_MARK.search(text) and not _BODY_MARK.search(text):
        return Merged(standing, edited=True, stale=False)
    ours, front = _part(_HEAD, fresh), _FRONT.match(text)
    if front and ours:
        head, rest = text[: front.end(1)], text[front.end(1) :]
        text = (_put(head, ours, _HEAD, _HEAD_MARK) if _HEAD_MARK.search(head) else _put_by_keys(head, ours)) + rest
    text = _put(text, _part(_BODY, fresh), _BODY, _BODY_MARK)
    whole = text.replace("\n", line)
    return Merged(whole, edited=whole != fresh, stale=whole != standing)


def write_card(path: Path, fresh: str) -> None:
    """Our parts of a card, or all of it where there is none; bytes that are no UTF-8 stay.

    Raises `OutputNotWritable`.
    """
    standing = path.read_bytes().decode("utf-8", "surrogateescape") if path.is_file() else ""
    merged = merge_card(standing, fresh)
    if merged.stale:
        atomic_write(path, merged.text.encode("utf-8", "surrogateescape"))


def _part(pattern: re.Pattern[str], fresh: str) -> str:
    """Empty where a card has none: a model's front matter is proposed once, and then people's."""
    found = pattern.search(fresh)
    return found[0] if found else ""


def _put(text: str, ours: str, whole: re.Pattern[str], mark: re.Pattern[str]) -> str:
    """Our part in the place of the one that is there, or of the mark that is left of it; nowhere without either."""
    pattern = whole if whole.search(text) else mark
    return pattern.sub(lambda _: ours, text, count=1)


def _put_by_keys(head: str, ours: str) -> str:
    """For a front matter that a program wrote again without its comments: our keys, where their values are others."""
    try:
        wanted, there = yaml.safe_load(ours), yaml.safe_load(head.removeprefix("\ufeff").removeprefix("---"))
    except yaml.YAMLError:
        return head
    if not isinstance(there, dict) or all(there.get(key) == value for key, value in wanted.items()):
        return head
    keys = "|".join(map(re.escape, wanted))
    return re.sub(rf"^(?:{keys}):[^\n]*\n(?:[ \t\-][^\n]*\n|\n)*", "", head, flags=re.MULTILINE) + ours
