"""Laws of a shadow: whatever the challenger does, the champion answers, and every row offered is logged once."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import pytest

from abtest.live.serving import served as serving
from abtest.live.shadow.child import Child, ChildLostError
from abtest.live.shadow.shadow import Shadow, ShadowRequest, ShadowState
from abtest.registry import RegistryClient
from tests import zoo
from tests.live import moody
from tests.live.moody import Mood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from abtest.live.log import Logged

_PATIENCE = 120


def wait_until(holds: Callable[[], object]) -> None:
    """Wait for a condition, two minutes at most."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with the models of ``moody``."""
    folder = tmp_path_factory.mktemp("moody")
    for name in ("mlflow.store.db.utils", "alembic", "mlflow.pyfunc"):
        logging.getLogger(name).setLevel(logging.ERROR)  # remarks on a database, and on models, made on purpose
    found = zoo.create_database(folder / "mlflow.db")
    moody.register(RegistryClient(found), folder)
    return found


class Traffic:
    """A shadow, what was offered to it, and what it logged."""

    def __init__(self, uri: str, *, version: int = moody.MOODY, **options: float) -> None:
        self.offered: list[int] = []
        self.logged: list[Logged] = []
        self.shadow = Shadow(
            f"models:/{moody.MODEL}/{version}",
            self.logged.extend,
            version=version,
            tracking_uri=uri,
            **{"deadline": 60.0, "memory": 4 << 30, "pause": 0.001, **options},  # type: ignore[arg-type] # some are int
        )

    @property
    def state(self) -> ShadowState:
        """How the shadow is doing."""
        return self.shadow.state()

    def offer(self, *moods: Mood) -> range:
        """Offer one request with a row of each mood, and name its rows."""
        first = self.offered[-1] + 1 if self.offered else 1
        return self.offer_rows(*(moody.row(number, mood) for number, mood in enumerate(moods, first)))

    def offer_rows(self, *rows: object, columns: Sequence[str] | None = None) -> range:
        """Offer one request, and name its rows."""
        first = self.offered[-1] + 1 if self.offered else 1
        self.offered += (sequences := range(first, first + len(rows)))
        self.shadow.offer(
            ShadowRequest(
                server="ab", sequences=sequences, rows=rows, at=5.0, experiment="e", epoch=2, unit="cd", columns=columns
            )
        )
        return sequences

    def ready(self) -> int:
        """Wait for the challenger's process, and name it."""
        wait_until(lambda: self.state.pid)
        return self.state.pid or self.ready()

    def proven(self) -> int:
        """Wait until the process has scored, and name it."""
        pid = self.ready()
        self.settled(self.offer(Mood.PREDICT))
        return pid

    def together(self, *moods: Mood) -> list[int]:
        """Offer a request of each mood so that the challenger gets them at a time, and name their rows."""
        os.kill(pid := self.proven(), signal.SIGSTOP)
        first = self.offer(Mood.PREDICT)  # it is with the challenger by the time that all are there, or all are
        sequences = [number for mood in moods for number in self.offer(mood)]
        os.kill(pid, signal.SIGCONT)
        self.settled(first)
        return sequences

    def settled(self, sequences: Sequence[int]) -> list[Logged]:
        """Wait until rows are logged, and give them."""
        wait_until(lambda: {row.sequence for row in list(self.logged)} >= set(sequences))
        return [row for row in self.logged if row.sequence in set(sequences)]

    def errors(self, sequences: Sequence[int]) -> list[str | None]:
        """Wait until rows are logged, and say what became of them, in their order."""
        rows = {row.sequence: row for row in self.settled(sequences)}
        return [rows[number].error for number in sequences]

    def check(self) -> None:
        """Everything offered is logged once, as the challenger's, served to nobody, and counted as what it is."""
        assert sorted(row.sequence for row in self.logged) == self.offered
        for row in self.logged:
            assert (row.server, row.at, row.arm, row.served) == ("ab", 5.0, "challenger", False)
            assert (row.experiment, row.epoch, row.unit) == ("e", 2, "cd")
            assert row.prediction == (row.sequence if row.error is None else None)
        state, errors = self.state, collections.Counter(row.error for row in self.logged)
        assert (state.offered, state.scored, state.dropped) == (len(self.offered), errors[None], errors["dropped"])
        assert (state.waiting, state.failed) == (0, len(self.offered) - state.scored - state.dropped)


@pytest.fixture
def traffic(uri: str) -> Iterator[Callable[..., Traffic]]:
    """Makes shadows; each is closed in the end, and its books are checked."""
    made: list[Traffic] = []

    def make(**options: float) -> Traffic:
        made.append(Traffic(uri, **options))  # type: ignore[arg-type] # the version is an int
        return made[-1]

    yield make
    for each in made:
        each.shadow.close()
        each.check()


