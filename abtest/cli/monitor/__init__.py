"""``abtest monitor``: how a model does over time: tracked, reported, checked, plotted, exported."""

from __future__ import annotations

from abtest.cli.examples import App
from abtest.cli.monitor import taking_in, watching

app = App(no_args_is_help=True, rich_markup_mode="rich")

_TAKE_IN, _LOOK = "Take in", "Look"

app.command("track", rich_help_panel=_TAKE_IN)(taking_in.track)
app.command("baseline", rich_help_panel=_TAKE_IN)(taking_in.baseline)
app.command("report", rich_help_panel=_LOOK)(watching.report)
app.command("check", rich_help_panel=_LOOK)(watching.check)
app.command("plot", rich_help_panel=_LOOK)(watching.plot)
app.command("export", rich_help_panel=_LOOK)(watching.export)
