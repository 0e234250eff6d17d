"""Pairs of a clean and a degraded photo, wherever they lie; one opener for all places, and the pair manifest.

A manifest is a JSON line for each pair: clean, degraded (paths relative to its folder), degradation, source, split,
caption, mu, sigma, width, height.
"""

import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.pairs.packed import samples_in
from gendeg.pairs.photo import Input, Kind, Photo
from gendeg.pairs.rows import half_columns, is_saved, read_records, read_rows, with_images
from gendeg.pairs.split import SPLITS, TRAIN, VALIDATION, said_split
from gendeg.pairs.tables import PAIR, read_table
from gendeg.primitives.errors import BadImage, BadManifest, GendegError, MissingPath, NoPairs
from gendeg.primitives.files import read_numbered_jsonl, write_jsonl
from gendeg.primitives.folders import SIDE
from gendeg.primitives.hub import HUB
from gendeg.primitives.images import U8Image, resize_short_side
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.parallel import in_order, per_core
from gendeg.primitives.rng import for_sample

MANIFEST = "manifest.jsonl"
SIMULATED, EXISTING, GENERATED = "simulated", "existing", "generated"
VIEW = re.compile(r"-v\d+\.png$")
"""How `gendeg pairs simulate` ends the names of the views of one photo."""


Halves = tuple[U8Image, UInt8[np.ndarray, "other_h other_w 3"]]
"""Clean, degraded: of one size, unless somebody made a mistake."""


@dataclass(frozen=True, slots=True)
class Pair:
    """mu and sigma were measured on the stored files; where a table does not say them, size and both are 0."""

    clean: Photo
    degraded: Photo
    degradation: str
    source: str
    split: str
    caption: str
    mu: float
    sigma: float
    width: int
    height: int
    origin: str = EXISTING  # or generated, simulated
    photo: str = ""
    """Names the clean photo: equal for pairs that are alike by their photo."""
    key: str = ""  # of a dataset's sample
    asked: float = math.nan  # intensity that was asked for; NaN where nothing was made to order

    @property
    def intensity(self) -> Intensity:
        return Intensity(self.mu, self.sigma)

    @property
    def name(self) -> str:
        """Unique among all places, and the same in every run."""
        return f"{self.clean.address} {self.degraded.address}"

    def read(self, short_side: int = 0) -> Halves:
        """(clean, degraded), brought to that short side in pixels, if any. Raises `BadImage`."""
        both = self.clean.image(), self.degraded.image()
        return (resize_short_side(both[0], short_side), resize_short_side(both[1], short_side)) if short_side else both

    def as_row(self) -> dict[str, Any]:
        """The line of a manifest in the folder that the halves are relative to."""
        return {name: getattr(self, name) for name in FIELDS} | {
            "clean": self.clean.place, "degraded": self.degraded.place
        }  # fmt: skip


FIELDS = ("clean", "degraded", "degradation", "source", "split", "caption", "mu", "sigma", "width", "height")
"""Of a manifest's line, in this order."""


def open_pairs(places: Iterable[str | Path], split: str | None = None, seed: int | None = None) -> list[Pair]:
    """The pairs of one split (None: all) of manifests, folders with one, datasets, tars, tables, and hf:NAME.

    In the places' order, or in an order drawn by `seed`, so that the first n are a random part, and such parts lie
    within each other. Rows that do not say a split are of any. Raises `MissingPath`, `BadManifest`, `NotADataset`,
    `CannotRead`, and `NoPairs` when no place has any of that split.
    """
    places = list(places)
    found = [pair for place in places for pair in _pairs_in(str(place), split)]
    if not found:
        raise NoPairs(", ".join(map(str, places)), f"pairs of split {split}" if split else "pairs")
    if seed is None:
        return found
    return [found[i] for i in for_sample(seed, str(split), "examples").permutation(len(found))]


def holds_pairs(folder: Path) -> bool:
    """Whether it has a manifest, or is a dataset."""
    return (folder / MANIFEST).is_file() or is_saved(folder) or (folder / SIDE).is_dir()


def held_out_pairs(places: Iterable[str | Path], seed: int | None = None) -> list[Pair]:
    """The validation pairs that sheets are made of, or the training pairs where no place holds any out."""
    places = list(places)
    try:
        return open_pairs(places, VALIDATION, seed)
    except NoPairs:
        return open_pairs(places, TRAIN, seed)


def measured(pairs: Sequence[Pair]) -> list[Pair]:
    """The same; those that a table names without mu, sigma and size are read for them, as far as they can be."""
    if all(pair.width for pair in pairs):
        return list(pairs)
    return list(in_order(lambda pair: pair if pair.width else _measured(pair), pairs, per_core()))


