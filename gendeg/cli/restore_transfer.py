"""gendeg restore transfer"""

import sys

from gendeg.configs import TransferConfig
from gendeg.primitives.options import command
from gendeg.primitives.ranks import world

EXAMPLE = (
    "Example: gendeg restore transfer --pairs pairs/manifest.jsonl --real photos.csv --clean clean/ --type rain "
    "--out runs/transfer"
)


@command(TransferConfig)
def transfer(config: TransferConfig) -> None:
    """Learn from real photos without pairs first, then from a share of the pairs; --compare says what it was worth."""
    from gendeg.jobs.restore_transfer import transfer as run
    from gendeg.jobs.transfer_compare import tabulate

    told = run(config)
    if world().rank == 0:
        print(tabulate(told))
        print(f"numbers in {config.out / 'results.json'}, real photos in {config.out / 'real.png'}", file=sys.stderr)
