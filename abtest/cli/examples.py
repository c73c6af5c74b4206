"""The example that ends a command's help: written in its docstring, shown under its options, run by the tests.

Example:
    A command's docstring ends with lines that could be typed as they stand, in the folder of ``abtest demo``, each at
    most 78 letters long:

    >>> def show(name: str) -> None:
    ...     '''Show a model.
    ...
    ...     Example:
    ...         $ abtest models show digits
    ...     '''
    >>> app = App()
    >>> _ = app.command("show")(show)
    >>> app.registered_commands[0].help
    'Show a model.'
    >>> of(app.registered_commands[0].epilog)
    ('abtest models show digits',)
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD, _PROMPT = "Example:", "$ "


class _Command(TyperCommand):
    """A command whose usage errors are the sentence alone, without what Pydantic puts before it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override] # Typer's own Context
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


class App(typer.Typer):
    """A group of commands, each with the example of its docstring."""

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:  # noqa: ANN401 - Typer's own options, all of them
        """Enter a command, as ``typer.Typer.command`` does; its help ends with its example."""

        def enter(function: Callable[..., Any]) -> Callable[..., Any]:
            told, head, example = (inspect.getdoc(function) or "").partition(f"\n{_HEAD}\n")
            lines = [line.strip() for line in example.splitlines() if line.strip()]
            # Typer's help joins the lines of a paragraph, and reads [ as markup: each line is one, and escaped.
            shown = "\n\n".join(line.replace("[", r"\[") for line in (head.strip(), *lines))
            entered = super(App, self).command(name, cls=_Command, help=told.strip(), epilog=shown or None, **options)
            return entered(function)

        return enter


def of(epilog: str | None) -> tuple[str, ...]:
    """The commands of an example, as they are typed."""
    lines = (epilog or "").replace(r"\[", "[").split("\n\n")
    return tuple(line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT))
