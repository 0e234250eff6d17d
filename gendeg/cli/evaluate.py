"""gendeg evaluate, gendeg calibrate"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.cli.errors import SOME_FAILED
from gendeg.cli.parse import unit_numbers
from gendeg.configs import CalibrateConfig, EvaluateConfig, ReportConfig
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_mixes

EVALUATE_EXAMPLE = "Example: gendeg evaluate bundled --clean photos/ --pairs pairs/manifest.jsonl --out runs/eval"
CALIBRATE_EXAMPLE = "Example: gendeg calibrate runs/bundled/model --clean photos/ --out runs/calibrated"
QUICK = {
    "intensities": (0.2, 0.5, 0.9),
    "photos": 4,
    "compare": 2,
    "variants": 2,
    "draws": 200,
    "classifier_steps": 300,
}

Model = Annotated[str, typer.Argument(help="bundled, a model folder, or a hub id.")]
Clean = Annotated[
    Path, typer.Option(help="Clean photos: a folder, a .txt list, or a .csv with path (and kind, split) columns.")
]
Types = Annotated[str, typer.Option("--type", help="Degradations and mixes: a comma list, or all.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Sampling steps; default: the model's.")]
Text = Annotated[float | None, typer.Option(help="Text guidance; default: the model's.")]
Image = Annotated[float | None, typer.Option(help="Image guidance; default: the model's.")]
Size = Annotated[int, typer.Option(min=32, help="Short side in pixels.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same images.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Batch = Annotated[int, typer.Option(min=1, help="Images of one photo made at a time.")]


def evaluate(
    clean: Clean,
    out: Annotated[Path, typer.Option(help="Folder for report.html, results.json, samples.jsonl and images/.")],
    model: Model = "bundled",
    pairs: Annotated[Path | None, typer.Option(help="Pair manifest that a classifier is trained on.")] = None,
    real: Annotated[
        Path | None, typer.Option(help="Real degraded photos: a folder each (haze/ …), or a .csv with degradation.")
    ] = None,
    features: Annotated[str, typer.Option(help="Folder of a network (DINO, CLIP …), for KID.")] = "",
    split: Annotated[str, typer.Option(help="Rows of a .csv that names splits.")] = "test",
    types: Types = "all",
    intensity: Annotated[str | None, typer.Option(help="Comma list in [0, 1]; default: 0.1 to 0.9.")] = None,
    photos: Annotated[
        int | None, typer.Option(min=0, help="Spread evenly over those found; 0: all; default 20.")
    ] = None,
    compare: Annotated[
        int | None, typer.Option(min=0, help="Of these, for seeds, changes and the model without its map; default 8.")
    ] = None,
    size: Size = 128,
    variants: Annotated[
        int | None, typer.Option(min=1, help="Seeds for diversity and changes; 1: not measured; default 3.")
    ] = None,
    steps: Steps = None,
    guidance_text: Text = None,
    guidance_image: Image = None,
    seed: Seed = 0,
    tolerance: Annotated[float, typer.Option(min=0, help="Of the build's filter, in mu.")] = 0.05,
    structure: Annotated[float, typer.Option(help="Of the build's filter, a correlation.")] = 0.15,
    draws: Annotated[int | None, typer.Option(min=1, help="Of the bootstrap; default 500.")] = None,
    classifier_steps: Annotated[int | None, typer.Option(min=1, help="Batches of 32 that it is trained for.")] = None,
    batch_size: Batch = 4,
    device: Device = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="4 photos at 0.2, 0.5, 0.9: minutes on two CPU cores.")
    ] = False,
) -> int:
    """Measure a model: calibration, structure, realism, diversity, change, recognition. The same command again goes on.

    Of data instead of a model: gendeg evaluate gap."""
    parse_mixes(types)
    chosen = {
        "intensities": None if intensity is None else tuple(sorted(set(unit_numbers("--intensity", intensity)))),
        "photos": photos, "compare": compare, "variants": variants, "draws": draws,
        "classifier_steps": classifier_steps,
    }  # fmt: skip
    given = (QUICK if quick else {}) | {name: value for name, value in chosen.items() if value is not None}
    config = EvaluateConfig(
        clean=clean, out=out, model=model, pairs=pairs, real=real, features=features, split=split, types=types,
        size=size, steps=steps, guidance_text=guidance_text, guidance_image=guidance_image, seed=seed,
        tolerance=tolerance, structure=structure, batch_size=batch_size, device=device, **given,  # type: ignore[arg-type]
    )  # fmt: skip
    from gendeg.jobs.evaluate import evaluate as run
    from gendeg.jobs.evaluate_headline import tabulate_headline

    results = run(config)
    print(tabulate_headline(results.headline))
    for failure in results.failures:
        print(f"gendeg: {failure.message}", file=sys.stderr)
    _write_page(out)
    return SOME_FAILED if results.failures else 0


def _write_page(out: Path) -> None:
    from gendeg.jobs.report import report

    page = ReportConfig(out, out / "report.html", overwrite=True)
    report(page)
    print(f"open {page.out}; numbers in {out / 'results.json'}, images in {out / 'images'}", file=sys.stderr)


def calibrate(
    clean: Clean,
    out: Annotated[Path, typer.Option(help="Folder for the model with its map; with --overwrite, its own will do.")],
    model: Annotated[str, typer.Argument(help="bundled, or a model folder.")] = "bundled",
    split: Annotated[str, typer.Option(help="Rows of a .csv that names splits.")] = "train",
    types: Types = "all",
    photos: Annotated[int, typer.Option(min=1, help="Spread evenly over those found.")] = 6,
    rounds: Annotated[int, typer.Option(min=1, help="Of sampling, measuring and correcting.")] = 3,
    size: Size = 128,
    steps: Steps = None,
    guidance_text: Text = None,
    guidance_image: Image = None,
    seed: Seed = 0,
    batch_size: Batch = 4,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model that is there.")] = False,
) -> None:
    """Measure what a model makes of mu and sigma, and store what to tell it so that it does as asked."""
    parse_mixes(types)
    if out.exists() and not out.is_dir():
        raise BadOption("--out", f"{out} is a file; give a folder")
    from gendeg.jobs.calibrate import calibrate as run
    from gendeg.jobs.calibrate import tabulate_response

    config = CalibrateConfig(
        clean=clean, out=out, model=model, split=split, types=types, photos=photos, rounds=rounds, size=size,
        steps=steps, guidance_text=guidance_text, guidance_image=guidance_image, seed=seed, batch_size=batch_size,
        device=device, overwrite=overwrite,
    )  # fmt: skip
    print(tabulate_response(run(config)))
    print(f"model in {out}; try it: gendeg evaluate {out} --clean {clean} --out …", file=sys.stderr)
