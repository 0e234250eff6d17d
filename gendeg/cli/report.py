"""gendeg report"""

import sys

from gendeg.configs import ReportConfig
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg report gends/ --out page.html"


@command(ReportConfig)
def report(config: ReportConfig) -> None:
    """Write one HTML page to look at: pictures with a slider, asked against measured, counts, failures, provenance."""
    from gendeg.jobs.report import report as run

    size = run(config)
    print(f"open {config.out} ({size / 1e6:.1f} MB)", file=sys.stderr)
