"""The command line: parses and prints, decides nothing.

Exit codes: 0 done; 1 any error of ours; 2 usage; with ``--gate`` 3 CONDITIONAL, 4 KEEP_CHAMPION, 5
INSUFFICIENT_EVIDENCE; 130 interrupted.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import gc
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from abtest.cli import (
    cleanup,
    compare,
    demo,
    doctor,
    env,
    experiment,
    experiments,
    label,
    lineage,
    models,
    monitor,
    pipeline,
    power,
    predict,
    predictions,
    report,
    retrain,
    runs,
    serve,
    train,
)
from abtest.cli.examples import App
from abtest.errors import AbtestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs

_USAGE, _INTERRUPTED = 2, 130
_SOON = 0.05  # seconds, in which the finalizer that swallowed an interruption is over
_MIDDLE_TO_A_WHOLE = 1000  # collections; Python's own is 10
_NOT_UNDERSTOOD = "The command line was not understood; the log of this command says why."

app = App(
    name="abtest",
    help="May this model replace the one in production? Champion/challenger validation for MLflow.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_DECIDE, _REGISTRY, _LIVE, _AROUND = "Decide", "Look after the registry", "Live, and over time", "Around it"

app.command("compare", rich_help_panel=_DECIDE)(compare.compare)
app.command("compare-predictions", rich_help_panel=_DECIDE)(predictions.compare_predictions)
app.command("power", rich_help_panel=_DECIDE)(power.power)
app.command("train", rich_help_panel=_DECIDE)(train.train)
app.command("retrain", rich_help_panel=_DECIDE)(retrain.retrain)
app.command("predict", rich_help_panel=_DECIDE)(predict.predict)
app.add_typer(
    models.app,
    name="models",
    help="The life of registered models: promote, roll back, history, and more.",
    rich_help_panel=_REGISTRY,
)
app.command("lineage", rich_help_panel=_REGISTRY)(lineage.lineage)
app.command("env", rich_help_panel=_REGISTRY)(env.env)
app.add_typer(
    runs.app,
    name="runs",
    help="MLflow's runs of trainings, comparisons, promotions: list, compare, delete.",
    rich_help_panel=_REGISTRY,
)
app.add_typer(
    experiments.app,
    name="experiments",
    help="MLflow's folders of runs; abtest experiment is one on live traffic.",
    rich_help_panel=_REGISTRY,
)
app.command("cleanup", rich_help_panel=_REGISTRY)(cleanup.cleanup)
app.command("serve", rich_help_panel=_LIVE)(serve.serve)
app.add_typer(
    experiment.app,
    name="experiment",
    help="Champion and challenger on live traffic; abtest experiments are MLflow's.",
    rich_help_panel=_LIVE,
)
app.command("label", rich_help_panel=_LIVE)(label.label)
app.add_typer(
    monitor.app,
    name="monitor",
    help="How a model does over time: tracked, reported, checked, plotted.",
    rich_help_panel=_LIVE,
)
app.add_typer(
    report.app, name="report", help="Reports that are there: all on one page, and drawn again.", rich_help_panel=_AROUND
)
app.command("doctor", rich_help_panel=_AROUND)(doctor.doctor)
app.command("demo", rich_help_panel=_AROUND)(demo.demo)


def _version(*, value: bool) -> None:
    if value:
        from importlib.metadata import version  # noqa: PLC0415 - only --version needs it

        typer.echo(f"abtest {version('mlflow-abtest')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version.", callback=lambda value: _version(value=value), is_eager=True
        ),
    ] = False,
) -> None:
    """May this model replace the one in production? Champion/challenger validation for MLflow."""


def main() -> NoReturn:
    """Run the command line: an error is one line on stderr, and a traceback only with --debug."""
    # CI cancels a job by SIGTERM: to us that is Ctrl-C, so that a run under way is left KILLED and not open.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _look_for_young_garbage_alone()
    try:
        with _no_interruption_lost():
            pipeline.begin(sys.argv[1:])
            app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _interrupted(end)
        if end.code == _USAGE:
            pipeline.fail(sys.argv[1:], _NOT_UNDERSTOOD, "usage")
        raise
    except KeyboardInterrupt as stop:  # where Typer does not catch it
        _interrupted(stop)
        sys.exit(_INTERRUPTED)
    except AbtestError as error:
        _tell(str(error), error)
    except UnicodeEncodeError as error:
        told = f"The output could not be written: its encoding, {error.encoding}, lacks {error.object[error.start]!a}."
        _tell(f"{told} Hint: PYTHONIOENCODING=utf-8.", error)
    except OSError as error:  # ours come as errors of ours: what is left is the output, a full disk or a closed pipe
        _tell(f"The output could not be written: {error.strerror or error}.", error)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug must not look like a verdict, nor pass a gate
        _tell(f"abtest failed unexpectedly: {type(error).__name__}: {error}", error, bug=True)
    sys.exit(1)


@contextlib.contextmanager
def _no_interruption_lost() -> Iterator[None]:
    """Raise an interruption again that came while Python could not pass it on, as in a finalizer.

    Python would print that it ignored it, and go on: a job that was cancelled would promote.
    """
    before = sys.unraisablehook

    def hook(lost: UnraisableHookArgs) -> None:
        if lost.exc_type is not KeyboardInterrupt:
            before(lost)
            return
        again = threading.Timer(_SOON, _thread.interrupt_main, [signal.SIGTERM])
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _look_for_young_garbage_alone() -> None:
    """Spare Python's collector what lives as long as the program: the million objects of a hundred libraries.

    It would look through all of them whenever they have grown by a quarter, and once more at the end: together that is
    a third of a comparison. What a model leaves behind batch after batch is young, and collected as ever.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _MIDDLE_TO_A_WHOLE)
    atexit.register(gc.freeze)


def _interrupted(stop: BaseException) -> None:
    """Tell of an interruption, and of what it left, where somebody noted that on the way up."""
    notes: list[str] = []
    cause: BaseException | None = stop
    while cause is not None:
        notes += getattr(cause, "__notes__", [])
        cause = cause.__cause__ or cause.__context__
    typer.echo(" ".join(["Interrupted.", *notes]), err=True)
    pipeline.fail(sys.argv[1:], "Interrupted: nothing was decided.", "interrupted")


def _tell(message: str, error: Exception, *, bug: bool = False) -> None:
    hint = " Hint: --debug shows where; please report it." if bug else ""
    pipeline.fail(sys.argv[1:], message + hint, type(error).__name__)
    if "--debug" in sys.argv:
        raise error
    typer.secho("Error: ", fg="red", bold=True, nl=False, err=True)
    line = " ".join(message.split()) + hint
    # What a name, or a damaged file, holds must not talk to the terminal.
    typer.echo("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line), err=True)
