"""Options and settings make one comparison: what was given wins, whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from abtest import defaults
from abtest.errors import InvalidInputError, NotFoundError
from abtest.policy import Policy
from abtest.settings import Settings

SETTINGS = Settings(
    registry={"model_name": "iris", "tracking_uri": "sqlite:///x.db"},
    compare={"test_data": "rows.csv", "target": "kind", "seed": 3, "segments": "region,device", "confidence": 0.9},
    policy={"promote_share": 0.9},
)


def test_what_is_given_wins_over_the_settings() -> None:
    """Each option is the given one, else the settings'; what neither names is left to ``compare``."""
    found = defaults.options({"seed": 4, "model_name": "wine", "segments": ["age"]}, SETTINGS)
    assert (found["seed"], found["model_name"], found["segments"]) == (4, "wine", ("age",))
    assert (found["data"], found["target"], found["tracking_uri"]) == ("rows.csv", "kind", "sqlite:///x.db")
    assert "average" not in found
    assert "test_data" not in found
    assert "output" not in found
    assert defaults.options({}, SETTINGS)["segments"] == ("region", "device")


def test_predictions_are_kept_where_somebody_said_so() -> None:
    """Nothing is kept unless the settings or an option say so; then where the settings say, or in the folder given."""
    assert defaults.options({}, SETTINGS)["cache"] is False
    kept = Settings(compare={"cache": True, "cache_dir": "/kept", "cache_gib": 1.0})
    for given, settings in (({}, kept), ({"cache": True}, Settings(compare={"cache_dir": "/kept"}))):
        assert defaults.options(given, settings)["cache"].folder == Path("/kept/predictions")
    assert defaults.options({"cache": False}, kept)["cache"] is False
    assert defaults.options({"cache": "here"}, kept)["cache"] == "here"


def test_a_policy_that_is_given_is_not_relaxed_by_the_settings() -> None:
    """By name or as it is, a given policy keeps its confidence; one that is given beside it wins."""
    Path("strict.toml").write_text("[policy]\nconfidence = 0.999", encoding="utf-8")
    for given in ("strict.toml", Path("strict.toml"), Policy(confidence=0.999)):
        assert defaults.policy({"policy": given}, SETTINGS).confidence == 0.999
        assert defaults.policy({"policy": given, "confidence": 0.99}, SETTINGS).confidence == 0.99
    assert defaults.policy({}, SETTINGS) == Policy(promote_share=0.9, confidence=0.9)
    assert defaults.policy({"method": "exact"}, Settings()) == Policy(method="exact")
    with pytest.raises(NotFoundError, match=r"nope\.toml"):
        defaults.policy({"policy": "nope.toml"}, SETTINGS)


def test_the_settings_name_a_side_once() -> None:
    """Two kinds of reference for one side contradict each other; several challengers of one kind do not."""
    with pytest.raises(InvalidInputError, match="name the champion twice, by champion_stage and champion_alias"):
        defaults.sides(Settings(compare={"champion_alias": "a", "champion_stage": "Production"}))
    champion, challengers = defaults.sides(Settings(compare={"champion_version": "1", "challenger_version": "2, 3"}))
    assert [str(one) for one in (champion, *challengers)] == ["version 1", "version 2", "version 3"]
    assert defaults.sides(Settings()) == (None, [])


def test_a_uri_may_hold_commas() -> None:
    """A URI is one challenger, whatever it holds; an option that names nothing is an error."""
    (one,) = defaults.references("challenger", {"challenger_uri": ["models/a,b"]})
    assert one.value == "models/a,b"
    with pytest.raises(InvalidInputError, match="challenger-version must name a model"):
        defaults.references("challenger", {"challenger_version": [","]})
