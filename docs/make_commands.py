"""Write a page for each command from the program itself: ``python docs/make_commands.py``; the tests say when to."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import typer.main

from abtest.cli import app
from abtest.cli.examples import of

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = Path(__file__).parent / "commands"
_PLAIN = {"--help", "--debug"}  # what every command has: said once
_TOP = """\
# Commands

Written from the program itself. Every command also takes `--help`, which says the same, and most take `--debug`, which
shows where an error came from. Exit codes: 0 done, 1 an error, 2 a usage error, 130 interrupted; what 3, 4 and 5 mean,
a command that uses them says.

| command | what it does |
|---|---|
"""


def pages() -> dict[str, str]:
    """Every page by its file's name, without the folder."""
    root: Any = typer.main.get_command(app)
    told = {f"{name}.md": "\n".join(_page(f"abtest {name}", command)) for name, command in root.commands.items()}
    rows = [f"| [`abtest {name}`]({name}.md) | {_first(command)} |" for name, command in root.commands.items()]
    toctree = ["", "```{toctree}", ":hidden:", "", *root.commands, "```", ""]
    return {"index.md": _TOP + "\n".join([*rows, *toctree]), **told}


def _page(name: str, command: Any) -> Iterator[str]:
    yield f"# {name}\n"
    if not hasattr(command, "commands"):
        yield from _told(name, command)
        return
    yield f"{_first(command)}\n"
    yield "| command | what it does |\n|---|---|"
    for own, inner in command.commands.items():
        yield f"| [`{name} {own}`](#{name.replace(' ', '-')}-{own}) | {_first(inner)} |"
    yield ""
    for own, inner in command.commands.items():
        yield f"## {name} {own}\n"
        yield from _told(f"{name} {own}", inner)


def _told(name: str, command: Any) -> Iterator[str]:
    yield f"{_text(command.help)}\n"
    yield "```text\n" + _usage(name, command) + "\n```\n"
    examples = of(command.epilog)
    if examples:
        yield "For example:\n\n```text\n" + "\n".join(f"$ {line}" for line in examples) + "\n```\n"
    panels: dict[str, list[str]] = {}
    for option in command.params:
        if not set(option.opts) & _PLAIN:
            panel = getattr(option, "rich_help_panel", None) or "Options"
            panels.setdefault("Arguments" if option.param_type_name == "argument" else panel, []).append(_row(option))
    for panel, rows in panels.items():
        yield f"**{panel}**\n\n| option | takes | means |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _usage(name: str, command: Any) -> str:
    words = [option.metavar or option.name.upper() for option in command.params if option.param_type_name == "argument"]
    return " ".join([name, *words, "[OPTIONS]"])


def _row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.param_type_name == "argument":
        names = f"`{option.metavar or option.name.upper()}`"
    kind = "" if getattr(option, "is_flag", False) or option.param_type_name == "argument" else _kind(option)
    default = _default(option)
    return f"| {names} | {kind} | {_cell(option.help or '')}{default} |"


def _kind(option: Any) -> str:
    choices = get_args(option.type_descriptor.annotation)
    if option.metavar or not choices:
        return _cell(f"`{option.metavar or option.type_descriptor.annotation.__name__.upper()}`")
    return ", ".join(f"`{choice}`" for choice in choices)


def _default(option: Any) -> str:
    value = option.default
    if option.required:
        return " Required."
    if value is None or value in ((), [], "", False) or callable(value) or "efault" in (option.help or ""):
        return ""
    return f" Default: `{'on' if value is True else value}`."


def _first(command: Any) -> str:
    return _cell((command.help or "").partition("\n\n")[0])


def _text(help_: str | None) -> str:
    """Help as Markdown: its markup removed, its paragraphs kept."""
    return "\n\n".join(" ".join(part.split()) for part in _plain(help_ or "").split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(_plain(text).split()).replace("|", "\\|")


def _plain(text: str) -> str:
    return re.sub(r"\[/?(?:bold|dim|cyan|green|yellow|red|b|i)\]", "", text).replace("\\[", "[").replace("\f", "")


if __name__ == "__main__":
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    for file, page in pages().items():
        (PAGES / file).write_text(page.rstrip() + "\n", encoding="utf-8")
