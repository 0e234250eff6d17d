"""gendeg evaluate, evaluate gap, calibrate, report"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from gendeg.evaluate.config import CalibrateConfig, EvaluateConfig, GapConfig
from gendeg.primitives.errors import BadOption
from gendeg.primitives.exits import SOME_FAILED
from gendeg.primitives.options import command
from gendeg.report.config import ReportConfig

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
    from gendeg.model.loading import check_model

    check_model(config.model)
    from gendeg.drive.physics import UNREACHED
    from gendeg.evaluate.evaluate import evaluate as run
    from gendeg.evaluate.headline import tabulate_headline

    results = run(config)
    print(tabulate_headline(results.headline))
    failures = [failure for failure in results.failures if failure.failed != UNREACHED]
    for failure in failures:
        print(f"gendeg: {failure.message}", file=sys.stderr)
    if unreached := len(results.failures) - len(failures):
        print(f"gendeg: {unreached} images are not counted: more was asked than their photo can lose", file=sys.stderr)
    _write_page(config.out)
    return SOME_FAILED if failures else 0


def _write_page(out: Path) -> None:
    from gendeg.evaluate.report import report

    page = ReportConfig(out, out / "report.html", overwrite=True)
    report(page)
    print(f"open {page.out}; numbers in {out / 'results.json'}, images in {out / 'images'}", file=sys.stderr)


@command(CalibrateConfig)
def calibrate(config: CalibrateConfig) -> None:
    """Measure what a model makes of mu and sigma, and store what to tell it so that it does as asked."""
    out = config.out
    if out.exists() and not out.is_dir():
        raise BadOption("--out", f"{out} is a file; give a folder")
    from gendeg.model.loading import check_model

    check_model(config.model)
    from gendeg.evaluate.calibrate import calibrate as run
    from gendeg.evaluate.calibrate import tabulate_response

    print(tabulate_response(run(config)))
    print(f"model in {out}; try it: gendeg evaluate {out} --clean {config.clean} --out …", file=sys.stderr)


REPORT_EXAMPLE = "Example: gendeg report gends/ --out page.html"


@command(ReportConfig)
def report(config: ReportConfig) -> None:
    """Write one HTML page to look at: pictures with a slider, asked against measured, counts, failures, provenance."""
    from gendeg.evaluate.report import report as run

    size = run(config)
    print(f"open {config.out} ({size / 1e6:.1f} MB)", file=sys.stderr)


GAP_EXAMPLE = (
    "Example: gendeg evaluate gap --synthetic gends/ --also simulators=pairs/manifest.jsonl --real real/ --out runs/gap"
)


@command(GapConfig)
def gap(config: GapConfig) -> int:
    """Measure how far degraded images are from real ones: gradients, local contrast, frequencies, colours.

    Real photos have no clean half, so the degradation layer is estimated the same way on all sides (arXiv 2208.13133).
    One half of the real photos against the other is the scale.
    """
    from gendeg.evaluate.gap import gap as run
    from gendeg.evaluate.gap import tabulate

    results = run(config)
    print(tabulate(results))
    for line in results["notes"]:
        print(f"gendeg: {line}", file=sys.stderr)
    print(f"open {config.out / 'gap.html'}; numbers in {config.out / 'gap.json'}", file=sys.stderr)
    return SOME_FAILED if results["failures"] else 0
