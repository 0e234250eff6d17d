"""gendeg restore train, apply, eval, transfer"""

import sys
from typing import Annotated

import typer

from gendeg.primitives.errors import BadOption
from gendeg.primitives.exits import ERROR, SOME_FAILED
from gendeg.primitives.options import command
from gendeg.primitives.parallel import world
from gendeg.restore.config import RestoreApplyConfig, RestoreEvalConfig, RestoreTrainConfig, TransferConfig

TRAIN_EXAMPLE = "Example: gendeg restore train --data gends/ --data pairs/manifest.jsonl --out runs/restorer"
APPLY_EXAMPLE = "Example: gendeg restore apply runs/restorer photos/ --out restored/"
EVAL_EXAMPLE = "Example: gendeg restore eval runs/restorer --pairs pairs/manifest.jsonl --out runs/scores"

app = typer.Typer(no_args_is_help=True, help="Restorers: train them on pairs, use them on photos, measure them.")


@app.command(epilog=TRAIN_EXAMPLE)
@command(RestoreTrainConfig, without=("sizes", "optimizer"))
def train(config: RestoreTrainConfig) -> None:
    """Train one network for all degradations that the data holds: degraded → clean."""
    if not config.content_prior and (config.autoencoder != RestoreTrainConfig.autoencoder or not config.detail_path):
        raise BadOption("--content-prior", "is what --autoencoder and --no-detail-path belong to: give it too")
    from gendeg.restore.train import train_restorer

    print(f"restorer in {train_restorer(config)}", file=sys.stderr)


@app.command(epilog=APPLY_EXAMPLE)
@command(RestoreApplyConfig)
def apply(
    config: RestoreApplyConfig,
    as_json: Annotated[bool, typer.Option("--json", help="One row a line on stdout, nothing else.")] = False,
) -> int:
    """Restore photos of any size. Alpha is put on white; what cannot be read is said, and left out."""
    from gendeg.restore.apply import Restored, restore_photos

    made, failed = 0, 0
    for row in restore_photos(config):
        if isinstance(row, Restored):
            made += 1
        else:
            failed += 1
            print(f"gendeg: {row.message}", file=sys.stderr)
        if as_json:
            print(row.to_json(), flush=True)
    print(f"{made} photos in {config.out}" + (f"; {failed} failed" if failed else ""), file=sys.stderr)
    return (SOME_FAILED if made else ERROR) if failed else 0


@app.command("eval", epilog=EVAL_EXAMPLE)
@command(RestoreEvalConfig)
def evaluate(config: RestoreEvalConfig) -> int:
    """PSNR, SSIM, and for rain, snow and drops what is left (E_R) and what the rest suffered (E_B): before → after.

    Of pairs that were made to order, from which intensity on it helps."""
    from gendeg.restore.eval import report_restorer, tabulate_intensities, tabulate_scores

    results = report_restorer(config)
    print(tabulate_scores(results["summary"]))
    if results["by_intensity"]:
        print("\n" + tabulate_intensities(results["by_intensity"]))
    for failure in results["failures"]:
        print(f"gendeg: {failure['message']}", file=sys.stderr)
    numbers = f"numbers in {config.out / 'results.json'}, each image in {config.out / 'scores.jsonl'}"
    print(f"open {config.out / 'page.html'}; {numbers}", file=sys.stderr)
    return (SOME_FAILED if results["summary"] else ERROR) if results["failures"] else 0


TRANSFER_EXAMPLE = (
    "Example: gendeg restore transfer --pairs pairs/manifest.jsonl --real photos.csv --clean clean/ --type rain "
    "--out runs/transfer"
)


@command(TransferConfig)
def transfer(config: TransferConfig) -> None:
    """Learn from real photos without pairs first, then from a share of the pairs; --compare says what it was worth."""
    from gendeg.restore.transfer.compare import tabulate
    from gendeg.restore.transfer.transfer import transfer as run

    told = run(config)
    if world().rank == 0:
        print(tabulate(told))
        print(f"numbers in {config.out / 'results.json'}, real photos in {config.out / 'real.png'}", file=sys.stderr)
