"""gendeg convert"""

import sys

from gendeg.cli.errors import ERROR
from gendeg.configs import ConvertConfig
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg convert gendeg.ckpt --structure nafnet_sd.ckpt --base sd15/ --out model/"


@command(ConvertConfig)
def convert(config: ConvertConfig) -> int:
    """Turn the authors' checkpoint into a model folder, every key accounted for."""
    from gendeg.jobs.agreement import doubt
    from gendeg.jobs.convert import convert as run

    rows = run(config)
    if not config.base:
        print("gendeg: no --base, so the tokenizer is a stand-in: prompts will mean nothing to it", file=sys.stderr)
    print(f"gendeg: model in {config.out}", file=sys.stderr)
    for row in rows:
        print(f"{row.quantity:<13} {row.error:9.2e}  {'agrees' if row.close else 'DIFFERS'}")
    if reason := doubt(rows):
        print(f"gendeg: {reason}", file=sys.stderr)
    return 0 if all(row.close for row in rows) else ERROR