def by_degradation_and_source(pairs: Iterable[Pair]) -> dict[tuple[str, str], list[Pair]]:
    """Groups sorted by (degradation, source)."""
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.degradation, pair.source].append(pair)
    return dict(sorted(groups.items()))


def _measured(pair: Pair) -> Pair:
    try:
        clean, degraded = pair.read()
        mu, sigma = measure_intensity(clean, degraded)
    except (BadImage, ValueError):  # also of two sizes: whoever works with the images says so
        return pair
    return replace(pair, mu=round(mu, 6), sigma=round(sigma, 6), width=clean.shape[1], height=clean.shape[0])


# --- the manifest ---


def listed(folder: str | Path, clean: str, degraded: str, degradation: str, source: str, split: str, caption: str,
           mu: float = 0.0, sigma: float = 0.0, width: int = 0, height: int = 0) -> Pair:  # fmt: skip
    """A pair of files whose paths are relative to a folder, as a manifest in there has it.

    Simulated pairs are views of a photo, each in a file of its own: one photo all the same.
    """
    place = Input(Kind.FOLDER, str(folder))
    photo = Path(folder) / (VIEW.sub("", clean) if source == SIMULATED else clean)
    told = (degradation, source, split, caption, mu, sigma, width, height)
    origin = SIMULATED if source == SIMULATED else EXISTING
    return Pair(Photo(place, clean), Photo(place, degraded), *told, origin, str(photo))


def write_manifest(path: Path, pairs: Iterable[Pair]) -> None:
    """The whole manifest at once, atomically. Halves that lie elsewhere are named from its folder."""
    write_jsonl(path, (_line(pair, path.parent) for pair in pairs))


def _line(pair: Pair, folder: Path) -> dict[str, Any]:
    row = pair.as_row()
    for name, half in (("clean", pair.clean), ("degraded", pair.degraded)):
        if half.input.place != str(folder):
            row[name] = os.path.relpath(os.path.abspath(half.file), os.path.abspath(folder))
    return row


def read_manifest(path: Path) -> list[Pair]:
    """Every pair. Raises `BadManifest` naming the line, or `NoPairs` when there is none."""
    pairs = [_parse(path, number, row) for number, row in read_numbered_jsonl(path)]
    if not pairs:
        raise NoPairs(path)
    return pairs


def _parse(path: Path, number: int, row: dict[str, Any]) -> Pair:
    if set(row) != set(FIELDS):
        odd = ", ".join(sorted(set(row) ^ set(FIELDS)))
        raise BadManifest(path, number, f"a pair has the fields {', '.join(sorted(FIELDS))}; not right: {odd}")
    types = {"clean": str, "degraded": str} | {field.name: field.type for field in fields(Pair)[2:]}
    for name in FIELDS:
        wanted = (int, float) if types[name] is float else types[name]
        if not isinstance(row[name], wanted) or isinstance(row[name], bool):  # type: ignore[arg-type]
            raise BadManifest(path, number, f"'{name}' must be a {types[name].__name__}")  # type: ignore[union-attr]
    degradation = _degradation(path, number, row["degradation"])
    if row["split"] not in SPLITS:
        raise BadManifest(path, number, f"split must be one of {', '.join(SPLITS)}")
    if not re.fullmatch(r"\w[\w .+-]*", row["source"]):  # it names a file of priors
        raise BadManifest(path, number, "source must be a plain name: letters, digits, spaces, '_', '.', '+' and '-'")
    pair = listed(path.parent, **row | {"degradation": degradation})
    if not (0 <= pair.mu <= 1 and 0 <= pair.sigma <= 1 and pair.width > 0 and pair.height > 0):
        raise BadManifest(path, number, "mu and sigma must lie in [0, 1], width and height above 0")
    return pair


def _degradation(place: str | Path, line: int, name: str) -> str:
    try:
        return mix_name(parse_mix(name))
    except GendegError as error:
        raise BadManifest(place, line, str(error)) from error


# --- one reader a kind of place ---


def _pairs_in(place: str, split: str | None) -> Iterable[Pair]:
    if place.startswith(HUB):
        name = place.removeprefix(HUB)
        return _of_rows(os.path.abspath(name) if os.path.exists(name) else name, split)
    path = Path(place)
    if not path.exists():
        raise MissingPath(path)
    path = path / MANIFEST if path.is_dir() and (path / MANIFEST).is_file() else path
    suffix = path.suffix.lower()
    if path.is_dir():
        return _of_rows(os.path.abspath(path), split) if is_saved(path) else _of_dataset(path, split)
    if suffix == ".tar":
        return _of_tar(path, split)
    if suffix == ".parquet" and with_images([path]):
        return _of_rows(os.path.abspath(path), split)
    if suffix in (".csv", ".tsv", ".txt", ".parquet"):
        return _of_table(path, split)
    return [pair for pair in read_manifest(path) if split in (None, pair.split)]


