"""A lineage tells what is on record of a version, of no other, and names what is not."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from abtest import tracking, workflow
from abtest.books.lineage import lineage
from abtest.lifecycle import Registry
from abtest.record.traced import LineageRecord
from abtest.registry import Reference, RegistryClient
from abtest.reporter.books import lineage as told
from abtest.reporter.books import page, picture
from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "<script>alert('&\"x')</script>"


def version(number: int) -> Reference:
    """That version."""
    return Reference(kind="version", value=str(number))


@pytest.fixture(scope="module")
def story(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> RegistryClient:
    """A registry where version 2 of "iris" was compared with 1, promoted and rolled back, and came from a training."""
    client = RegistryClient(zoo.copy(registered, tmp_path_factory.mktemp("story")))
    compared = workflow.compare(
        data=zoo.fruit(600), target="kind", model_name="iris", tracking_uri=client.tracking_uri, resamples=200,
        save_plot=False, log=True,
    )  # fmt: skip
    assert compared.promote().run_id
    Registry(client.tracking_uri).rollback("iris", why=NASTY)
    second = client.versions("iris")[1].run_id
    around = tracking.begin_run(client.client, "abtest/iris", "training", {"abtest.kind": "training"})
    for key, value in {
        "mlflow.parentRunId": around, "abtest.kind": "candidate", "abtest.data_digest": "d" * 64,
        "abtest.holdout_digest": "h" * 64, "abtest.recipe_digest": "r" * 64, "mlflow.source.git.commit": "c" * 40,
    }.items():  # fmt: skip
        client.client.set_tag(str(second), key, value)
    open_run = tracking.OpenRun(client.client, str(second))
    data = tracking.LoggedDataset(name="fruit.csv", digest="d" * 36, source="postgresql://me:secret@db/fruit")
    open_run.dataset(data, context="training")
    open_run.params({"from": "postgresql://me:secret@db/fruit"})
    return client


def test_what_a_version_comes_from(story: RegistryClient) -> None:
    """Data, code, environment, run and the training around it are told as they were logged; passwords are not."""
    found = lineage(story, "iris", version(2))
    ours = [it for it in found.data if it.whole]
    assert [(it.name, it.context, it.digest, it.path) for it in ours] == [
        ("fruit.csv", "training", "d" * 64, "postgresql://***@db/fruit")
    ]
    assert "secret" not in found.to_json()
    assert found.holdout_digest == "h" * 64
    assert (found.code.git_commit, found.code.recipe_digest) == ("c" * 40, "r" * 64)
    assert (found.run and found.run.kind, found.parent and found.parent.kind) == ("candidate", "training")
    assert found.params == {"depth": "2", "seed": "0", "from": "postgresql://***@db/fruit"}
    assert found.environment is not None
    assert found.environment.required == {"mlflow": ""}


def test_what_became_of_a_version(story: RegistryClient) -> None:
    """Both sides of a comparison tell it, each move tells what it moved, and times in production add up."""
    first, second, third = (lineage(story, "iris", version(number)) for number in (1, 2, 3))
    (as_champion,), (as_challenger,) = first.comparisons, second.comparisons
    assert (as_champion.side, as_champion.other) == ("champion", "2")
    assert (as_challenger.side, as_challenger.other, as_challenger.verdict) == ("challenger", "1", "PROMOTE")
    assert as_champion.run_id == as_challenger.run_id
    assert [it.what for it in second.moves] == [
        "registration of version 2",
        "promotion of version 2",
        "rollback to version 1",
    ]
    assert second.moves[1].comparison_run_id == as_challenger.run_id
    assert (second.moves[2].why, second.moves[2].by) == (NASTY, tracking.user())
    assert [it.now for it in first.served] == [False, True]
    (served,) = second.served
    assert served.since is not None
    assert served.until is not None
    assert served.since <= served.until
    assert (third.comparisons, third.moves, third.served) == ((), (), ())
    assert told.headline(third).startswith("Version 3 of iris was never in production, as far as is on record")


def test_what_is_not_on_record_is_unknown(story: RegistryClient, tmp_path: Path) -> None:
    """A version without a run has no data, code or environment: each is named as unknown."""
    (tmp_path / "bare").mkdir()
    zoo.register(story.client, "bare", str(tmp_path / "bare"))
    found = lineage(story, "bare", Reference(kind="version", value="latest"))
    assert found.unknown[0] == "the run that trained it"
    assert {"the training data", "the git commit", "the environment", "who registered it"} <= set(found.unknown)
    assert (found.run, found.data, found.environment, found.comparisons) == (None, (), None, ())


def test_comparisons_of_another_model_of_that_number_are_not_ours(story: RegistryClient) -> None:
    """A version of another model may have the same number, and one that had it before may be gone."""
    tags = {"abtest.kind": "comparison", "abtest.model_name": "iris", "abtest.challenger_version": "3"}
    with tracking.open_run(story.client, "elsewhere", "foreign", tags) as run:
        run.params({"challenger": "models:/other/3"})
    early = story.client.create_run("0", start_time=1, tags=tags)
    assert early.info.run_id
    assert lineage(story, "iris", version(3)).comparisons == ()
    with tracking.open_run(story.client, "elsewhere", "ours", {**tags, "abtest.experiment": "live"}) as ours:
        run_id = ours.run_id
    story.client.delete_run(run_id)
    (it,) = lineage(story, "iris", version(3)).comparisons
    assert (it.run_id, it.experiment, it.deleted, it.other) == (run_id, "live", True, "unknown")


def test_a_lineage_as_json_text_page_and_picture(story: RegistryClient) -> None:
    """JSON is read again as it was; picture and page are well-formed, ask nothing of the network, and escape all."""
    found = lineage(story, "iris", version(1))
    assert LineageRecord.from_dict(found.to_dict()) == found
    drawing = ET.fromstring(picture.render(found))  # noqa: S314 - our own
    names = [element.tag.rpartition("}")[2] for element in drawing.iter()]
    assert {"title", "desc"} <= set(names)
    assert "script" not in names
    whole = page.render(found, abtest_version="0")
    assert "<script" not in whole
    assert "&lt;script&gt;" in whole
    assert "http" not in whole.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    for text in ("comparison", "rollback to version 1", "in production from"):
        assert text in picture.alt(found)
