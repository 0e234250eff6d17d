"""Does this checkout behave as another one? Help of every command, and what synth, build and a study's plan write.

    python benchmarks/same_as.py /a/checkout/of/before [--only help synth build study]

Says what differs and ends with 1; the same: 0. Both run with this environment's packages, in folders of their own.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SAID = {"plan.json": ("fingerprint",), "records.jsonl": ("seconds", "made_at")}
"""Files that are compared without what tells of the moment or the place."""
HELP = """
import json, typer
from typer.testing import CliRunner
from gendeg.cli.app import app
def walk(command, words):
    below = getattr(command, "commands", {})
    yield words
    for name in sorted(below):
        yield from walk(below[name], [*words, *name.split()])
run = CliRunner().invoke
print(json.dumps({" ".join(words): run(app, [*words, "--help"], terminal_width=120).output
                  for words in walk(typer.main.get_command(app), [])}))
"""
PHOTOS = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
for number in range(6):
    field = np.random.default_rng(number).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(field).resize((96 + 16 * (number % 2), 96), Image.Resampling.BICUBIC).save(f"p{number}.png")
"""
RECIPE = """
[data]
test_photos = 2
size = 64
types = "rain,haze"
existing_per_photo = 2
generated_per_photo = 2
sample_steps = 1
[train]
steps = 3
size = 64
[arms]
seeds = [0, 1]
shares = [0.5]
[results]
draws = 20
"""


def run_python(checkout: Path, work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Raises `SystemExit` with what was said, where a command fails."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=work, env=environment(checkout), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{checkout}: {' '.join(arguments)[:200]}\n{done.stderr[-2000:]}")
    return done


def environment(checkout: Path) -> dict[str, str]:
    """The checkout's own code, one thread."""
    return os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "COLUMNS": "120", "TERM": "dumb"}


def help_texts(checkout: Path, work: Path) -> dict[str, str]:
    """Command → what --help prints."""
    return json.loads(run_python(checkout, work, "-c", HELP).stdout)


def synth(checkout: Path, work: Path) -> dict[str, str]:
    """Images and records of every degradation and a mix."""
    run_python(
        checkout, work, "-m", "gendeg", "synth", "photos", "--type", "all,rain+haze", "--intensity", "0.3,0.8",
        "--steps", "3", "--size", "64", "--out", "made",
    )  # fmt: skip
    return hashes(work / "made")


def build(checkout: Path, work: Path) -> dict[str, str]:
    """Tars and manifests of a small dataset."""
    run_python(
        checkout, work, "-m", "gendeg", "build", "photos", "--out", "built", "--types", "all,rain+haze", "--steps", "3",
        "--size", "64", "--per-image", "7", "--shard-size", "12", "--split", "train=0.7,test=0.3", "--no-estimate",
    )  # fmt: skip
    return {name: told for name, told in hashes(work / "built").items() if ".gendeg" not in name}


def study(checkout: Path, work: Path) -> dict[str, str]:
    """The plan, which is written before the study's work; the work is stopped then."""
    (work / "recipe.toml").write_text(RECIPE)
    command = [sys.executable, "-m", "gendeg", "restore", "study", "--recipe", "recipe.toml", "--clean", "photos",
               "--out", "studied"]  # fmt: skip
    with subprocess.Popen(
        command, cwd=work, env=environment(checkout), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not (work / "studied" / "plan.json").exists():
            time.sleep(0.2)
        process.terminate()
    return {"plan.json": told_of(work / "studied" / "plan.json")}


def hashes(folder: Path) -> dict[str, str]:
    """Name of every file → hash of what it holds."""
    return {str(file.relative_to(folder)): told_of(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def told_of(file: Path) -> str:
    """Hash of a file's bytes; of JSON: of its values, without those of `SAID`."""
    if file.name in SAID:
        rows = (
            [json.loads(line) for line in file.read_text().splitlines()]
            if file.suffix == ".jsonl"
            else [json.loads(file.read_text())]
        )
        return json.dumps([{name: value for name, value in row.items() if name not in SAID[file.name]} for row in rows])
    return hashlib.sha256(file.read_bytes()).hexdigest()


PARTS: dict[str, Callable[[Path, Path], dict[str, str]]] = {
    "help": help_texts, "synth": synth, "build": build, "study": study
}  # fmt: skip


def differing(name: str, checkouts: tuple[Path, Path]) -> tuple[int, list[str]]:
    """How many things were compared, and what one of the two says or writes otherwise."""
    told = []
    for checkout in checkouts:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder) / "same"  # records name their photos
            (work / "photos").mkdir(parents=True)
            subprocess.run([sys.executable, "-c", PHOTOS], cwd=work / "photos", check=True)
            told.append(PARTS[name](checkout, work))
    before, now = told
    names = sorted(before.keys() | now.keys())
    return len(names), [key or "gendeg" for key in names if before.get(key) != now.get(key)]


def main() -> int:
    """Every part in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    asked = parser.parse_args()
    found = 0
    for name in asked.only:
        count, others = differing(name, (asked.before.resolve(), HERE))
        print(f"{name}: {count} compared, {'the same' if not others else 'other: ' + ', '.join(others)}", flush=True)
        found += len(others)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
