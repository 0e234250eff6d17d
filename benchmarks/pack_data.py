"""A little of a table of photos and pairs, small enough to be carried to another machine.

python benchmarks/pack_data.py .leg/data --index ../shared/data/index.csv --most 27

Takes rows of split `train` from a table with the columns path, kind (clean or pair), degradation, source, split and,
for a pair, clean; in turn from every source of photos, and from every degradation and source of pairs, until the
megabytes are used: pairs first, all there are of them but for rain, then photos. Haze and darkness change a picture
more than WebP of quality 90 does; other pairs are JPEG of quality 93 with all of their colour. Clean halves are
simulated on as well. Writes clean/, pairs/, clean.txt and manifest.jsonl, and prints counts. Never committed.
"""

import argparse
import csv
import io
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import TypeVar

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.pair import listed, write_manifest
from gendeg.primitives.files import atomic_write
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side
from gendeg.primitives.rng import for_sample

Row = dict[str, str]
Item = TypeVar("Item")
PHOTO_SIDE, PAIR_SIDE = 300, 256
"""Pixels of the short side at most."""
MOST = {"rain": 32}
"""Pairs of a degradation that are enough: they are rendered, as ours are, and take most room."""
STRONG = ("haze", "low_light")
SIMULATED_ON = ("haze", "low_light", "motion_blur")
"""Whose clean halves are photos too; those of rain are among the photos already."""
CAPTION = "a photo"


def in_turn(rows: Sequence[Row], group: Callable[[Row], Hashable], seed: int = 0) -> Iterator[Row]:
    """One row of each group, then another of each, until all groups are empty; shuffled within each."""
    groups: dict[Hashable, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: for_sample(seed, row["path"], "pack").uniform()):
        groups[group(row)].append(row)
    ordered = [groups[name] for name in sorted(groups, key=lambda name: for_sample(seed, str(name), "pack").uniform())]
    return (row for row in chain.from_iterable(zip_longest(*ordered)) if row is not None)


def encoded(image: U8Image, strong: bool) -> tuple[bytes, str]:
    """The bytes, and what the file's name ends in."""
    stream = io.BytesIO()
    if strong:
        Image.fromarray(image).save(stream, "webp", quality=90, method=4)
        return stream.getvalue(), "webp"
    Image.fromarray(image).save(stream, "jpeg", quality=93, subsampling=0, optimize=True)
    return stream.getvalue(), "jpg"


def smaller(image: U8Image, side: int) -> U8Image:
    return resize_short_side(image, side) if min(image.shape[:2]) > side else image


def pack_photos(root: Path, rows: Sequence[Row], out: Path, room: int) -> list[str]:
    """Photos from every folder in turn; returns their names."""
    (out / "clean").mkdir(parents=True, exist_ok=True)
    used, names = 0, []
    for number, row in enumerate(in_turn(rows, lambda row: row.get("source") or str(Path(row["path"]).parent))):
        data, ending = encoded(smaller(read_rgb(root / row["path"]), PHOTO_SIDE), strong=True)
        if used + len(data) > room:
            break
        names.append(f"clean/{number:05d}.{ending}")
        (out / names[-1]).write_bytes(data)
        used += len(data)
    print(f"{len(names)} of {len(rows)} photos, {used / 1e6:.1f} MB")
    return names


def pack_pairs(root: Path, rows: Sequence[Row], out: Path, room: int) -> tuple[int, list[str]]:
    """Pairs of every degradation and source in turn; returns the bytes written, and clean halves to simulate on."""
    (out / "pairs").mkdir(parents=True, exist_ok=True)
    used, pairs, photos = 0, [], []
    counts: Counter[str] = Counter()
    for number, row in enumerate(in_turn(rows, lambda row: (row["degradation"], row["source"]))):
        kind = row["degradation"]
        if counts[kind] >= MOST.get(kind, len(rows)):
            continue
        halves = [smaller(read_rgb(root / row[name]), PAIR_SIDE) for name in ("clean", "path")]
        if halves[0].shape != halves[1].shape:
            continue
        files = [encoded(half, kind in STRONG) for half in halves]
        if used + sum(len(data) for data, _ in files) > room:
            break
        names = [f"pairs/{number:05d}-{half}.{files[0][1]}" for half in ("clean", "degraded")]
        for name, (data, _) in zip(names, files, strict=True):
            (out / name).write_bytes(data)
            used += len(data)
        mu, sigma = (round(float(x), 6) for x in measure_intensity(*(read_rgb(out / name) for name in names)))
        height, width = halves[0].shape[:2]
        about = kind, row["source"], "train", CAPTION, mu, sigma, width, height
        pairs.append(listed(out, names[0], names[1], *about))
        counts[kind] += 1
        photos += [names[0]] if kind in SIMULATED_ON else []
    if pairs:
        write_manifest(out / "manifest.jsonl", pairs)
    told = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
    print(f"{len(pairs)} of {len(rows)} pairs, {used / 1e6:.1f} MB: {told}")
    return used, photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--index", type=Path, default=Path("../shared/data/index.csv"))
    parser.add_argument("--most", type=float, default=27, help="megabytes")
    asked = parser.parse_args()
    with open(asked.index, newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
    photos, pairs = ([row for row in rows if row["kind"] == kind] for kind in ("clean", "pair"))
    room = int(asked.most * 1e6)
    used, halves = pack_pairs(asked.index.parent, pairs, asked.out, room)
    names = pack_photos(asked.index.parent, photos, asked.out, room - used)
    atomic_write(asked.out / "clean.txt", "".join(f"{name}\n" for name in [*names, *halves]))


if __name__ == "__main__":
    main()
