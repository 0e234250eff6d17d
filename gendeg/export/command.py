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
    from gendeg.export.layouts import LAYOUTS

    done = carry(config)
    for failure in done.failed:
        print(f"gendeg: {failure.message}", file=sys.stderr)
    for reason, count in done.left_out.items():
        print(f"gendeg: pairs left out: {count} ({reason})", file=sys.stderr)
    if done.shortest < (patch := LAYOUTS[config.to].patch):
        note = f"crops of this loader are {patch} pixels unless it is told another size, and a photo's side is"
        print(f"gendeg: {note} {done.shortest}", file=sys.stderr)
    failed = f"; {len(done.failed)} could not be read" if done.failed else ""
    print(f"gendeg: pairs in {config.out}: {done.pairs}{failed}", file=sys.stderr)
    return SOME_FAILED if done.failed or done.left_out else 0
