"""A little of a table of photos and pairs, small enough to be carried to another machine.

python benchmarks/pack_data.py .leg/data --index ../shared/data/index.csv --most 34

Takes rows of split `train` from a table with the columns path, kind (clean or pair), degradation, source, split and,
for a pair, clean; in turn from every source of photos, and from every degradation and source of pairs, until the
megabytes are used. Photos are WebP of quality 95, whose blocks are fainter than any change that is simulated on them;
of pairs every other grey level is kept, at a short side of 256. Writes clean/, pairs/, clean.txt and manifest.jsonl,
and prints counts. Never committed.
"""

import argparse
import csv
import io
import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.pair import listed, write_manifest
from gendeg.primitives.files import atomic_write
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side
from gendeg.primitives.rng import for_sample

Row = dict[str, str]
Item = TypeVar("Item")
PHOTO_SIDE, PAIR_SIDE = 420, 256
"""Pixels of the short side at most."""
PAIRS = 0.5
"""Share of the bytes that pairs may take."""
CAPTION = "a photo"


def in_turn(rows: Sequence[Row], group: Callable[[Row], Hashable], seed: int = 0) -> Iterator[Row]:
    """One row of each group, then another of each, until all groups are empty; shuffled within each."""
    groups: dict[Hashable, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: for_sample(seed, row["path"], "pack").uniform()):
        groups[group(row)].append(row)
    ordered = [groups[name] for name in sorted(groups, key=lambda name: for_sample(seed, str(name), "pack").uniform())]
    return (row for row in chain.from_iterable(zip_longest(*ordered)) if row is not None)


def encoded(image: U8Image, lossless: bool) -> bytes:
    """As WebP."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "webp", quality=60 if lossless else 95, lossless=lossless, method=4)
    return stream.getvalue()


def every_other(image: U8Image) -> U8Image:
    """Even grey levels (and 255) only: what is saved without loss takes a third less, and hides nothing."""
    return np.minimum(np.rint(image / 2.0) * 2, 255).astype(np.uint8)


def smaller(image: U8Image, side: int) -> U8Image:
    return resize_short_side(image, side) if min(image.shape[:2]) > side else image


def pack_photos(root: Path, rows: Sequence[Row], out: Path, room: int) -> int:
    """Photos from every folder in turn; returns the bytes written."""
    (out / "clean").mkdir(parents=True, exist_ok=True)
    used, names = 0, []
    for number, row in enumerate(in_turn(rows, lambda row: row.get("source") or str(Path(row["path"]).parent))):
        data = encoded(smaller(read_rgb(root / row["path"]), PHOTO_SIDE), lossless=False)
        if used + len(data) > room:
            break
        names.append(f"clean/{number:05d}.webp")
        (out / names[-1]).write_bytes(data)
        used += len(data)
    atomic_write(out / "clean.txt", "".join(f"{name}\n" for name in names))
    print(f"{len(names)} of {len(rows)} photos, {used / 1e6:.1f} MB")
    return used


def pack_pairs(root: Path, rows: Sequence[Row], out: Path, room: int) -> int:
    """Pairs of every degradation and source in turn; returns the bytes written."""
    (out / "pairs").mkdir(parents=True, exist_ok=True)
    used, pairs = 0, []
    for number, row in enumerate(in_turn(rows, lambda row: (row["degradation"], row["source"]))):
        halves = [every_other(smaller(read_rgb(root / row[name]), PAIR_SIDE)) for name in ("clean", "path")]
        if halves[0].shape != halves[1].shape:
            continue
        data = [encoded(half, lossless=True) for half in halves]
        if used + sum(map(len, data)) > room:
            break
        names = [f"pairs/{number:05d}-{half}.webp" for half in ("clean", "degraded")]
        for name, one in zip(names, data, strict=True):
            (out / name).write_bytes(one)
        used += sum(map(len, data))
        height, width = halves[0].shape[:2]
        mu, sigma = (round(float(x), 6) for x in measure_intensity(*halves))
        about = row["degradation"], row["source"], "train", CAPTION, mu, sigma, width, height
        pairs.append(listed(out, names[0], names[1], *about))
    if pairs:
        write_manifest(out / "manifest.jsonl", pairs)
    counts: dict[str, int] = defaultdict(int)
    for pair in pairs:
        counts[f"{pair.degradation} {pair.source}"] += 1
    print(f"{len(pairs)} of {len(rows)} pairs, {used / 1e6:.1f} MB: {', '.join(f'{k} {n}' for k, n in counts.items())}")
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--index", type=Path, default=Path("../shared/data/index.csv"))
    parser.add_argument("--most", type=float, default=34, help="megabytes")
    asked = parser.parse_args()
    with open(asked.index, newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
    photos, pairs = ([row for row in rows if row["kind"] == kind] for kind in ("clean", "pair"))
    room = int(asked.most * 1e6)
    used = pack_pairs(asked.index.parent, pairs, asked.out, int(PAIRS * room))
    pack_photos(asked.index.parent, photos, asked.out, room - used)


if __name__ == "__main__":
    main()
