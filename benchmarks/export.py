"""How long `gendeg export` takes for many pairs, and how many bytes it writes, as files, links, LMDB."""

import argparse
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gendeg.export.config import ExportConfig
from gendeg.export.export import export
from gendeg.primitives.images import encode_image
from gendeg.primitives.quantities import say_bytes

FILES = 200  # different pictures; pairs name them again and again


def write_pairs(folder: Path, count: int, side: int) -> Path:
    """A table of pairs of noise, which no codec makes small."""
    for number in range(FILES):
        noise = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
        (folder / f"{number}.png").write_bytes(encode_image(noise, "png"))
    rows = [f"{n % FILES}.png,{(n + 1 + n // FILES) % FILES}.png,rain,made up,train" for n in range(count)]
    table = folder / "pairs.csv"
    table.write_text("\n".join(["clean,path,degradation,source,split", *rows]) + "\n")
    return table


def main() -> None:
    """One line a way of writing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=64, help="pixels")
    asked = parser.parse_args()
    ways: dict[str, dict[str, Any]] = {"files": {}, "links": {"link": True}} | (
        {"lmdb": {"lmdb": True}} if find_spec("lmdb") else {}
    )
    with tempfile.TemporaryDirectory() as place:
        table = write_pairs(Path(place), asked.pairs, asked.side)
        for name, options in ways.items():
            out, began = Path(place) / name, time.perf_counter()
            done = export(ExportConfig(places=(str(table),), out=out, to="basicsr", progress=False, **options))
            seconds = time.perf_counter() - began
            files = [file.stat() for file in out.rglob("*") if file.is_file()]
            new = sum(file.st_blocks * 512 for file in files if file.st_nlink == 1)
            speed, size = done.pairs / seconds, say_bytes(new)
            print(f"{name}: {done.pairs} pairs in {seconds:.1f} s, {speed:.0f} a second, {size} new")


if __name__ == "__main__":
    main()
