"""What a pipeline reads of a comparison: the JUnit file, GitHub's files and annotations, the exit code.

It fails closed. The JUnit file is written before any work, with an error in it, and becomes the result only at the end:
whatever ends the program in between, nobody finds an earlier run's verdict there.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from abtest import wording
from abtest.cli import common
from abtest.errors import InvalidInputError
from abtest.reporter import github, junit
from abtest.reporter.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.comparison import Comparison, Comparisons
    from abtest.decision import Verdict

_OPTION = "--junit"
_ASKS_FOR_HELP = {"--help", "-h", "--version"}


def begin(arguments: Sequence[str]) -> None:
    """Before any work, write to the JUnit file that there is no verdict.

    It is read off the arguments as they were typed: what Typer refuses never comes to a command.

    Raises:
        InvalidInputError: The file cannot be written.
    """
    path = _named(arguments)
    if path is not None and not _ASKS_FOR_HELP & set(arguments):
        write_whole(path, junit.render_error(junit.UNFINISHED), "junit")


def fail(arguments: Sequence[str], message: str, kind: str) -> None:
    """Say wherever a pipeline looks that there is no verdict, and why."""
    told = wording.redacted(message)
    if _in_github():
        typer.echo(github.command("error", told), err=True)
    path = _named(arguments)
    if path is not None:
        with contextlib.suppress(InvalidInputError):  # what went wrong first is what is told
            write_whole(path, junit.render_error(told, kind), "junit")


def announce(comparison: Comparison | Comparisons, *, gate: bool, accept: Sequence[str]) -> None:
    """Show a comparison on the page of a GitHub job, where there is one.

    Args:
        comparison: What was found.
        gate: Whether the verdict decides how the command ends.
        accept: What passes beside PROMOTE.
    """
    from abtest.decision import passes  # noqa: PLC0415 - --help does not need it

    _append("GITHUB_STEP_SUMMARY", lambda: common.markdown(comparison))
    if _in_github():
        for line in github.annotated(comparison.record, passed=passes(comparison.verdict, accept), gate=gate):
            typer.echo(line, err=True)


def finish(comparison: Comparison | Comparisons, *, file: str | None, accept: Sequence[str]) -> None:
    """When all is done, write the result where a pipeline reads it: into GitHub's outputs and the JUnit file.

    Raises:
        InvalidInputError: The JUnit file cannot be written any more.
    """
    report = None if comparison.report is None else str(comparison.report.resolve())
    found = {"verdict": str(comparison.verdict), "report": report, "run-id": comparison.run_id}
    _append("GITHUB_OUTPUT", lambda: github.outputs(found))
    if file is not None:
        write_whole(Path(file), junit.render(comparison.record, accept), "junit")


def exit_code(verdict: Verdict, accept: Sequence[str]) -> int:
    """The exit code that tells a pipeline the verdict.

    Example:
        >>> from abtest.decision import Verdict
        >>> exit_code(Verdict.PROMOTE, []), exit_code(Verdict.CONDITIONAL, [])
        (0, 3)
        >>> exit_code(Verdict.CONDITIONAL, ["conditional"])
        0
    """
    from abtest.decision import passes  # noqa: PLC0415 - --help does not need it

    if passes(verdict, accept):
        return 0
    return {"CONDITIONAL": 3, "KEEP_CHAMPION": 4, "INSUFFICIENT_EVIDENCE": 5}[verdict]


def _named(arguments: Sequence[str]) -> Path | None:
    """Find the JUnit file among arguments; the last one named counts, as it does for Typer."""
    found = None
    for i, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == _OPTION and i + 1 < len(arguments):
            found = arguments[i + 1]
        elif argument.startswith(f"{_OPTION}="):
            found = argument.removeprefix(f"{_OPTION}=")
    return None if found is None else Path(found)


def _in_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _append(variable: str, text: Callable[[], str]) -> None:
    """Append to a file that GitHub named; one that cannot be written changes no verdict."""
    path = os.environ.get(variable)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(text())
    except OSError as error:
        typer.echo(f"Warning: {variable} {path} cannot be written: {error.strerror}.", err=True)
