"""Grow the recorded results again: `python -m tests.golden.regrow`. Look at what changed before committing it."""

import json
import tempfile
from pathlib import Path

from gendeg.configs import SynthConfig
from gendeg.jobs.synth_plan import sample_photos
from gendeg.jobs.synthesize import synthesize
from gendeg.primitives.images import read_rgb
from gendeg.primitives.records import Record

BUNDLED = Path(__file__).parent / "bundled.json"


def bundled_numbers() -> dict[str, dict[str, float]]:
    """What the bundled model makes of a sample photo at 96 pixels: asked and measured statistics, mean level."""
    numbers = {}
    with tempfile.TemporaryDirectory() as folder:
        config = SynthConfig(
            paths=sample_photos()[:1],
            out=Path(folder),
            types="all,rain+haze",
            intensities=(0.6,),
            size=96,
            progress=False,
        )
        for record in synthesize(config):
            assert isinstance(record, Record), record
            image = read_rgb(Path(folder) / f"china.{record.degradation}.i060.s0.png")
            numbers[record.degradation] = {
                "mu_requested": round(record.mu_requested, 4),
                "mu": round(record.mu, 4),
                "sigma": round(record.sigma, 4),
                "mean": round(float(image.mean()) / 255, 4),
            }
    return numbers


if __name__ == "__main__":
    BUNDLED.write_text(json.dumps(bundled_numbers(), indent=1) + "\n", encoding="utf-8")
