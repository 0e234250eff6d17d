"""gendeg export"""

import sys

from gendeg.export.config import ExportConfig
from gendeg.primitives.exits import SOME_FAILED
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg export gends/ pairs/manifest.jsonl --to basicsr --out data/   (or promptir, adair, cdd)"


@command(ExportConfig)
def export(config: ExportConfig) -> int:
    """Lay pairs out as another framework's loader wants them, with its lists and settings. Goes on where it stopped."""
    from gendeg.export.export import export as carry

    done = carry(config)
    for failure in done.failed:
        print(f"gendeg: {failure.message}", file=sys.stderr)
    for reason, count in done.left_out.items():
        print(f"gendeg: {count} pairs left out: {reason}", file=sys.stderr)
    failed = f"; {len(done.failed)} could not be read" if done.failed else ""
    print(f"gendeg: {done.pairs} pairs in {config.out}{failed}", file=sys.stderr)
    return SOME_FAILED if done.failed or done.left_out else 0
