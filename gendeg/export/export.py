"""gendeg export: pairs, wherever they lie → the folders, lists and settings that a framework's loader wants."""

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from gendeg.export.config import ExportConfig
from gendeg.export.databases import write_databases
from gendeg.export.layouts import JPG, LAYOUTS, PNG, Placed
from gendeg.pairs.pair import Pair, open_pairs
from gendeg.pairs.photo import Photo
from gendeg.primitives.errors import BadImage, BadOption, SizesDiffer
from gendeg.primitives.files import atomic_write, ensure_writable, sha256_lines, write_json
from gendeg.primitives.folders import claim
from gendeg.primitives.images import encode_image, image_size, read_header, read_rgb
from gendeg.primitives.kinds import mix_name, parse_mixes
from gendeg.primitives.once import CONFIG, describe, same_run
from gendeg.primitives.parallel import in_order
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure

Decoded = TypeVar("Decoded")
INDEX, META = "index.csv", "meta_info.txt"
FREE = {"places", "out", "workers", "progress"}  # the places are in the pairs


@dataclass(frozen=True)
class Exported:
    """How many pairs lie there now, the shortest side among them in pixels, what is left out by reason, what failed."""

    pairs: int
    shortest: int
    left_out: Mapping[str, int]
    failed: Sequence[Failure]


class Half(NamedTuple):
    """One image as a loader gets it. `file` holds exactly these bytes, where there is one."""

    data: bytes
    file: Path | None


class Both(NamedTuple):
    """A pair's halves, of one size in pixels and one ending."""

    clean: Half
    degraded: Half
    ending: str
    width: int
    height: int


class Written(NamedTuple):
    """A pair that lies there, with the ending of both halves."""

    placed: Placed
    ending: str
    width: int
    height: int

    @property
    def name(self) -> str:
        """Of its degraded half."""
        return os.path.basename(self.placed.degraded) + self.ending


def export(config: ExportConfig) -> Exported:
    """Write what `--to` asks for. Halves that a loader can take as they are keep their bytes; others become PNG.

    The same command goes on where it was stopped. Raises `BadOption` for what does not go together, and where nothing
    has a place, `ForeignFolder`, `DifferentRun`, and what `open_pairs` raises.
    """
    layout, out = LAYOUTS[config.to], Path(os.path.abspath(config.out))
    _check(config, layout.forbidden, out)
    arranged = layout.arrange(_pairs(config))
    if not arranged.placed:
        raise BadOption("--to", f"{config.to} takes none of these pairs: {'; '.join([*arranged.left_out][:2])}")
    claim(out, "export")
    described = describe(config) | {"pairs": _digest(one.pair for one in arranged.placed)}
    if not same_run(out, described, FREE):
        write_json(out / CONFIG, described)
    done = _databases(config, out, arranged.placed) if config.lmdb else _files(config, out, arranged.placed)
    left_out = Counter(arranged.left_out)
    torn = {one.group for one, result in zip(arranged.placed, done, strict=True) if isinstance(result, Failure)} - {""}
    written = []
    for result in done:
        if isinstance(result, Written) and result.placed.group in torn:
            _take_back(out, result)
            left_out["another pair of their photo could not be read"] += 1
        elif isinstance(result, Written):
            written.append(result)
    _write_texts(config, out, written)
    shortest = min((min(one.width, one.height) for one in written), default=0)
    return Exported(len(written), shortest, left_out, [one for one in done if isinstance(one, Failure)])


def _check(config: ExportConfig, forbidden: Iterable[str], out: Path) -> None:
    if config.lmdb and config.to != "basicsr":
        raise BadOption("--lmdb", "is what loaders of BasicSR's family read: --to basicsr")
    if config.lmdb and config.link:
        raise BadOption("--link", "is for files, and --lmdb writes none")
    for word in forbidden:
        if word in str(out):
            raise BadOption("--out", f"'{word}' may not be in {out}: the loader of {config.to} cuts paths there")


def _pairs(config: ExportConfig) -> list[Pair]:
    pairs = open_pairs(config.places, None if config.split == "all" else config.split)
    wanted = {mix_name(mix) for mix in parse_mixes(config.types)} if config.types else None
    once = {pair.name: pair for pair in pairs}  # a place may be given twice
    return [pair for pair in once.values() if wanted is None or pair.degradation in wanted]


def _digest(pairs: Iterable[Pair]) -> str:
    """Changes when a pair does, or their order, after which they are numbered."""
    return sha256_lines(f"{pair.name} {pair.clean.stamp()} {pair.degraded.stamp()}" for pair in pairs)


def _read(one: Placed) -> Both | Failure:
    """The halves as they go out: PNG, or JPEG where both are and the loader takes it."""
    photos = one.pair.clean, one.pair.degraded
    try:
        read = [photo.bytes() for photo in photos]
        heads = [_decoded(read_header, photo, data) for photo, data in zip(photos, read, strict=True)]
        size, other = ((head.width, head.height) for head in heads)
        if size != other:
            raise SizesDiffer(one.pair.degraded.name, size, other)
        plain = "jpg" if not one.png and all(head.plain == "jpg" for head in heads) else "png"
        clean, degraded = (
            _half(photo, data, head.plain == plain, bool(one.pair.key))
            for photo, data, head in zip(photos, read, heads, strict=True)
        )  # fmt: skip
    except (BadImage, SizesDiffer) as error:
        return Failure.of(error, one.pair.clean.name, key=one.pair.key, degradation=one.pair.degradation)
    return Both(clean, degraded, JPG if plain == "jpg" else PNG, *size)


