"""The command table, and where errors become one line of advice and an exit code."""

import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from gendeg import __version__
from gendeg.build import command as build
from gendeg.bundle import command as bundle
from gendeg.cli.hush import hush_libraries
from gendeg.convert import command as convert
from gendeg.curate import command as curate
from gendeg.doctor import command as doctor
from gendeg.estimator import command as estimator
from gendeg.evaluate import command as evaluate
from gendeg.export import command as export
from gendeg.pairs import command as pairs
from gendeg.play import command as play
from gendeg.primitives.exits import INTERRUPTED, TERMINATED, WRONG_USAGE, advice_for
from gendeg.primitives.memory import keep_freed
from gendeg.primitives.options import one_spelling
from gendeg.primitives.parallel import world
from gendeg.primitives.silence import watched
from gendeg.primitives.streams import mended_streams, say
from gendeg.priors import command as priors
from gendeg.restore import command as restore
from gendeg.study import command as study
from gendeg.synth import command as synth
from gendeg.training import command as train

MAKE, BUILD, TRAIN, MEASURE = "Make degraded photos", "Build a dataset", "Train a model", "Measure and compare"
RESTORE, OTHER = "Restore photos", "Other"
PANELS = (MAKE, BUILD, TRAIN, MEASURE, RESTORE, OTHER)
"""What one wants, in the order in which one comes to it: the panels of the help."""


class Commands(typer.core.TyperGroup):
    """Knows commands of two words too: `evaluate gap` beside `evaluate MODEL`; lists them by what one wants."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)  # groups come last there
        return sorted(names, key=lambda name: PANELS.index(getattr(self.commands[name], "rich_help_panel", OTHER)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:
            print(FIRST_STEPS)
            ctx.exit(0)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        both = " ".join(args[:2])
        return super().resolve_command(ctx, [both, *args[2:]] if both in self.commands else args)


FIRST_STEPS = """\
gendeg: clean photos -> degraded ones, as strong as you ask. Three things to try:

  gendeg synth                          two sample photos in haze (a folder of yours: gendeg synth photos/)
  gendeg build photos/ --out gends/     a dataset of clean and degraded pairs
  gendeg doctor                         whether everything here runs

All commands: gendeg --help. Of one: gendeg synth --help"""

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": one_spelling},
    help="Clean photos → degraded ones (haze, rain, snow, motion blur, low light, raindrop), as strong as you ask.",
    epilog="Start with: gendeg synth photo.jpg --type haze --intensity 0.6",
)
app.command("synth", epilog=synth.EXAMPLE, rich_help_panel=MAKE)(synth.synth)
app.command("play", epilog=play.EXAMPLE, rich_help_panel=MAKE)(play.play)
app.command("records", epilog=synth.RECORDS_EXAMPLE, rich_help_panel=MAKE)(synth.records)
app.command("plan", epilog=build.PLAN_EXAMPLE, rich_help_panel=BUILD)(build.plan)
app.command("build", epilog=build.BUILD_EXAMPLE, rich_help_panel=BUILD)(build.build)
app.command("status", epilog=build.STATUS_EXAMPLE, rich_help_panel=BUILD)(build.status)
app.command("verify", epilog=build.VERIFY_EXAMPLE, rich_help_panel=BUILD)(build.verify)
app.command("repair", epilog=build.REPAIR_EXAMPLE, rich_help_panel=BUILD)(build.repair)
app.command("retry", epilog=build.RETRY_EXAMPLE, rich_help_panel=BUILD)(build.retry)
app.command("report", epilog=evaluate.REPORT_EXAMPLE, rich_help_panel=BUILD)(evaluate.report)
app.command("push", epilog=build.PUSH_EXAMPLE, rich_help_panel=BUILD)(build.push)
app.command("export", epilog=export.EXAMPLE, rich_help_panel=BUILD)(export.export)
app.add_typer(pairs.app, name="pairs", rich_help_panel=TRAIN)
app.command("train", epilog=train.EXAMPLE, rich_help_panel=TRAIN)(train.train)
app.command("train distill", epilog=train.DISTILL_EXAMPLE, rich_help_panel=TRAIN)(train.distill)
app.command("estimator", epilog=estimator.EXAMPLE, rich_help_panel=TRAIN)(estimator.estimator)
app.command("bundle", epilog=bundle.EXAMPLE, rich_help_panel=TRAIN)(bundle.bundle)
app.command("calibrate", epilog=evaluate.CALIBRATE_EXAMPLE, rich_help_panel=TRAIN)(evaluate.calibrate)
app.add_typer(priors.app, name="priors", rich_help_panel=TRAIN)
app.command("evaluate", epilog=evaluate.EVALUATE_EXAMPLE, rich_help_panel=MEASURE)(evaluate.evaluate)
app.command("evaluate gap", epilog=evaluate.GAP_EXAMPLE, rich_help_panel=MEASURE)(evaluate.gap)
app.command("curate", epilog=curate.EXAMPLE, rich_help_panel=MEASURE)(curate.curate)
app.add_typer(restore.app, name="restore", rich_help_panel=RESTORE)
restore.app.command("transfer", epilog=restore.TRANSFER_EXAMPLE)(restore.transfer)
restore.app.command("study", epilog=study.EXAMPLE)(study.study)
app.command("convert", epilog=convert.EXAMPLE, rich_help_panel=OTHER)(convert.convert)
app.command("doctor", epilog=doctor.EXAMPLE, rich_help_panel=OTHER)(doctor.doctor)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """What stands before a command."""


class Terminated(BaseException):
    """SIGTERM, raised where the program stands, so that files are closed and partial ones removed."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    signal.signal(signal.SIGTERM, _terminate)
    hush_libraries()
    keep_freed()
    with mended_streams(), _watching():
        code = _run(arguments)
        if arguments is None and code in (INTERRUPTED, TERMINATED):
            _leave(code)
    sys.exit(code or 0)


def _watching() -> AbstractContextManager[None]:
    """Silence is broken by the first process, unless nobody wants it."""
    with suppress(ValueError):  # a rank that is no number: the command says so
        if world().rank:
            return nullcontext()
    return nullcontext() if os.environ.get("GENDEG_QUIET") else watched("starting")


def _run(arguments: list[str] | None) -> int | None:
    try:
        code = typer.main.get_command(app)(args=arguments, prog_name="gendeg", standalone_mode=False)
        if code == INTERRUPTED:  # typer has caught Ctrl-C
            raise KeyboardInterrupt
    except TyperException as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "gendeg")
        code = _say(f"{error.format_message().rstrip('.')}; see {command} --help", WRONG_USAGE)
    except (Abort, KeyboardInterrupt):
        code = _say("interrupted; what was finished stays", INTERRUPTED)
    except Terminated:
        code = _say("terminated; what was finished stays", TERMINATED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing to say to it
        code = 1
    except Exception as error:
        message, code = advice_for(error)
        _say(message, code)
    return code


def _leave(code: int) -> NoReturn:
    """End a stopped process without Python's farewell, in which a thread that is still in torch's code aborts it.

    Everything of ours is closed by then; a farewell would also wait for the batch that nobody wants any more.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _say(message: str, code: int) -> int:
    say(f"gendeg: {message}")
    return code


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated
