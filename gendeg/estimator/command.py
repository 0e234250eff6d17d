"""gendeg estimator"""

import json
import sys
from typing import Annotated

import typer

from gendeg.estimator.config import EstimatorConfig
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg estimator photos/ --pairs pairs/manifest.jsonl --out estimator.safetensors"


@command(EstimatorConfig)
def estimator(
    config: EstimatorConfig,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object on stdout.")] = False,
) -> int:
    """Train what `synth --like` estimates with, on simulated and given pairs; prints how it does on test photos."""
    from gendeg.estimator.learn import learn, tabulate

    notes = learn(config)
    print(json.dumps(notes.held_out) if as_json else tabulate(notes.held_out))
    print(f"{config.out}; try it: gendeg synth --like degraded.jpg --estimator {config.out} --dry-run", file=sys.stderr)
    return 0