def _half(photo: Photo, data: bytes, plain: bool, checked: bool) -> Half:
    """`plain`: as it is, once it is known to decode; a dataset's samples (`checked`) were made by us."""
    if plain and checked:
        return Half(data, photo.file if photo.is_file else None)
    image = _decoded(read_rgb, photo, data)
    return Half(data, photo.file if photo.is_file else None) if plain else Half(encode_image(image, "png"), None)


def _decoded(decode: Callable[[bytes], Decoded], photo: Photo, data: bytes) -> Decoded:
    """Raises `BadImage` by the photo's name."""
    try:
        return decode(data)
    except BadImage as error:
        raise error.named(photo.name) from error


# --- as files ---


def _files(config: ExportConfig, out: Path, placed: Sequence[Placed]) -> list[Written | Failure]:
    for folder in sorted({os.path.dirname(half) for one in placed for half in (one.clean, one.degraded)}):
        ensure_writable(out / folder)
    carried = in_order(partial(_carry, out, config.link), placed, config.workers)
    return list(track(carried, "export", total=len(placed), wanted=config.progress))


def _carry(out: Path, link: bool, one: Placed) -> Written | Failure:
    """Puts both halves in their places, unless they are there."""
    for ending in (PNG, JPG):
        if all((out / f"{half}{ending}").exists() for half in (one.clean, one.degraded)):
            return Written(one, ending, *image_size(out / f"{one.degraded}{ending}"))
    both = _read(one)
    if isinstance(both, Failure):
        return both
    for half, place in ((both.clean, one.clean), (both.degraded, one.degraded)):
        _put(half, out / f"{place}{both.ending}", link)
    return Written(one, both.ending, both.width, both.height)


def _take_back(out: Path, one: Written) -> None:
    for half in (one.placed.clean, one.placed.degraded):
        (out / f"{half}{one.ending}").unlink(missing_ok=True)


def _put(half: Half, path: Path, link: bool) -> None:
    if path.exists():
        return
    if link and half.file is not None:
        try:
            os.link(os.path.realpath(half.file), path)
            return
        except OSError:  # another disk, or one without links: a copy then
            pass
    atomic_write(path, half.data)


# --- as databases ---


def _databases(config: ExportConfig, out: Path, placed: Sequence[Placed]) -> list[Written | Failure]:
    """A database of each folder of `placed`, under the names without ending."""
    read = in_order(_read, placed, config.workers)
    done: list[Written | Failure] = []

    def entries() -> Iterable[tuple[Path, str, bytes, tuple[int, int]]]:
        for one, both in zip(placed, track(read, "export", total=len(placed), wanted=config.progress), strict=True):
            if isinstance(both, Failure):
                done.append(both)
                continue
            written = Written(one, both.ending, both.width, both.height)
            done.append(written)
            for half, place in ((both.clean, one.clean), (both.degraded, one.degraded)):
                yield out / f"{os.path.dirname(place)}.lmdb", written.name, half.data, (both.width, both.height)

    write_databases(entries())
    return done


# --- what is read beside them ---


def _write_texts(config: ExportConfig, out: Path, written: Sequence[Written]) -> None:
    """Settings, lists, and `index.csv`: what every name is."""
    texts = dict(LAYOUTS[config.to].tell(out, [one.placed for one in written], config.lmdb))
    lists: dict[str, list[str]] = defaultdict(list)
    for one in written:
        if one.placed.listed:
            place, line = one.placed.listed
            lists[place].append(line.format(name=one.name))
        if config.to == "basicsr" and not config.lmdb:
            lists[f"{one.placed.pair.split}/{META}"].append(f"{one.name} ({one.height},{one.width},3)")
    for place, text in texts.items():
        if not (out / place).exists():  # else it may have been edited
            atomic_write(out / place, text)
    for place, lines in lists.items():
        ensure_writable((out / place).parent)
        atomic_write(out / place, "".join(f"{line}\n" for line in lines))
    atomic_write(out / INDEX, _index(written))


def _index(written: Sequence[Written]) -> str:
    told = io.StringIO()
    rows = csv.writer(told, lineterminator="\n")
    rows.writerow(("clean", "degraded", "degradation", "source", "origin", "split", "mu", "sigma", "key", "from"))
    for one in written:
        pair, ending = one.placed.pair, one.ending
        rows.writerow((f"{one.placed.clean}{ending}", f"{one.placed.degraded}{ending}", pair.degradation, pair.source,
                       pair.origin, pair.split, pair.mu, pair.sigma, pair.key, pair.degraded.name))  # fmt: skip
    return told.getvalue()
