"""gendeg restore study"""

import sys

from gendeg.configs import StudyConfig
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg restore study --recipe ood --clean photos/ --pairs pairs/manifest.jsonl --out out/study"


@command(StudyConfig)
def study(config: StudyConfig) -> None:
    """Train restorers with and without generated data, test them in and out of distribution, and write a page."""
    from gendeg.jobs.study import study as run

    done = run(config)
    claim = done.results["difference"]["claim"]
    gains, met = ", ".join(claim["better"]) or "no degradation", "met" if claim["met"] else "not met"
    print(f"{done.made} trainings made; on unseen sources generated data clearly helps {gains}")
    print(f"(the paper's claim, {claim['wanted']} degradations or more, is {met}; the page has every interval)")
    print(f"open {done.page}", file=sys.stderr)