def _of_dataset(root: Path, split: str | None) -> list[Pair]:
    """What `gendeg build` made. Raises `NotADataset`, and `NoPairs` for one that holds none at all."""
    from gendeg.shards.reader import load_gends

    names = ["degradation", "source", "split", "caption", "mu", "sigma", "width", "height", "origin", "key"]
    places = ["clean_sha256", "shard", "clean_at", "clean_bytes", "degraded_at", "degraded_bytes", "intensity", "model"]
    rows = load_gends(root, split=split).rows.select([*names, *places]).to_pylist()
    if not rows and split is None:
        raise NoPairs(root)
    half = partial(Photo, Input(Kind.FOLDER, str(root)))
    return [
        Pair(
            half(row["shard"], at=row["clean_at"], size=row["clean_bytes"]),
            half(row["shard"], at=row["degraded_at"], size=row["degraded_bytes"]),
            photo=row["clean_sha256"],
            asked=_asked(row),
            **{name: row[name] for name in names},
        )
        for row in rows
    ]


def _of_table(path: Path, split: str | None) -> Iterator[Pair]:
    """Rows of kind pair (or of no kind): path (of the degraded half), clean, degradation, source, split."""
    for row in read_table(path):
        said = defaultdict(str, row.fields)
        degraded = said["degraded"] or row.path
        refused = replace(row, kind=PAIR if said["degraded"] else row.kind).refused(PAIR, split and [split])
        if refused:
            continue
        missing = [name for name in ("clean", "degradation", "source") if not said[name]]
        if missing:
            reason = f"a pair needs the columns {', '.join(missing)}"
            raise BadManifest(path, row.line, reason, "name them in the first line, and give them in every row")
        kind, own = _degradation(path, row.line, said["degradation"]), row.split or split or TRAIN
        yield listed(path.parent, said["clean"], degraded, kind, said["source"], own, row.caption)


def _of_rows(place: str, split: str | None) -> Iterator[Pair]:
    """A dataset with columns clean and degraded, and degradation and source, or `json` as our own have."""
    columns = half_columns(place)
    if not columns:
        reason = "no columns of images called clean and degraded"
        raise BadManifest(place, 0, reason, "list its pairs with gendeg pairs ingest")
    records = read_records(place)
    for part, number, row in read_rows(place, columns["clean"]):
        if row.refused(PAIR, split and [split]):
            continue
        half = {name: Photo(Input(Kind.DATASET, place, column), part, at=number) for name, column in columns.items()}
        record = records[part][number] if part in records else {"caption": row.caption, **row.fields}
        yield _recorded(place, row.line, half, record, row.split or split or TRAIN, f"{place} {part} {number}")


def _of_tar(path: Path, split: str | None) -> Iterator[Pair]:
    """Members `<key>.clean.png`, `<key>.degraded.png` and `<key>.json`, as a shard of ours has them."""
    own = said_split(path.name.partition("-")[0])
    own = own if own in SPLITS else split or TRAIN
    if split and own != split:
        return
    for line, (key, members) in enumerate(samples_in(path).items(), start=1):
        halves = {ending.split(".")[0]: at for ending, at in members.items()}
        if not {"clean", "degraded", "json"} <= set(halves):
            reason = f"{key} has no members clean, degraded and json"
            raise BadManifest(path, line, reason, "list its pairs with gendeg pairs ingest")
        half = {name: Photo(Input(Kind.TAR, str(path)), key, at=at, size=size) for name, (at, size) in halves.items()}
        try:
            record = json.loads(half.pop("json").bytes())
        except ValueError as error:
            raise BadManifest(path, line, f"{key}.json is not JSON ({error})") from error
        yield _recorded(path, line, half, record, own, f"{path}/{key}")


def _recorded(
    place: str | Path, line: int, half: Mapping[str, Photo], record: Mapping[str, Any], split: str, photo: str
) -> Pair:
    """By a record as `gendeg build` writes it, or what of it there is."""
    missing = [name for name in ("degradation", "source") if not record.get(name)]
    if missing:
        raise BadManifest(place, line, f"a pair needs {' and '.join(missing)}")
    mu, sigma, width, height = (record.get(name, 0) for name in ("mu", "sigma", "width", "height"))
    told = (_degradation(place, line, record["degradation"]), record["source"], split, record.get("caption") or "")
    known = (record.get("origin", EXISTING), record.get("clean_sha256", photo), record.get("key", ""))
    return Pair(half["clean"], half["degraded"], *told, mu, sigma, width, height, *known, _asked(record))


def _asked(record: Mapping[str, Any]) -> float:
    """Pairs that existed already are in a dataset's records too: without a model, and nothing was asked of them."""
    return float(record["intensity"]) if record.get("model") and "intensity" in record else math.nan
