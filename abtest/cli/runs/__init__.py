"""``abtest runs``: what MLflow keeps of each training, comparison and promotion."""

from __future__ import annotations

from abtest.cli.examples import App
from abtest.cli.runs import deleting, listing, looking

app = App(no_args_is_help=True, rich_markup_mode="rich")

_LOOK, _DELETE = "Look", "Delete"

app.command("list", rich_help_panel=_LOOK)(listing.list_runs)
app.command("show", rich_help_panel=_LOOK)(looking.show)
app.command("compare", rich_help_panel=_LOOK)(looking.compare)
app.command("delete", rich_help_panel=_DELETE)(deleting.delete)
app.command("restore", rich_help_panel=_DELETE)(deleting.restore)
