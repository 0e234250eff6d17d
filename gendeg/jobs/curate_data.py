"""What `gendeg curate` looks at: the pairs of manifests and of datasets, all splits, in the order of their places."""

import os
from collections.abc import Sequence
from pathlib import Path

from gendeg.jobs.curate_places import Half, Placed
from gendeg.jobs.restore_data import MANIFEST, ListedPair
from gendeg.pairs.manifest import Pair, read_manifest
from gendeg.primitives.errors import MissingPath, NoPairs
from gendeg.shards.reader import load_gends

GENERATED = "generated"
"""A record's source is its prior's; this before it tells generated pairs from the existing ones of that source."""
PLACES = ("shard", "clean_at", "clean_bytes", "degraded_at", "degraded_bytes")


def load_places(places: Sequence[Path]) -> list[Placed]:
    """Every pair, once, however often a place is named.

    Raises `MissingPath`, `BadManifest`, `NotADataset`, and `NoPairs` for a place that has none.
    """
    found: dict[str, Placed] = {}
    for place in places:
        here = _load(place)
        if not here:
            raise NoPairs(place)
        for one in here:
            found.setdefault(one.name, one)
    return list(found.values())


def _load(place: Path) -> list[Placed]:
    if not place.exists():
        raise MissingPath(place)
    if place.is_dir() and (place / MANIFEST).is_file():
        place = place / MANIFEST
    return _built(place) if place.is_dir() else [_listed(pair, place) for pair in read_manifest(place)]


def _listed(pair: Pair, manifest: Path) -> Placed:
    folder = Path(os.path.abspath(manifest.parent))
    listed = ListedPair(pair, folder)
    return Placed(pair, listed.origin, listed.photo, Half(folder / pair.clean), Half(folder / pair.degraded))


def _built(root: Path) -> list[Placed]:
    dataset = load_gends(root, split=None)
    pairs = ["degradation", "source", "split", "caption", "mu", "sigma", "width", "height"]
    rows = dataset.rows.select([*pairs, "origin", "key", "clean_sha256", *PLACES]).to_pylist()
    found = []
    for row in rows:
        shard = Path(os.path.abspath(root / row["shard"]))
        halves = [Half(shard, row[f"{half}_at"], row[f"{half}_bytes"]) for half in ("clean", "degraded")]
        if row["origin"] == GENERATED:
            row["source"] = f"{GENERATED}-{row['source']}"
        pair = Pair("", "", **{name: row[name] for name in pairs})
        found.append(Placed(pair, row["origin"], row["clean_sha256"], halves[0], halves[1], row["key"]))
    return found
