"""Seconds and memory of a plan of 10³ to 10⁶ samples, and of finding out what a build still has to make."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PER_PHOTO, SHARD = 20, 1000


def measure(samples: int) -> None:
    """In a process of its own, for peak memory is counted per process."""
    sys.path.insert(0, str(ROOT))
    from dataclasses import replace

    from gendeg.build.config import PlanConfig
    from gendeg.build.plan import write_plan
    from gendeg.shards.description import Description, missing_shards
    from gendeg.shards.index import Mark, write_mark
    from gendeg.shards.layout import Layout
    from tests.build.test_plan import many_photos
    from tests.builds import priors_folder

    photos = many_photos(max(1, samples // PER_PHOTO))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        layout.marks.mkdir(parents=True)
        config = PlanConfig(
            clean=(), out=layout.root, per_image=PER_PHOTO, shard_size=SHARD, priors=str(priors_folder())
        )
        start = time.perf_counter()
        planned = write_plan(config, photos, layout.plan)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        samples = sum(shard.samples for shard in planned)
        shards = [[s.name.degradation, s.name.split, s.name.number, s.samples] for s in planned]
        description = Description("m", "0", {}, "", "", shards, len(photos), {})
        for shard in planned[:-1]:  # all but one are done; a tar of no bytes stands for a tar
            mark = Mark(str(shard.name), description.fingerprint, "", 0, "", shard.samples, shard.samples)
            layout.shard(shard.name).parent.mkdir(exist_ok=True)
            layout.shard(shard.name).touch()
            layout.index(shard.name).touch()
            write_mark(layout, shard.name, replace(mark))
        start = time.perf_counter()
        missing = missing_shards(layout, description)
        resume = time.perf_counter() - start
        assert len(missing) == 1 or not shards
        size = layout.plan.stat().st_size
    each, planning = seconds / samples * 1e6, (peak - before) / 1024
    print(
        f"{samples:>9} samples {len(shards):>5} shards: {seconds:7.2f} s, {each:6.1f} µs each; "
        f"peak memory {peak / 1024:.0f} MB, {planning:.0f} MB of it for planning; file {size / 1e6:.1f} MB; "
        f"what is missing found in {resume:.2f} s",
        flush=True,
    )


def main() -> None:
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
        return
    for samples in (1_000, 10_000, 100_000, 1_000_000):
        subprocess.run([sys.executable, __file__, str(samples)], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
