"""Seconds from the start of a process to the first image, when 999 of 1,000 shards of a million samples stand already.

python benchmarks/resume.py                       50,000 photos, 20 samples each
python benchmarks/resume.py --photos 2000         a quick look
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PER_PHOTO, SHARD, MARKER = 20, 1000, "first batch"


def write_photos(folder: Path, count: int) -> None:
    """Files of 14 bytes, each another picture of one pixel: what is timed is the number of files, not their size."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:06d}.ppm").write_bytes(b"P6 1 1 255\n" + number.to_bytes(3, "big"))


def pretend_done(out: Path) -> int:
    """Done marks for all shards but the last; a tar and an index of no bytes stand for theirs."""
    from gendeg.shards.description import read_description
    from gendeg.shards.index import Mark, write_mark
    from gendeg.shards.layout import Layout

    layout = Layout(out)
    description = read_description(layout)
    for shard in description.planned_shards[:-1]:
        layout.shard(shard.name).parent.mkdir(exist_ok=True)
        layout.shard(shard.name).touch()
        layout.index(shard.name).touch()
        mark = Mark(str(shard.name), description.fingerprint, "", 0, "", shard.samples, shard.samples)
        write_mark(layout, shard.name, mark)
    return len(description.shards)


def configuration(root: Path):  # type: ignore[no-untyped-def]
    from gendeg.build.config import BuildConfig

    return BuildConfig(
        clean=(str(root / "photos"),), out=root / "out", per_image=PER_PHOTO, shard_size=SHARD, estimate=False,
        check_disk=False, progress=False,
    )  # fmt: skip


def resume(root: Path, started: float) -> None:
    """The command's own path, up to the first batch."""
    from gendeg.build.build import build
    from gendeg.build.worker import Workshop

    def make_all(self: Workshop, shards: object, done: object) -> None:
        print(f"{MARKER}: {time.time() - started:.1f} s after the process was started", flush=True)
        os._exit(0)

    Workshop.make_all = make_all  # type: ignore[method-assign]
    build(configuration(root))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photos", type=int, default=50_000)
    options.add_argument("--child", nargs=2, metavar=("ROOT", "STARTED"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.child:
        resume(Path(asked.child[0]), float(asked.child[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_photos(root / "photos", asked.photos)
        from gendeg.build.build import plan

        start = time.perf_counter()
        plan(configuration(root))
        seconds = time.perf_counter() - start
        shards = pretend_done(root / "out")
        print(
            f"planned {asked.photos * PER_PHOTO} samples in {shards} shards from {asked.photos} files: {seconds:.1f} s"
        )
        subprocess.run([sys.executable, __file__, "--child", name, str(time.time())], check=True)


if __name__ == "__main__":
    main()
