"""gendeg synth, records"""

import json
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

from gendeg.primitives.errors import BadOption
from gendeg.primitives.exits import ERROR, SOME_FAILED
from gendeg.primitives.folders import RECORDS
from gendeg.primitives.kinds import mix_name
from gendeg.primitives.options import command
from gendeg.synth.config import SynthConfig

EXAMPLE = "Example: gendeg synth photos/ --type rain,snow --intensity 0.3,0.6 --out degraded/"

OFF = 0.1
"""Share of the asked mu beyond which an image is spoken of."""


@command(SynthConfig)
def synth(
    given: dict[str, Any],
    as_json: Annotated[bool, typer.Option("--json", help="One record a line on stdout, nothing else.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and stop.")] = False,
) -> int:
    """Degrade photos: each photo, at each type and intensity. Writes images, their records and a contact sheet."""
    config = SynthConfig(**given)
    if "out" not in given and not config.overwrite:
        config = replace(config, out=_free(config.out))
    if config.like and "intensities" in given:
        raise BadOption("--intensity", "does not go with --like, which tells the strength")
    if config.mu is not None and "intensities" in given:
        raise BadOption("--intensity", "does not go with --mu, which is the strength itself")
    if config.estimator and not config.like:
        raise BadOption("--estimator", "goes with --like")
    if config.sigma is not None and config.mu is None and not config.like:
        raise BadOption("--sigma", "goes with --mu")
    return _dry_run(config, as_json) if dry_run else _run(config, as_json)


def _free(folder: Path) -> Path:
    """The folder, or with -2, -3 … behind its name where an earlier run wrote."""
    places = (folder.with_name(f"{folder.name}-{number}") if number > 1 else folder for number in count(1))
    return next(place for place in places if not (place / RECORDS).exists())


def _run(config: SynthConfig, as_json: bool) -> int:
    from gendeg.primitives.files import ensure_writable
    from gendeg.primitives.records import Failure
    from gendeg.synth.plan import plan_synthesis

    plan = plan_synthesis(config)
    ensure_writable(config.out)
    from gendeg.synth.synthesize import synthesize  # brings torch, which takes seconds: what can be refused is by now

    made, failed, off = 0, 0, 0
    for row in synthesize(config, plan=plan):
        if isinstance(row, Failure):
            failed += 1
            print(f"gendeg: {row.message}", file=sys.stderr)
        else:
            made += 1
            off += any(abs(part.mu - part.mu_requested) > OFF * part.mu_requested for part in row.parts)
        if as_json:
            print(row.to_json(), flush=True)
    print(f"{made} images in {config.out}" + (f"; {failed} failed" if failed else ""), file=sys.stderr)
    if off:
        table = f"gendeg records {config.out / RECORDS}"
        print(f"{off} of {made} more than {OFF:.0%} off the mu that was asked for: {table}", file=sys.stderr)
    if made:
        print(f"look at {config.out / 'sheet.png'}", file=sys.stderr)
    return (SOME_FAILED if made else ERROR) if failed else 0


def _dry_run(config: SynthConfig, as_json: bool) -> int:
    from gendeg.synth.plan import plan_synthesis

    plan = plan_synthesis(config)
    if plan.wish:
        print(json.dumps(plan.wish.as_row()) if as_json else plan.wish)
    for sample in plan.samples:
        asked = {
            "path": str(sample.path),
            "degradation": sample.ask.name,
            "seed": sample.seed,
            "parts": [
                {"degradation": mix_name(part.mix), "intensity": part.intensity, "mu_requested": part.mu,
                 "sigma_requested": part.sigma}
                for part in sample.ask.passes
            ],
        }  # fmt: skip
        said = ", ".join(f"{mix_name(p.mix)} mu {p.mu:.3f} sigma {p.sigma:.3f}" for p in sample.ask.passes)
        print(json.dumps(asked) if as_json else f"{sample.path}  {said}")
    print(f"{len(plan.samples)} images from {len(plan.photos)} photos; nothing was made", file=sys.stderr)
    return 0


RECORDS_EXAMPLE = "Example: gendeg records out/synth/records.jsonl"


def records(path: Annotated[Path, typer.Argument(help="A records.jsonl that synth wrote.")]) -> None:
    """Print asked against measured mu and sigma, per degradation and intensity."""
    from gendeg.synth.records import read_records, tabulate_records

    made, failed = read_records(path)
    print(tabulate_records(made))
    for failure in failed:
        print(f"failed ({failure.failed}): {failure.message}", file=sys.stderr)
