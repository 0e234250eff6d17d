"""gendeg evaluate, gendeg calibrate"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from gendeg.cli.errors import SOME_FAILED
from gendeg.configs import CalibrateConfig, EvaluateConfig, ReportConfig
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_mixes
from gendeg.primitives.options import command

EVALUATE_EXAMPLE = "Example: gendeg evaluate bundled --clean photos/ --pairs pairs/manifest.jsonl --out runs/eval"
CALIBRATE_EXAMPLE = "Example: gendeg calibrate runs/bundled/model --clean photos/ --out runs/calibrated"
QUICK: dict[str, Any] = {
    "intensities": (0.2, 0.5, 0.9),
    "photos": 4,
    "compare": 2,
    "variants": 2,
    "draws": 200,
    "classifier_steps": 300,
}


@command(EvaluateConfig)
def evaluate(
    given: dict[str, Any],
    quick: Annotated[
        bool, typer.Option("--quick", help="4 photos at 0.2, 0.5, 0.9: minutes on two CPU cores.")
    ] = False,
) -> int:
    """Measure a model: calibration, structure, realism, diversity, change, recognition. The same command again goes on.

    Of data instead of a model: gendeg evaluate gap."""
    config = EvaluateConfig(**(QUICK if quick else {}) | given)
    config = replace(config, intensities=tuple(sorted(set(config.intensities))))
    parse_mixes(config.types)
    from gendeg.jobs.evaluate import evaluate as run
    from gendeg.jobs.evaluate_headline import tabulate_headline

    results = run(config)
    print(tabulate_headline(results.headline))
    for failure in results.failures:
        print(f"gendeg: {failure.message}", file=sys.stderr)
    _write_page(config.out)
    return SOME_FAILED if results.failures else 0


def _write_page(out: Path) -> None:
    from gendeg.jobs.report import report

    page = ReportConfig(out, out / "report.html", overwrite=True)
    report(page)
    print(f"open {page.out}; numbers in {out / 'results.json'}, images in {out / 'images'}", file=sys.stderr)


@command(CalibrateConfig)
def calibrate(config: CalibrateConfig) -> None:
    """Measure what a model makes of mu and sigma, and store what to tell it so that it does as asked."""
    parse_mixes(config.types)
    out = config.out
    if out.exists() and not out.is_dir():
        raise BadOption("--out", f"{out} is a file; give a folder")
    from gendeg.jobs.calibrate import calibrate as run
    from gendeg.jobs.calibrate import tabulate_response

    print(tabulate_response(run(config)))
    print(f"model in {out}; try it: gendeg evaluate {out} --clean {config.clean} --out …", file=sys.stderr)
