"""gendeg play"""

from gendeg.play.config import PlayConfig
from gendeg.primitives.options import command

EXAMPLE = "Example: gendeg play   (then open http://127.0.0.1:7860)"


@command(PlayConfig)
def play(config: PlayConfig) -> None:
    """Open a page to play with: a photo, degradations, strength, a slider between before and after. Local only."""
    from gendeg.play.server import serve

    serve(config)
