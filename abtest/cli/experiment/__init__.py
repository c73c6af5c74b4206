"""``abtest experiment``: champion and challenger on live traffic, from the start to a verdict."""

from __future__ import annotations

from abtest.cli.examples import App
from abtest.cli.experiment import analysing, looking, managing

app = App(no_args_is_help=True, rich_markup_mode="rich")

_RUN, _LOOK = "Run", "Look"

app.command("start", rich_help_panel=_RUN)(managing.start)
app.command("ramp", rich_help_panel=_RUN)(managing.ramp)
app.command("pause", rich_help_panel=_RUN)(managing.pause)
app.command("resume", rich_help_panel=_RUN)(managing.resume)
app.command("stop", rich_help_panel=_RUN)(managing.stop)
app.command("list", rich_help_panel=_LOOK)(looking.list_experiments)
app.command("status", rich_help_panel=_LOOK)(looking.status)
app.command("analyze", rich_help_panel=_LOOK)(analysing.analyze)
