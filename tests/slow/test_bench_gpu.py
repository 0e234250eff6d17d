"""The table of what each change brings to a GPU: at toy size it is whole on a CPU, and on the disk after every line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_every_line_is_measured_and_what_it_costs_is_counted(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", SCRIPT, "--cpu", "--only", "sd15", "--seconds", "900", "--out", tmp_path]
    subprocess.run(command, check=True, capture_output=True, text=True)
    lines = json.loads((tmp_path / "bench.json").read_text())["lines"]
    assert len(lines) == 10 and not [line for line in lines if line["note"] or not line["images_a_second"]]
    assert [line["passes"] for line in lines] == [12, 12, 12, 12, 9, 6, 3, 2, 4, 2]
    costs = {line["passes"]: line["tflop"] for line in lines}
    assert costs[12] - costs[9] == pytest.approx(costs[6] - costs[3]) and costs[3] > 0
    assert "| + branches in one call |" in (tmp_path / "bench.md").read_text()


@pytest.mark.slow
def test_what_comes_too_late_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", SCRIPT, "--cpu", "--only", "sd15,training", "--seconds", "0", "--out",
               tmp_path]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads((tmp_path / "bench.json").read_text())
    assert {line["note"] for line in found["lines"]} == {"no time left"} == {row["note"] for row in found["training"]}
