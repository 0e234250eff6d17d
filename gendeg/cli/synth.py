"""gendeg synth"""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from gendeg.cli.errors import ERROR, SOME_FAILED
from gendeg.cli.parse import unit_numbers
from gendeg.configs import SynthConfig
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_mixes

EXAMPLE = "Example: gendeg synth photos/ --type rain,snow --intensity 0.3,0.6 --out degraded/"


def synth(
    paths: Annotated[list[Path] | None, typer.Argument(help="Photos or folders; none: two sample photos.")] = None,
    types: Annotated[
        str, typer.Option("--type", help="A degradation, a mix (rain+haze), a comma list, or all.")
    ] = "haze",
    intensity: Annotated[str, typer.Option(help="How strong, in [0, 1]; a comma list makes one image each.")] = "0.5",
    mu: Annotated[float | None, typer.Option(help="Instead of intensity: mean |clean - degraded|, [0, 0.7].")] = None,
    sigma: Annotated[float | None, typer.Option(help="With mu: its standard deviation, [0, 0.4].")] = None,
    priors: Annotated[str, typer.Option(help="What intensity means: a folder that `priors fit` wrote.")] = "",
    variants: Annotated[
        int, typer.Option(min=1, help="Images per photo, type and intensity, with seeds S, S+1 ...")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same images.")] = 0,
    prompt: Annotated[str, typer.Option(help="What the photo shows; the words of the degradation are added.")] = "",
    model: Annotated[str, typer.Option(help="bundled, a model folder, or a hub id.")] = "bundled",
    sampler: Annotated[
        Literal["own", "paper"], typer.Option(help="paper: Euler ancestral, 100 steps, guidance 7.5 and 1.5.")
    ] = "own",
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps; default: the model's.")] = None,
    guidance_text: Annotated[float | None, typer.Option(help="Text guidance; default: the model's.")] = None,
    guidance_image: Annotated[float | None, typer.Option(help="Image guidance; default: the model's.")] = None,
    structure_correction: Annotated[bool, typer.Option(help="Put the photo's detail back after decoding.")] = True,
    size: Annotated[int | None, typer.Option(min=1, help="Scale the short side to this many pixels first.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for images, records.jsonl and sheet.png.")] = Path("out/synth"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    format: Annotated[Literal["png", "jpg", "webp"], typer.Option(help="Of the degraded images.")] = "png",
    batch_size: Annotated[int, typer.Option(min=1, help="Images of one photo made at a time.")] = 4,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One record a line on stdout, nothing else.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and stop.")] = False,
) -> int:
    """Degrade photos: each photo, at each type and intensity. Writes images, their records and a contact sheet."""
    if sigma is not None and mu is None:
        raise BadOption("--sigma", "goes with --mu")
    parse_mixes(types)
    config = SynthConfig(
        paths=tuple(paths or ()),
        out=out,
        types=types,
        intensities=unit_numbers("--intensity", intensity),
        mu=mu,
        sigma=sigma,
        priors=priors,
        variants=variants,
        seed=seed,
        caption=prompt,
        model=model,
        sampler=sampler,
        steps=steps,
        guidance_text=guidance_text,
        guidance_image=guidance_image,
        structure_correction=structure_correction,
        size=size,
        device=device,
        format=format,
        batch_size=batch_size,
        overwrite=overwrite,
    )
    return _dry_run(config, as_json) if dry_run else _run(config, as_json)


def _run(config: SynthConfig, as_json: bool) -> int:
    from gendeg.jobs.synthesize import synthesize
    from gendeg.primitives.records import Failure

    made, failed = 0, 0
    for row in synthesize(config):
        if isinstance(row, Failure):
            failed += 1
            print(f"gendeg: {row.message}", file=sys.stderr)
        else:
            made += 1
        if as_json:
            print(row.to_json(), flush=True)
    print(f"{made} images in {config.out}" + (f"; {failed} photos failed" if failed else ""), file=sys.stderr)
    if made:
        print(f"look at {config.out / 'sheet.png'}", file=sys.stderr)
    return (SOME_FAILED if made else ERROR) if failed else 0


def _dry_run(config: SynthConfig, as_json: bool) -> int:
    from gendeg.jobs.synth_plan import plan_synthesis

    plan = plan_synthesis(config)
    for sample in plan.samples:
        asked = {
            "path": str(sample.path),
            "degradation": sample.ask.name,
            "intensity": sample.ask.intensity,
            "mu_requested": sample.ask.mu,
            "sigma_requested": sample.ask.sigma,
            "seed": sample.seed,
        }
        print(json.dumps(asked) if as_json else f"{sample.path}  mu {sample.ask.mu:.3f} sigma {sample.ask.sigma:.3f}")
    print(f"{len(plan.samples)} images from {len(plan.photos)} photos; nothing was made", file=sys.stderr)
    return 0