@pytest.fixture(scope="module")
def patient(uri: str) -> Iterator[Traffic]:
    """A shadow that several tests share; its books are checked in the end."""
    one = Traffic(uri)
    yield one
    one.shadow.close()
    one.check()


@pytest.fixture(scope="module")
def hasty(uri: str) -> Iterator[Traffic]:
    """Another one, with a short deadline."""
    one = Traffic(uri, deadline=2.0)
    yield one
    one.shadow.close()
    one.check()


def test_rows_are_scored(patient: Traffic) -> None:
    """A prediction is logged with the version, the time it took, and nothing that went wrong."""
    patient.ready()
    sequences = patient.offer(*[Mood.PREDICT] * 3)
    rows = patient.settled(sequences)
    assert [(row.prediction, row.error, row.model_version) for row in rows] == [(n, None, 2) for n in sequences]
    assert all(0 < row.seconds < _PATIENCE for row in rows)


def test_a_request_of_many_rows_is_scored_in_parts(patient: Traffic) -> None:
    """Rows of a request that is larger than what the challenger is asked at a time are each scored once."""
    assert patient.errors(patient.offer(*[Mood.PREDICT] * 1000)) == [None] * 1000


@pytest.mark.parametrize(
    ("mood", "error", "why"),
    [
        (Mood.RAISE, "raised", "RuntimeError: no such luck"),
        (Mood.QUIT, "raised", "SystemExit"),
        (Mood.SHORTEN, "shape", "shape (0,)"),
        (Mood.NAN, "shape", "predicts nothing"),
        (Mood.EXIT, "crashed", "exit code 7"),
    ],
)
def test_who_goes_wrong_goes_wrong_alone(patient: Traffic, mood: Mood, error: str, why: str) -> None:
    """Requests that the challenger gets together with one that it fails on are scored; that one is its failure."""
    good, bad, more = patient.together(Mood.PREDICT, mood, Mood.PREDICT)
    assert patient.errors([good, bad, more]) == [None, error, None]
    assert why in (patient.state.last_error or "")


@pytest.mark.parametrize(
    ("mood", "error", "why"),
    [
        (Mood.LIE, "shape", "4.29 GB"),
        pytest.param(Mood.NEST, "shape", "no JSON", marks=pytest.mark.slow),
        (Mood.HANG_UP, "crashed", "SIGKILL"),
    ],
)
def test_who_meddles_is_ended(patient: Traffic, mood: Mood, error: str, why: str) -> None:
    """A model that writes to the socket to its parent, or closes it, fails and is started again."""
    pid = patient.ready()
    assert patient.errors(patient.offer(mood)) == [error]
    assert why in (patient.state.last_error or "")
    assert patient.ready() != pid


def test_a_row_that_the_challenger_does_not_take_is_its_failure(patient: Traffic) -> None:
    """Rows that do not fit the challenger's signature, though they did the champion's, count as if it raised."""
    patient.ready()
    sequences = patient.offer_rows({"number": 1})
    assert patient.errors(sequences) == ["raised"]
    assert "mood" in (patient.state.last_error or "")


def test_the_champions_rows_are_told_apart_by_name(patient: Traffic) -> None:
    """Rows in the order of a champion that takes other columns are scored by those that the challenger takes."""
    patient.ready()
    first = patient.offered[-1] + 1 if patient.offered else 1
    rows = [[0, 0.5, first], {"number": first + 1, "weight": 0.5, "mood": 0}]
    sequences = patient.offer_rows(*rows, columns=("mood", "weight", "number"))
    assert [row.prediction for row in patient.settled(sequences)] == list(sequences)


def test_rows_that_cannot_be_sent_fail_alone(patient: Traffic) -> None:
    """Rows that nest too deep to be handed over fail, and neither what is asked with them nor the shadow."""
    os.kill(pid := patient.proven(), signal.SIGSTOP)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    first, good = patient.offer(Mood.PREDICT), patient.offer(Mood.PREDICT)
    bad, more = patient.offer_rows({"number": deep, "mood": 0}), patient.offer(Mood.PREDICT)
    os.kill(pid, signal.SIGCONT)
    assert patient.errors([*first, *good, *bad, *more]) == [None, None, "raised", None]
    assert patient.ready() == pid


@pytest.mark.parametrize("mood", [Mood.HANG, Mood.HOLD, pytest.param(Mood.SPIN, marks=pytest.mark.slow)])
def test_who_hangs_is_ended(hasty: Traffic, mood: Mood) -> None:
    """A challenger that sleeps, spins or holds the interpreter's lock is ended at the deadline, and started again."""
    pid, restarts = hasty.proven(), hasty.state.restarts
    assert hasty.errors(hasty.offer(mood)) == ["deadline"]
    assert hasty.ready() != pid
    assert hasty.errors(hasty.offer(Mood.PREDICT)) == [None]
    assert hasty.state.restarts == restarts + 1


