"""What several commands do with what they were given: defaults, progress, printing."""

from __future__ import annotations

import contextlib
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

_ACCEPTABLE = ("conditional", "insufficient-evidence")

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from abtest.comparison import Comparison, Comparisons
    from abtest.decision import Verdict
    from abtest.policy import Policy
    from abtest.registry import Reference
    from abtest.settings import Settings
    from abtest.workflow import Progress


def command_line() -> str:
    """The command as it was typed, for the record."""
    return shlex.join(["abtest", *sys.argv[1:]])


def policy_from(given: Mapping[str, Any], settings: Settings) -> Policy:
    """Read the policy: from the file named on the command line, else from the settings, else the default.

    ``--confidence`` and ``--method`` win over all of them; those of the settings never over a file named on the
    command line.
    """
    from abtest.policy import Policy  # noqa: PLC0415 - --help does not need it
    from abtest.settings import read_toml  # noqa: PLC0415 - see above

    path = given.get("policy") or settings.compare.get("policy")
    options = dict(given) if given.get("policy") else {**settings.compare, **given}
    if path is not None:
        table = read_toml(Path(path).expanduser())
        policy = Policy.from_mapping(table.get("policy", table), source=path)
    else:
        policy = Policy.from_mapping(settings.policy, source=f"{settings.source} [policy]")
    return replace(policy, **{name: options[name] for name in ("confidence", "method") if name in options})


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Guard what models do while they load and predict.

    What they print must not spoil what we print, and one that ends the program must not pass for success.
    """
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it

    with contextlib.redirect_stdout(sys.stderr):
        try:
            yield
        except SystemExit as end:
            raise InvalidInputError("A model ended the program while it was loaded or asked to predict.") from end


def listed(values: Sequence[str] | str | None) -> tuple[str, ...]:
    """Read an option of several values: repeated, or separated by commas.

    Example:
        >>> listed(["region, device", "tier"]), listed(None)
        (('region', 'device', 'tier'), ())
    """
    given = [values] if isinstance(values, str) else values or ()
    return tuple(name.strip() for value in given for name in value.split(",") if name.strip())


def segments(given: Sequence[str] | None, settings: Settings) -> tuple[str, ...]:
    """Read ``--segments``, or those of the settings."""
    if given is None:
        return listed(settings.compare.get("segments"))
    if not listed(given):
        raise typer.BadParameter("must name a column.", param_hint="--segments")
    return listed(given)


def accepted(values: Sequence[str] | None, *, gate: bool) -> tuple[str, ...]:
    """Read ``--accept``: repeated, or separated by commas.

    Example:
        >>> accepted(["conditional,insufficient-evidence"], gate=True)
        ('conditional', 'insufficient-evidence')
    """
    names = tuple(name.lower() for name in listed(values))
    for name in names:
        if name not in _ACCEPTABLE:
            raise typer.BadParameter(f"must be among {', '.join(_ACCEPTABLE)}, got {name!r}.", param_hint="--accept")
    if names and not gate:
        raise typer.BadParameter("means nothing without --gate.", param_hint="--accept")
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
        tell(f"Settings  {_near(settings.source)}")
    if comparison.registry is not None:
        tell(f"Registry  {comparison.registry}")
    if comparison.report is not None:
        tell(f"Report    {_near(comparison.report / 'report.html')}")
    if comparison.run_id is not None:
        tell(f"MLflow    run {comparison.run_id} in experiment '{comparison.experiment}'")


def _near(path: Path) -> Path:
    """Write a path relative to this folder where it is below it."""
    resolved, here = path.resolve(), Path.cwd()
    return resolved.relative_to(here) if resolved.is_relative_to(here) else resolved


def gate_code(verdict: Verdict, accept: Sequence[str]) -> int:
    """The exit code that tells a pipeline the verdict.

    Example:
        >>> from abtest.decision import Verdict
        >>> gate_code(Verdict.PROMOTE, []), gate_code(Verdict.CONDITIONAL, [])
        (0, 3)
        >>> gate_code(Verdict.CONDITIONAL, ["conditional"])
        0
    """
    if verdict.lower().replace("_", "-") in accept:
        return 0
    return {"PROMOTE": 0, "CONDITIONAL": 3, "KEEP_CHAMPION": 4, "INSUFFICIENT_EVIDENCE": 5}[verdict]


def is_unregistered(named: Iterable[Reference | None]) -> bool:
    """Whether a side is named by a URI that is no registered model's."""
    from abtest.registry import Reference  # noqa: PLC0415 - --help does not need it

    uris = [reference.value for reference in named if reference and reference.kind == "uri"]
    return any(Reference.from_uri(uri)[0] is None for uri in uris)


def show(comparison: Comparison | Comparisons, form: str, *, quiet: bool) -> None:
    """Print a comparison on stdout."""
    if form == "json":
        typer.echo(comparison.to_json())
    elif form == "markdown":
        typer.echo(comparison.to_markdown(), nl=False)
    elif quiet:
        typer.echo(str(comparison.verdict))
    else:
        from rich.console import Console  # noqa: PLC0415 - only a table needs it

        from abtest.record import ComparisonRecord  # noqa: PLC0415 - see above
        from abtest.reporter import several, summary, terminal  # noqa: PLC0415 - see above

        record = comparison.record
        words = (
            terminal.render(summary.summarise(record))
            if isinstance(record, ComparisonRecord)
            else terminal.render_several(several.summarise(record))
        )
        width = None if sys.stdout.isatty() else 120  # a pipe has no width of its own
        Console(width=width, highlight=False).print(words)
