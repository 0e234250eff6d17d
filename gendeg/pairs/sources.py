"""Where the halves of existing pairs lie: patterns over paths, and the published datasets known by them."""

import os
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gendeg.pairs.split import SPLIT_WORDS, SPLITS
from gendeg.primitives.errors import BadManifest, BadOption, GendegError, UnknownSource
from gendeg.primitives.files import IMAGE_EXTENSIONS, data_root
from gendeg.primitives.kinds import parse_mix

FREE = ("id", "dir")
"""Fields that may hold underscores; `{beta}` and all others end at one."""


class Layout(NamedTuple):
    """Paths below any folder, without extension. Both are patterns over `{fields}`; a clean path names no new one."""

    split: str  # train, validation, test, a field in braces, or "": not known
    degraded: str
    clean: str
    degradation: str = ""  # where it is not the source's


class Lonely(NamedTuple):
    """A half without the other; `lacks` is clean or degraded."""

    path: Path
    lacks: str


class Couple(NamedTuple):
    """The two halves of a pair as files; `split` is "" where the layout does not tell."""

    clean: Path
    degraded: Path
    split: str
    degradation: str


@dataclass(frozen=True)
class Source:
    """A published dataset of pairs: how its folders look, and what one should know before using it."""

    name: str
    degradation: str
    layouts: tuple[Layout, ...]
    homepage: str = ""
    licence: str = "not stated"
    weight: float = 1.0  # of its priors, as GenDeg draws them
    published: Mapping[str, tuple[float, float, int]] = field(default_factory=dict)
    """Degradation, as its authors file it, → mean mu, mean sigma and pairs that they publish, to compare with."""


def load_sources() -> dict[str, Source]:
    """The known ones by the name of their file in manifests/sources."""
    return {path.stem: load_source(path) for path in sorted((data_root("manifests") / "sources").glob("*.toml"))}


def load_source(path: Path) -> Source:
    """Raises `BadManifest` for a file that does not describe a source."""
    try:
        row = tomllib.loads(path.read_text(encoding="utf-8"))
        layouts = tuple(Layout(*layout) for layout in row.pop("layouts"))
        published = {
            kind: (float(mu), float(sigma), int(n)) for kind, (mu, sigma, n) in row.pop("published", {}).items()
        }
        source = Source(layouts=layouts, published=published, **row)
        parse_mix(source.degradation)
        for layout in layouts:
            _compiled(layout)
    except (KeyError, TypeError, ValueError, GendegError) as error:
        raise BadManifest(path, 0, f"no description of a source ({error})") from error
    return source


def licence_of(name: str) -> tuple[str, str]:
    """(licence, homepage) of pairs by the name of their source, as records say it."""
    for stem, source in load_sources().items():
        if name in (stem, source.name):
            return source.licence, source.homepage
    return "not known to gendeg: ask whoever you have the pairs from", ""


def find_source(name: str) -> Source:
    """By file name or name, whatever the case and punctuation. Raises `UnknownSource`."""
    sources = load_sources()
    for stem, source in sources.items():
        if _plain(name) in (_plain(stem), _plain(source.name)):
            return source
    raise UnknownSource(name, list(sources))


def find_couples(root: Path, layouts: Sequence[Layout]) -> tuple[list[Couple], list[Lonely]]:
    """Every pair below `root` in the order of the degraded paths, and the files whose other half is missing.

    The first layout that fits a path, and whose clean half is there, counts.
    """
    files = _image_files(root)
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in files:
        by_stem[_stem(name)].append(name)
    compiled = [(layout, _compiled(layout)) for layout in layouts]
    couples, lonely, seen = [], [], set()
    for name in files:
        fitting = [(layout, match.groupdict()) for layout, pattern in compiled
                   if (match := pattern.fullmatch(_stem(name)))]  # fmt: skip
        there = ((layout, fields) for layout, fields in fitting if _clean_stem(layout, fields) in by_stem)
        layout, fields = next(there, (None, {}))
        if fitting:
            seen.add(_stem(name))
        if layout is not None:
            seen.add(_clean_stem(layout, fields))
            choices = by_stem[_clean_stem(layout, fields)]
            same = [choice for choice in choices if os.path.splitext(choice)[1] == os.path.splitext(name)[1]]
            couples.append(Couple(root / (same or choices)[0], root / name, _split(layout, fields), layout.degradation))
        elif fitting:
            lonely.append(Lonely(root / name, "clean"))
    unused = (name for name in files if _stem(name) not in seen and _is_clean(_stem(name), layouts))
    return couples, [*lonely, *(Lonely(root / name, "degraded") for name in unused)]


