"""gendeg curate"""

import sys

from gendeg.cli.errors import SOME_FAILED
from gendeg.configs import CurateConfig
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg curate pairs/manifest.jsonl gends/ --out curated.jsonl --samples 2000 --backgrounds 200"


@command(CurateConfig)
def curate(config: CurateConfig) -> int:
    """Measure how complex backgrounds and degradations are, and choose pairs whose degradation is the harder half.

    Restorers learn whichever half is simpler (arXiv 2502.12600): few and simple backgrounds under varied degradations
    generalise better. Pairs out of a dataset are written beside the manifest as images: mind the size.
    """
    from gendeg.jobs.curate import curate as run
    from gendeg.jobs.curate import say

    curated = run(config)
    table, talk = say(curated)
    print(table)
    for line in talk:
        print(line, file=sys.stderr)
    return SOME_FAILED if curated.bad else 0
