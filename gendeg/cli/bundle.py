"""gendeg bundle"""

import sys

from gendeg.cli.errors import SOME_FAILED
from gendeg.configs import BundleConfig
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg bundle photos/ --recipe manifests/recipes/bundled.toml --out runs/bundled --minutes 60"


@command(BundleConfig)
def bundle(config: BundleConfig) -> int:
    """Make a model from nothing but clean photos: train on pairs simulated meanwhile, fit priors, export."""
    from gendeg.jobs.bundle import make_bundle

    model = make_bundle(config)
    failures = config.out / "photos" / "failures.jsonl"
    sheets = sorted((config.out / "diffusion").glob("sheet-*.png"))
    print(f"model in {model}, its sheet {sheets[-1]}; try it: gendeg synth --model {model}", file=sys.stderr)
    if failures.exists():
        print(f"some photos could not be read: {failures}", file=sys.stderr)
    return SOME_FAILED if failures.exists() else 0