def parallel_layout(degraded: str, clean: str) -> Layout:
    """A layout from a user's two patterns. Raises `BadOption` for patterns that cannot be matched."""
    layout = Layout("", os.path.splitext(degraded)[0] if _has_extension(degraded) else degraded,
                    os.path.splitext(clean)[0] if _has_extension(clean) else clean)  # fmt: skip
    try:
        _compiled(layout)
    except ValueError as error:
        raise BadOption("--degraded", str(error)) from error
    return layout


# --- patterns ---


def _compiled(layout: Layout) -> re.Pattern[str]:
    """Raises `ValueError` for braces that do not close, and for a clean path with a field of its own."""
    text, seen = _as_regex(layout.degraded)
    wanted = {name for part in (layout.clean, layout.split) for _, name in _pieces(part) if name}
    if not seen or wanted - seen:
        what = f"{{{min(wanted - seen)}}} is not" if wanted - seen else "no {id} is"
        raise ValueError(f"'{layout.degraded}' and '{layout.clean}' cannot be matched: {what} in the degraded pattern")
    if layout.split not in ("", *SPLITS) and not layout.split.startswith("{"):
        raise ValueError(f"'{layout.split}' is no split")
    return re.compile(text)


def _as_regex(pattern: str) -> tuple[str, set[str]]:
    """For paths without extension below any folder, and the names of the pattern's fields."""
    text, seen = r"(?P<root_>(?:.*/)?)", set()
    for literal, name in _pieces(pattern):
        text += re.escape(literal)
        if name:
            text += f"(?P={name})" if name in seen else f"(?P<{name}>{'[^/]+' if name in FREE else '[^/_]+'})"
            seen.add(name)
    return text, seen


def _is_clean(stem: str, layouts: Sequence[Layout]) -> bool:
    """Whether it lies where a layout has its clean halves."""
    return any(re.fullmatch(_as_regex(layout.clean)[0], stem) for layout in layouts)


def _pieces(pattern: str) -> Iterator[tuple[str, str]]:
    """`"a/{id}_b"` → ("a/", "id"), ("_b", "")."""
    at = 0
    for match in re.finditer(r"\{([a-z]+)\}", pattern):
        yield pattern[at : match.start()], match[1]
        at = match.end()
    if set("{}") & set(pattern[at:]):
        raise ValueError(f"'{pattern}' has a brace that does not belong to a {{field}}")
    yield pattern[at:], ""


def _clean_stem(layout: Layout, fields: dict[str, str]) -> str:
    return fields["root_"] + "".join(literal + fields.get(name, "") for literal, name in _pieces(layout.clean))


def _split(layout: Layout, fields: dict[str, str]) -> str:
    if layout.split.startswith("{"):
        return SPLIT_WORDS.get(fields[layout.split.strip("{}")].lower(), "")
    return layout.split


def _image_files(root: Path) -> list[str]:
    """Paths below `root` with '/' between folders, in byte order; hidden files and folders are left out.

    Links are followed, but not to a folder that one is in already.
    """
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not _leads_back(root, folder, name)
        )
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        found += [name if below == "." else f"{below}/{name}" for name in names
                  if name.lower().endswith(IMAGE_EXTENSIONS) and not name.startswith(".")]  # fmt: skip
    return sorted(found, key=os.fsencode)


def _leads_back(root: Path, folder: str, name: str) -> bool:
    """Whether a folder's entry is a link to one of those that led here, or to one above them."""
    if not os.path.islink(entry := os.path.join(folder, name)):
        return False
    target, here = os.path.join(os.path.realpath(entry), ""), Path(folder)
    return any(
        os.path.join(os.path.realpath(one), "").startswith(target)
        for one in (here, *here.parents)
        if one == root or root in one.parents
    )


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _has_extension(pattern: str) -> bool:
    return pattern.lower().endswith(IMAGE_EXTENSIONS)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
