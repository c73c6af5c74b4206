"""What several commands do with what they were given: defaults, progress, printing."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from abtest.settings import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from abtest.comparison import Comparison, Comparisons
    from abtest.registry import Reference
    from abtest.settings import Settings
    from abtest.workflow import Progress

_USER = re.compile(r"(?<=://)[^/\s]*@")  # and what a URL says of them


def command_line(*secrets: str | None) -> str:
    """The command as it was typed, for the record, without these secrets and the user and password of any URL."""
    typed = [_USER.sub("***@", word) for word in _without(sys.argv[1:], secrets)]
    return shlex.join(["abtest", *typed])


def _without(words: Sequence[str], secrets: Sequence[str | None]) -> Sequence[str]:
    for secret in filter(None, secrets):
        words = [word.replace(secret, "***") for word in words]
    return words


def registry_uris(tracking_uri: str | None, registry_uri: str | None) -> tuple[str | None, str | None]:
    """Where the registry is: as named on the command line, else in the settings, else MLflow's default."""
    from abtest.settings import Settings as Known  # noqa: PLC0415 - --help does not pay for it

    known = Known.load(Path.cwd(), os.environ).registry
    return tracking_uri or known.get("tracking_uri"), registry_uri or known.get("registry_uri")


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Guard what models, and metrics of one's own, do while they are loaded and asked.

    What they print must not spoil what we print, and one that ends the program must not pass for success.
    """
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it

    with contextlib.redirect_stdout(sys.stderr), _no_way_out():
        try:
            yield
        except SystemExit as end:
            raise InvalidInputError("A model, or a metric of one's own, ended the program.") from end


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """Let ``os._exit`` end this program no more quietly than ``sys.exit``: exit code 0 would pass a gate."""
    leave, here = os._exit, os.getpid()

    def exit_(status: int) -> NoReturn:
        if os.getpid() != here:  # a child that was forked ends itself like this
            leave(status)
        raise SystemExit(status)

    os._exit = exit_
    try:
        yield
    finally:
        os._exit = leave


def reference(given: dict[str, str | None]) -> Reference | None:
    """Read which version is meant, of at most one of stage, version and alias."""
    from abtest.registry import Reference  # noqa: PLC0415 - --help does not need it

    named = {kind: value for kind, value in given.items() if value is not None}
    if len(named) > 1:
        raise typer.BadParameter("name one of them.", param_hint=", ".join(f"--{kind}" for kind in named))
    for kind, value in named.items():
        return Reference(kind=kind, value=value)  # type: ignore[arg-type] # each is one of its kinds
    return None


def segments(given: Sequence[str] | None, settings: Settings) -> tuple[str, ...]:
    """Read ``--segments``, or those of the settings."""
    if given is None:
        return listed(settings.compare.get("segments"))
    if not listed(given):
        raise typer.BadParameter("must name a column.", param_hint="--segments")
    return listed(given)


def accepted(values: Sequence[str] | None, *, asked: bool) -> tuple[str, ...]:
    """Read ``--accept``, which means something where a gate was asked for.

    Example:
        >>> accepted(["conditional,insufficient-evidence"], asked=True)
        ('conditional', 'insufficient-evidence')
    """
    from abtest.decision import accepted as read  # noqa: PLC0415 - --help does not need it
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - see above

    try:
        names = read(listed(values))
    except InvalidInputError as error:
        raise typer.BadParameter(error.message.removeprefix("accept "), param_hint="--accept") from None
    if names and not asked:
        raise typer.BadParameter("means nothing without --gate or --junit.", param_hint="--accept")
    return names


class Bar:
    """A progress bar on stderr, at a terminal only; it shows itself when the first rows are done."""

    def __init__(self, *, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Progress | None:
        return self._tell if self._shown else None

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _tell(self, what: str, done: int, total: int | None) -> None:
        if self._bar is None:
            from rich.console import Console  # noqa: PLC0415 - a pipe does not need it
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - see above

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done)


def tell(message: str, *, quiet: bool = False) -> None:
    """Say something about the work, on stderr, where it spoils no output."""
    if not quiet:
        typer.echo(message, err=True)


def tell_where(comparison: Comparison | Comparisons, settings: Settings, *, quiet: bool) -> None:
    """Say which registry was asked, where the report is, and what was left unfinished."""
    if quiet:
        return
    tell("")
    if settings.source is not None:
        tell(f"Settings  {near(settings.source)}")
    if comparison.registry is not None:
        tell(f"Registry  {comparison.registry}")
    if comparison.report is not None:
        tell(f"Report    {near(comparison.report / 'report.html')}")
    if comparison.run_id is not None:
        tell(f"MLflow    run {comparison.run_id} in experiment '{comparison.experiment}'")


def near(path: Path) -> Path:
    """Write a path relative to this folder where it is below it."""
    resolved, here = path.resolve(), Path.cwd()
    return resolved.relative_to(here) if resolved.is_relative_to(here) else resolved


def is_unregistered(named: Iterable[Reference | None]) -> bool:
    """Whether a side is named by a URI that is no registered model's."""
    from abtest.registry import Reference  # noqa: PLC0415 - --help does not need it

    uris = [reference.value for reference in named if reference and reference.kind == "uri"]
    return any(Reference.from_uri(uri)[0] is None for uri in uris)


def markdown(comparison: Comparison | Comparisons) -> str:
    """Write a comparison fit for a pull-request comment, with a link to its run where it was logged to a server."""
    from abtest.reporter.markdown import run_line  # noqa: PLC0415 - --help does not need it

    text, registry = comparison.to_markdown(), comparison.registry
    if comparison.run_id is None or registry is None:
        return text
    experiment = None
    if registry.tracking_uri.startswith(("http://", "https://")):
        with contextlib.suppress(Exception):  # without a link, the run is named in words
            experiment = registry.client.get_run(comparison.run_id).info.experiment_id
    return f"{text}\n{run_line(comparison.run_id, comparison.experiment, registry.tracking_uri, experiment)}\n"


def show(comparison: Comparison | Comparisons, form: str, *, quiet: bool) -> None:
    """Print a comparison on stdout."""
    if form == "json":
        typer.echo(comparison.to_json())
    elif form == "markdown":
        typer.echo(markdown(comparison), nl=False)
    elif quiet:
        typer.echo(str(comparison.verdict))
    else:
        from abtest.record import ComparisonRecord  # noqa: PLC0415 - see above
        from abtest.reporter import several, summary, terminal  # noqa: PLC0415 - see above

        record = comparison.record
        words = (
            terminal.render(summary.summarise(record))
            if isinstance(record, ComparisonRecord)
            else terminal.render_several(several.summarise(record))
        )
        print_rich(words)


def print_rich(words: RenderableType) -> None:
    """Print what rich lays out; a pipe has no width of its own."""
    from rich.console import Console  # noqa: PLC0415 - only a table needs it

    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(words)
