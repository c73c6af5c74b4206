"""``abtest models``: the life of registered models, one small command for each step."""

from __future__ import annotations

from abtest.cli.examples import App
from abtest.cli.models import approving, moving, reading, upkeep

app = App(no_args_is_help=True, rich_markup_mode="rich")

_LOOK, _MOVE, _UPKEEP = "Look", "Move", "Look after"

app.command("list", rich_help_panel=_LOOK)(reading.list_models)
app.command("show", rich_help_panel=_LOOK)(reading.show)
app.command("history", rich_help_panel=_LOOK)(reading.history)
app.command("compare", rich_help_panel=_LOOK)(reading.compare)
app.command("register", rich_help_panel=_MOVE)(moving.register)
app.command("promote", rich_help_panel=_MOVE)(moving.promote)
app.command("auto-promote", rich_help_panel=_MOVE)(moving.auto_promote)
app.command("rollback", rich_help_panel=_MOVE)(moving.rollback)
app.command("archive", rich_help_panel=_MOVE)(moving.archive)
app.command("approve", rich_help_panel=_MOVE)(approving.approve)
app.command("reject", rich_help_panel=_MOVE)(approving.reject)
app.command("recover", rich_help_panel=_MOVE)(approving.recover)
app.command("migrate-stages", rich_help_panel=_MOVE)(moving.migrate_stages)
app.command("describe", rich_help_panel=_UPKEEP)(upkeep.describe)
app.command("tag", rich_help_panel=_UPKEEP)(upkeep.tag)
app.command("download", rich_help_panel=_UPKEEP)(upkeep.download)
app.command("delete", rich_help_panel=_UPKEEP)(upkeep.delete)
