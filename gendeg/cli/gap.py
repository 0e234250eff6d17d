"""gendeg evaluate gap"""

import sys

from gendeg.cli.errors import SOME_FAILED
from gendeg.configs import GapConfig
from gendeg.primitives.options import command

EXAMPLE = (
    "Example: gendeg evaluate gap --synthetic gends/ --also simulators=pairs/manifest.jsonl --real real/ --out runs/gap"
)


@command(GapConfig)
def gap(config: GapConfig) -> int:
    """Measure how far degraded images are from real ones: gradients, local contrast, frequencies, colours.

    Real photos have no clean half, so the degradation layer is estimated the same way on all sides (arXiv 2208.13133).
    One half of the real photos against the other is the scale.
    """
    from gendeg.jobs.gap import gap as run
    from gendeg.jobs.gap import tabulate

    results = run(config)
    print(tabulate(results))
    for line in results["notes"]:
        print(f"gendeg: {line}", file=sys.stderr)
    print(f"open {config.out / 'gap.html'}; numbers in {config.out / 'gap.json'}", file=sys.stderr)
    return SOME_FAILED if results["failures"] else 0
