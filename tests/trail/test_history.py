"""History is what the trail and the registry say together: whatever they disagree on is shown, never smoothed over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from abtest.trail import History, Movement, Outcome, Process, history_of
from abtest.transitions import Standing, into_production
from tests.test_transitions import applied, version

if TYPE_CHECKING:
    from abtest.registry import ModelVersion
    from abtest.trail import MovementKind

START = datetime(2026, 1, 1, tzinfo=UTC)


def movement(
    sequence: int, versions: list[ModelVersion], number: int, kind: MovementKind = "promotion"
) -> tuple[Movement, list[ModelVersion]]:
    """A move of a version into production that was done, and the registry after it."""
    plan = into_production(number, versions)
    at = START + timedelta(hours=sequence)
    done = Movement(
        run_id=f"run{sequence}", model="m", kind=kind, version=number, plan=plan, before=Standing.of(versions),
        outcome=Outcome.DONE, by="ann", why="a test", process=Process.here(), attempt=str(sequence), began_at=at,
        settled_at=at + timedelta(seconds=1), sequence=sequence,
    )  # fmt: skip
    return done, applied(versions, plan)


def trail_of(*steps: tuple[str, int]) -> tuple[list[Movement], list[ModelVersion]]:
    """A trail of promotions and rollbacks of five versions, the first of which serves at the start; "ui" is unseen."""
    versions = [version(1, "Production"), *(version(n) for n in range(2, 6))]
    movements: list[Movement] = []
    for kind, number in steps:
        if kind == "ui":
            versions = applied(versions, into_production(number, versions))
            continue
        done, versions = movement(len(movements) + 1, versions, number, kind)  # type: ignore[arg-type] # one of two
        movements.append(done)
    return movements, versions


def test_reigns_in_their_order() -> None:
    """What was found, then each move, with who and when; nothing is unrecorded and nothing missing."""
    movements, versions = trail_of(("promotion", 2), ("promotion", 3))
    past = history_of("m", list(reversed(movements)), Standing.of(versions))
    assert [(entry.kind, entry.standing.serving) for entry in past.entries] == [
        ("found", (1,)), ("moved", (2,)), ("moved", (3,)),
    ]  # fmt: skip
    assert [entry.at for entry in past.entries][1] == START + timedelta(hours=1, seconds=1)
    assert (past.unrecorded, past.missing, past.attempts) == ((), (), ())


def test_moves_behind_its_back_are_noticed() -> None:
    """A move that nobody recorded shows between two records, and after the last, within its bounds."""
    movements, versions = trail_of(("promotion", 2), ("ui", 4), ("promotion", 3), ("ui", 5))
    past = history_of("m", movements, Standing.of(versions))
    kinds = [(entry.kind, entry.standing.serving) for entry in past.entries]
    assert kinds == [("found", (1,)), ("moved", (2,)), ("unrecorded", (4,)), ("moved", (3,)), ("unrecorded", (5,))]
    between, since = past.unrecorded
    assert (between.after, between.before) == (movements[0].settled_at, movements[1].began_at)
    assert (since.after, since.before) == (movements[1].settled_at, None)


def test_a_record_that_was_purged_is_missed() -> None:
    """A number that the trail skips is a record that somebody deleted for good."""
    movements, versions = trail_of(("promotion", 2), ("promotion", 3), ("promotion", 4))
    past = history_of("m", [movements[0], movements[2]], Standing.of(versions))
    assert past.missing == (2,)
    assert len(past.unrecorded) == 1


def test_attempts_are_not_history() -> None:
    """What was abandoned, undone or rejected is told apart from what was in production."""
    movements, versions = trail_of(("promotion", 2))
    failed = replace(movements[0], run_id="other", outcome=Outcome.ABANDONED, sequence=None)
    past = history_of("m", [failed, *movements], Standing.of(versions))
    assert past.attempts == (failed,)
    assert len(past.entries) == 2


def test_what_was_cut_off_is_no_strangers_move() -> None:
    """A standing that a move left half-way, or of which the outcome is missing, is told as that move's."""
    movements, versions = trail_of(("promotion", 2))
    for outcome, made in ((Outcome.PENDING, 2), (Outcome.STOPPED, 1), (Outcome.LEFT, 1)):
        following, _ = movement(2, versions, 3)
        cut = replace(following, outcome=outcome, sequence=None, settled_at=None)
        past = history_of("m", [*movements, cut], Standing.of(applied(versions, cut.plan[:made])))
        assert past.unrecorded == ()
        assert past.entries[-1].movement == cut
        past = history_of("m", [*movements, cut], Standing(production=(5,)))
        assert [entry.standing.serving for entry in past.unrecorded] == [(5,)]


def test_nothing_on_record() -> None:
    """Without a trail there is what was found; without anything in production, nothing."""
    past = history_of("m", [], Standing(production=(3,)))
    assert [(e.kind, e.at, e.standing.serving) for e in past.entries] == [("found", None, (3,))]
    assert history_of("m", [], Standing()).entries == ()


def earlier(*steps: tuple[str, int]) -> tuple[tuple[int, ...], ...]:
    """What served before what serves now, the latest first."""
    movements, versions = trail_of(*steps)
    return served(history_of("m", movements, Standing.of(versions)))


def served(past: History) -> tuple[tuple[int, ...], ...]:
    """What served before what serves now, the latest first."""
    return tuple(entry.standing.serving for entry in past.earlier)


def test_a_rollback_takes_back_what_it_rolled_back() -> None:
    """Rolling back twice goes back two, not to and fro."""
    assert earlier() == ()
    assert earlier(("promotion", 2), ("promotion", 3)) == ((2,), (1,))
    assert earlier(("promotion", 2), ("promotion", 3), ("rollback", 2)) == ((1,),)
    assert earlier(("promotion", 2), ("promotion", 3), ("rollback", 2), ("promotion", 4)) == ((2,), (1,))
    assert earlier(("promotion", 2), ("promotion", 1), ("promotion", 3), ("rollback", 1)) == ((2,), (1,))
    assert earlier(("promotion", 2), ("ui", 5)) == ((2,), (1,))
    assert earlier(("promotion", 2), ("rollback", 4)) == ((2,), (1,))  # to one that had never served


def test_what_served_last_can_be_brought_back_where_nothing_serves() -> None:
    """Where nothing serves now, the last that did comes first."""
    movements, _ = trail_of(("promotion", 2))
    assert served(history_of("m", movements, Standing())) == ((2,), (1,))


@given(st.lists(st.tuples(st.sampled_from(["promotion", "rollback", "ui"]), st.integers(1, 5)), max_size=12))
def test_the_last_entry_is_how_it_stands(steps: list[tuple[str, int]]) -> None:
    """Whatever happened, history ends with the registry as it stands, and what served before is not what serves."""
    movements, versions = trail_of(*steps)
    past = history_of("m", movements, Standing.of(versions))
    assert past.entries[-1].standing == Standing.of(versions)
    assert Standing.of(versions).serving not in served(past)[:1]
    assert len([entry for entry in past.entries if entry.kind == "moved"]) == len(movements)