def test_what_comes_before_the_challenger_waits_for_it(traffic: Callable[..., Traffic]) -> None:
    """Loading takes longer than a deadline of a second, and what was offered meanwhile is not late for that."""
    early = traffic(deadline=1.0)
    assert early.errors(early.offer(*[Mood.PREDICT] * 3)) == [None] * 3
    assert early.state.late == 0


def test_what_waits_too_long_is_dropped(hasty: Traffic) -> None:
    """Rows that waited longer than the deadline behind one that hangs are dropped, and said to be late."""
    os.kill(hasty.proven(), signal.SIGSTOP)
    late = hasty.state.late
    hanging, waiting = hasty.offer(Mood.HANG), hasty.offer(*[Mood.PREDICT] * 128)  # too many to go with it
    assert hasty.errors([*hanging, *waiting]) == ["deadline", *["dropped"] * 128]
    assert hasty.state.late == late + 128


def test_a_process_that_reads_nothing_is_given_up(uri: str) -> None:
    """A process that is stopped does not hold up who sends it more than a socket holds."""
    order = {"uri": f"models:/{moody.MODEL}/{moody.MOODY}", "version": 2, "tracking_uri": uri, "registry_uri": None}
    order |= {"loading": 60.0, "deadline": 60.0}
    with Child(order, memory=4 << 30, tick=lambda: False) as child:
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(ChildLostError, match="did not answer in time"):
            child.ask("x" * 10_000_000, within=0.2, most=100)


def test_a_second_one_condemns_the_rest(patient: Traffic) -> None:
    """Of requests that a challenger broke on together, the first two to break it alone are followed by all others."""
    moods = [Mood.PREDICT, Mood.EXIT, Mood.PREDICT, Mood.EXIT, Mood.PREDICT, Mood.EXIT]
    assert patient.errors(patient.together(*moods)) == [None, "crashed", None, "crashed", "crashed", "crashed"]


def test_who_grows_is_ended(traffic: Callable[..., Traffic]) -> None:
    """A challenger beyond its memory is ended, and what it was asked then is its failure."""
    one = traffic(memory=500_000_000)
    pid = one.proven()
    assert 50_000_000 < one.state.resident < 500_000_000
    assert one.errors(one.offer(Mood.GROW)) == ["crashed"]
    assert "more than 500 MB" in (one.state.last_error or "")
    assert one.ready() != pid


@pytest.mark.parametrize("mood", [Mood.HANG, Mood.HOLD])
def test_the_champion_answers_meanwhile(traffic: Callable[..., Traffic], uri: str, mood: Mood) -> None:
    """While the challenger hangs on its first request, the champion answers two hundred, and each offer returns."""
    champion = serving.load(
        f"models:/{moody.MODEL}/{moody.STEADY}",
        RegistryClient(uri),
        name=moody.MODEL,
        version=moody.STEADY,
        run_id=None,
    )
    one = traffic(capacity=101)
    one.ready()
    one.offer(mood)
    for number in range(200):
        assert champion.predict(champion.parse([moody.row(number)])) == [number]
        one.offer(Mood.PREDICT)
    assert [row.error for row in one.logged] == ["dropped"] * 100
    assert (one.state.full, one.state.waiting, one.state.scored) == (100, 101, 0)


def test_offers_return_while_the_process_is_stopped(patient: Traffic) -> None:
    """Offers are taken while the process is stopped, and scored when it goes on."""
    os.kill(pid := patient.proven(), signal.SIGSTOP)
    offered = [number for _ in range(200) for number in patient.offer(Mood.PREDICT)]
    assert patient.state.waiting == len(offered)
    os.kill(pid, signal.SIGCONT)
    assert patient.errors(offered) == [None] * 200


def test_a_model_that_does_not_load_drops_everything(traffic: Callable[..., Traffic]) -> None:
    """Where the challenger does not load, whatever waits and whatever comes is dropped, and the state says why."""
    one = traffic(version=moody.UNLOADABLE)
    first = one.offer(Mood.PREDICT)
    assert one.errors(first) == ["dropped"]
    assert one.errors(one.offer(Mood.PREDICT)) == ["dropped"]
    assert one.state.down == 2
    assert f"models:/{moody.MODEL}/{moody.UNLOADABLE} does not load" in (one.state.last_error or "")
    wait_until(lambda: one.state.restarts)


