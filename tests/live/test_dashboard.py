"""The dashboard: few panels, a question each, in the house's colours, and nothing tied to one Grafana."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

from abtest.reporter import palette
from tests.live import scraped

if TYPE_CHECKING:
    from collections.abc import Iterator

PANELS: list[dict[str, Any]] = scraped.DASHBOARD["panels"]
VARIABLES = {each["name"]: each for each in scraped.DASHBOARD["templating"]["list"]}


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two panels cover each other."""
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def colours(part: Any) -> Iterator[str]:
    """Every colour named under a part."""
    if isinstance(part, dict):
        for value in part.values():
            yield from colours(value)
    elif isinstance(part, list):
        for value in part:
            yield from colours(value)
    elif isinstance(part, str) and re.fullmatch(r"#[0-9a-f]{6}", part):
        yield part


def test_each_panel_answers_a_question() -> None:
    """A panel's title is a question, it says more below, and asks Prometheus something."""
    for panel in PANELS:
        if panel["type"] != "row":
            assert panel["title"].endswith("?")
            assert panel["description"].endswith(".")
            assert panel["targets"]
    assert len(PANELS) <= 25


def test_panels_lie_beside_each_other() -> None:
    """No two panels share an id or a place, and all fit Grafana's 24 columns."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    places = [panel["gridPos"] for panel in PANELS]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not any(overlap(one, other) for one, other in combinations(places, 2))


def test_the_colours_are_the_house_s() -> None:
    """Every colour is one of the four; the champion is slate, the challenger blue, wherever they are drawn."""
    house = {palette.CHAMPION, palette.CHALLENGER, palette.BETTER, palette.WORSE}
    assert set(colours(scraped.DASHBOARD)) == house
    for panel in PANELS:
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            of = override["matcher"]["options"].strip("/^")
            if of in {"champion", "challenger"}:
                meant = palette.CHAMPION if of == "champion" else palette.CHALLENGER
                assert override["properties"][0]["value"]["fixedColor"] == meant


def test_it_runs_on_any_grafana() -> None:
    """Which Prometheus, experiment and watched model are variables; every query goes to the one chosen."""
    assert set(VARIABLES) == {"datasource", "experiment", "model"}
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in PANELS:
        for asked in panel.get("targets", []):
            assert asked["datasource"] == panel["datasource"] == chosen
            of_experiment = "abtest_experiment" in asked["expr"]
            assert ('experiment="$experiment"' in asked["expr"]) == of_experiment
            assert ('model="$model"' in asked["expr"]) == ("abtest_monitor" in asked["expr"])
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(scraped.DASHBOARD))) - {"__rate_interval"}
    assert used == set(VARIABLES)
