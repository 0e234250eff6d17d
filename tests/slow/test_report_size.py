"""A dataset of 100,000 samples gives a page under 20 MB, within memory and time that a laptop has.

The dataset is whole as far as a report looks at it: 200 shards with their marks and indexes, and the pixels of every
sample can be read. Only, all shards are one tar under 200 names, in which four pairs of 512 x 512 pixels stand for all;
they are full of texture, harder to compress than photographs.
"""

import hashlib
import os
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gendeg.primitives.images import encode_image
from gendeg.primitives.kinds import KNOWN, mix_name
from gendeg.primitives.records import Failure
from gendeg.shards.description import Description, write_description
from gendeg.shards.index import INDEX_SCHEMA, Entry, Mark, write_index, write_mark
from gendeg.shards.layout import Layout, ShardName
from gendeg.shards.writer import ShardWriter, StoredSample
from tests.tiny import example_record

SHARDS, EACH, PAIRS, SIDE = 200, 500, 4, 512
MOST_BYTES, MOST_MEMORY, MOST_SECONDS = 20e6, 1.0e9, 120
pytestmark = pytest.mark.slow
IN_BETWEEN = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command and prints its peak memory in kB: a child's peak begins with its parent's, and pytest's is large."""


def textured(seed: int) -> np.ndarray:
    """Noise over every scale from one pixel to sixty-four, as strong at each as foliage is at its finest."""
    rng = np.random.default_rng(seed)
    scales = [np.kron(rng.normal(0, 14, (SIDE // s, SIDE // s, 3)), np.ones((s, s, 1))) for s in (1, 2, 8, 64)]
    return np.clip(128 + sum(scales), 0, 255).astype(np.uint8)


def write_dataset(root: Path) -> None:
    layout, rng = Layout(root), np.random.default_rng(0)
    layout.marks.mkdir(parents=True)
    kinds = [mix_name(mix) for mix in KNOWN]
    names = [ShardName(kind, "train", number) for number in range(SHARDS // len(kinds)) for kind in kinds]
    rows = [[name.degradation, name.split, name.number, EACH] for name in names]
    settings = {"types": "all", "intensity": "prior", "seed": 0, "tolerance": 0.05, "priors": "", "license": "other"}
    description = Description("bundled", "ab" * 32, settings, "", "", rows, EACH, {})
    write_description(layout, description)
    tar, entries = write_tar(root)
    for name in names:
        layout.shard(name).parent.mkdir(exist_ok=True)
        os.link(tar, layout.shard(name))
        digest = _spread_index(layout, name, entries, rng)
        told = {"failed": "flat", "message": "", "seed": 0, "attempt": 2, "clean_path": ""}
        failed = Failure(key="f", degradation=name.degradation, **told)
        size = tar.stat().st_size
        mark = Mark(str(name), description.fingerprint, "", size, digest, EACH, EACH - 1, [failed.as_row()])
        write_mark(layout, name, mark)
    tar.unlink()


def write_tar(root: Path) -> tuple[Path, list[Entry]]:
    """Four pairs, one of them an existing one."""
    entries = []
    with ShardWriter(root / "all.tar") as writer:
        for number in range(PAIRS):
            clean, degraded = (encode_image(textured(10 * number + half), "png") for half in (0, 1))
            origin = "generated" if number else "existing"
            record = example_record(key=f"s{number}", origin=origin, width=SIDE, height=SIDE)
            members = writer.add(StoredSample(record.key, clean, "png", degraded, record.to_json().encode()))
            entries.append(Entry(record, (members[0], members[1], members[2])))
    return root / "all.tar", entries


def _spread_index(layout: Layout, name: ShardName, entries: list[Entry], rng: np.random.Generator) -> str:
    """The index of EACH − 1 samples, of which each has its own numbers and the pixels of one of the four."""
    write_index(layout, name, entries)
    few = pq.read_table(layout.index(name))
    table = few.take(pa.array(list(islice(cycle(range(PAIRS)), EACH - 1))))
    mu = np.round(rng.beta(1.5, 8, EACH - 1), 6)
    measured = np.round(np.clip(mu + rng.normal(0, 0.01, EACH - 1), 0, 1), 6)
    columns = {
        "mu": measured,
        "mu_requested": mu,
        "sigma": np.round(measured / 2, 6),
        "sigma_requested": np.round(mu / 2, 6),
    }
    for column, values in columns.items():
        table = table.set_column(INDEX_SCHEMA.get_field_index(column), column, pa.array(np.round(values, 6)))
    kind = pa.array([name.degradation] * (EACH - 1))
    table = table.set_column(INDEX_SCHEMA.get_field_index("degradation"), "degradation", kind)
    pq.write_table(table, layout.index(name), compression="zstd")
    return hashlib.sha256(layout.index(name).read_bytes()).hexdigest()


def test_a_hundred_thousand_samples(tmp_path):
    write_dataset(tmp_path / "gends")
    page, began = tmp_path / "page.html", time.monotonic()
    command = [sys.executable, "-m", "gendeg", "report", str(tmp_path / "gends"), "--out", str(page)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", IN_BETWEEN, *command], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seconds, memory = time.monotonic() - began, int(done.stdout.split()[-1]) * 1024
    print(f"{page.stat().st_size / 1e6:.1f} MB, {seconds:.1f} s, {memory / 1e6:.0f} MB of memory")
    text = page.read_text(encoding="utf-8")
    assert "100,000 planned = 99,800 written + 200 failed" in text
    assert text.count('class="pair"') == len(KNOWN) * (12 + 4)
    assert page.stat().st_size < MOST_BYTES
    assert memory < MOST_MEMORY and seconds < MOST_SECONDS