def test_closing_drops_what_waits(traffic: Callable[..., Traffic]) -> None:
    """What waits when a shadow is closed, with the challenger or for it, is dropped; so is whatever comes later."""
    one = traffic()
    pid = one.proven()
    offered = [*one.offer(Mood.HANG), *one.offer(Mood.PREDICT, Mood.PREDICT)]
    one.shadow.close()
    assert one.errors(offered) == ["dropped"] * 3
    assert one.errors(one.offer(Mood.PREDICT)) == ["dropped"]
    assert (one.state.closed, one.state.pid) == (4, None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_leaves_nothing_behind(
    traffic: Callable[..., Traffic], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a model writes to where temporary files are is gone when the shadow is closed, and when it was killed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    one = traffic()
    one.proven()
    one.errors(one.offer(Mood.LITTER))
    assert list(tmp_path.rglob("litter*"))
    os.kill(one.ready(), signal.SIGKILL)
    wait_until(lambda: not list(tmp_path.rglob("litter*")))
    one.shadow.close()
    assert not list(tmp_path.iterdir())


def test_closing_takes_what_the_model_started(traffic: Callable[..., Traffic]) -> None:
    """Processes that a model has started are ended with its own."""
    one = traffic()
    one.ready()
    one.errors(one.offer(Mood.FORK))
    group = one.ready()
    one.shadow.close()

    def gone() -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, 0)
            return False
        return True

    wait_until(gone)


def test_a_model_is_heard_by_nobody(traffic: Callable[..., Traffic], capfd: pytest.CaptureFixture[str]) -> None:
    """What a model prints comes neither out of the server nor between its answers."""
    one = traffic()
    one.ready()
    assert one.errors(one.offer(Mood.PRINT)) == [None]
    assert capfd.readouterr() == ("", "")


def test_it_gives_way(patient: Traffic, uri: str) -> None:
    """The process has a lower priority than ours, and its command line does not say where models are."""
    pid = patient.ready()
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(ours + 10, 19)
    told = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607 - a fixed command
    assert "abtest.live.shadow.worker" in told
    assert uri not in told


def test_a_log_that_fails_is_told(uri: str) -> None:
    """A log that raises fails no request and does not end the shadow; the state says so."""

    def write(rows: Sequence[Logged]) -> None:
        raise OSError(f"no room for {len(rows)}")

    request = ShadowRequest(server="ab", sequences=[1], rows=[moody.row(1)], at=0.0, experiment="e", epoch=1)
    with Shadow(f"models:/{moody.MODEL}/{moody.MOODY}", write, version=moody.MOODY, tracking_uri=uri) as shadow:
        wait_until(lambda: shadow.state().pid)
        shadow.offer(request)
        wait_until(lambda: shadow.state().scored == 1)
        shadow.offer(request)
        wait_until(lambda: shadow.state().scored == 2)
        wait_until(lambda: shadow.state().last_error)
        assert shadow.state().last_error == "1 row could not be logged: no room for 1."


_ORPHAN = """
import sys, time
from abtest.live.shadow.child import Child, ChildLostError
from abtest.live.shadow.shadow import Shadow, ShadowRequest
uri, model, mood = sys.argv[1:]
shadow = Shadow(model, print, version=2, tracking_uri=uri, deadline=3.0)
while not (pid := shadow.state().pid):
    time.sleep(0.01)
rows = [{"number": 1, "mood": int(mood)}]
shadow.offer(ShadowRequest(server="ab", sequences=[1], rows=rows, at=0.0, experiment="e", epoch=1))
print(pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("mood", [Mood.HANG, Mood.HOLD])
def test_it_does_not_outlive_its_parent(uri: str, mood: Mood, tmp_path: Path) -> None:
    """When the server is killed, the challenger goes too, even one that hangs with the interpreter's lock."""
    model = f"models:/{moody.MODEL}/{moody.MOODY}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(  # noqa: S603 - this interpreter, and the script above
        [sys.executable, "-c", _ORPHAN, uri, model, str(int(mood))], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not _runs(pid))
    assert mood is Mood.HOLD or not list(tmp_path.glob("abtest-shadow-*"))


def _runs(pid: int) -> bool:
    """Whether a process is there, and is not one that nobody has taken note of the end of."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607 - a fixed command
    return bool(told.strip()) and not told.startswith("Z")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
def test_whatever_happens_every_row_is_logged_once(traffic: Callable[..., Traffic], seed: int) -> None:
    """Under moods, kills and stops in any order, offered from several threads, each row is logged once."""
    rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    one = traffic(deadline=0.5, capacity=200, pause=0.01)
    lock = threading.Lock()

    def offer() -> None:
        moods = rng.choices(list(Mood), [40] + [1] * (len(Mood) - 1), k=rng.choice([1, 1, 1, 5, 150]))
        with lock:
            one.offer(*moods)

    for _ in range(25):
        pid = one.state.pid
        if pid and rng.random() < 0.4:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, rng.choice([signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV]))
        threads = [threading.Thread(target=offer) for _ in range(rng.randint(1, 6))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if rng.random() < 0.5:
            one.ready()
