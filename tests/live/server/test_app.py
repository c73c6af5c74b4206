"""What a server answers: to what it is asked, to what it cannot read, and to who may not ask."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from abtest.live.store import Store
from tests import zoo
from tests.live.servers import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = ("the-old-key-of-2025", "the-new-key-of-2026")
PEAR, APPLE = {"width": 5.0, "height": 9.0}, {"width": 9.0, "height": 5.0}
JSON = {"Content-Type": "application/json"}
MOST_ROWS, MOST_BODY = 5, 2000


@pytest.fixture(scope="module")
def folder(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a registry of "iris", whose version 1 is in Production, and whom the server answers."""
    made = tmp_path_factory.mktemp("serving")
    zoo.copy(registered, made)
    (made / "keys").write_text("\n".join(KEYS), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server with small limits, and keys."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    limits = ("--max-rows", str(MOST_ROWS), "--max-body", str(MOST_BODY))
    with serving(
        "--model-name", "iris", "--tracking-uri", uri, "--api-key-file", "keys", "--log-features", "1", *limits,
        folder=folder,
    ) as server:  # fmt: skip
        server.client.headers["Authorization"] = f"Bearer {KEYS[0]}"
        yield server


def test_a_row_is_predicted_in_either_form(server: Server) -> None:
    """A row in the columns' order and one by name are predicted alike, and every answer says by whom."""
    for body in ({"features": [5.0, 9.0]}, {"features": PEAR}, PEAR, {**PEAR, "unit": "user-1"}):
        answer = server.post("/predict", body)
        assert answer.pop("prediction_id").split("-")[0] == server.info()["server"]
        assert answer == {
            "prediction": "pear", "model_version": 1, "arm": "champion", "epoch": None, "sticky": "unit" in body
        }  # fmt: skip


def test_a_batch_is_answered_row_by_row(server: Server) -> None:
    """A batch has an answer a row, in order, with ids that count by one."""
    body = {"instances": [PEAR, [9.0, 5.0], PEAR], "units": ["a", None, 7]}
    answers = server.post("/predict/batch", body)["predictions"]
    assert [answer["prediction"] for answer in answers] == ["pear", "apple", "pear"]
    assert [answer["sticky"] for answer in answers] == [True, False, True]
    numbers = [int(answer["prediction_id"].split("-")[1]) for answer in answers]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_a_label_is_in_the_log_when_it_is_answered(server: Server, folder: Path) -> None:
    """A label that is answered is committed; the same again changes nothing, another is a correction."""
    named = server.post("/predict", PEAR)["prediction_id"]
    label = {"prediction_id": named, "label": "pear"}
    assert server.post("/feedback", label, status=201)["received"] == "recorded"
    with Store(f"sqlite:///{folder / 'abtest-live.db'}") as store:
        (other,) = store.record([_feedback(named, "pear")])
    assert other.received == "unchanged"
    assert server.post("/feedback", label)["received"] == "unchanged"
    assert server.post("/feedback", {**label, "label": "apple"})["received"] == "corrected"


def _feedback(named: str, label: str) -> Any:
    from abtest.live.log import Feedback

    return Feedback(prediction_id=named, label=label)


def test_labels_are_answered_for_one_by_one(server: Server) -> None:
    """Of many labels each has its own status: recorded, kept aside, or refused with the reason."""
    named = server.post("/predict", PEAR)["prediction_id"]
    labels = [
        {"prediction_id": named, "label": "pear"},
        {"prediction_id": "abc-7", "label": "pear"},
        {"prediction_id": named},
        {"prediction_id": named, "label": [1]},
        {"prediction_id": "nobody's", "label": 1},
    ]
    for body in (labels, {"feedback": labels}):
        results = server.post("/feedback", body, status=207)["results"]
        assert [result["status"] for result in results[1:]] == [202, 422, 422, 422]
        assert all(result["error"] for result in results[2:])
    assert server.post("/feedback", labels[3], status=422)["error"].startswith("label must be")


def test_a_server_says_what_serves(server: Server) -> None:
    """What serves is told with its place in the registry, its signature and how it is asked."""
    info = server.info()
    assert (info["name"], info["version"], info["stage"], info["aliases"]) == ("iris", 1, "Production", [])
    assert [column["name"] for column in info["signature"]["inputs"]] == ["width", "height"]
    assert (info["experiment"], info["epoch"], info["trouble"]) == (None, None, None)
    assert info["run_id"]
    assert info["flavor"]
    assert info["path"]


BAD: list[tuple[str, Any, dict[str, str], int, str]] = [
    ("/predict", b"{", JSON, 400, "no JSON"),
    ("/predict", b"", JSON, 400, "no JSON"),
    ("/predict", b'{"width": NaN, "height": 1}', JSON, 400, "NaN"),
    ("/predict", b'{"width": -Infinity, "height": 1}', JSON, 400, "Infinity"),
    ("/predict", b'{"width": 1e999, "height": 1}', JSON, 422, "width"),
    ("/predict", b"[" * 900 + b"]" * 900, JSON, 422, "object"),
    ("/predict", b'{"a":' * 300 + b"1" + b"}" * 300, JSON, 422, "'a'"),
    ("/predict", b"\xff\xfe", JSON, 400, "UTF-8"),
    ("/predict", b"1" * 1500, JSON, 422, "object"),
    ("/predict", [1, 2], {}, 422, "object"),
    ("/predict", {"width": 1}, {}, 422, "height"),
    ("/predict", {"width": "1", "height": 1}, {}, 422, "width"),
    ("/predict", {"width": True, "height": 1}, {}, 422, "width"),
    ("/predict", {"width": [1], "height": 1}, {}, 422, "width"),
    ("/predict", {**PEAR, "depth": 1}, {}, 422, "depth"),
    ("/predict", {"features": [1]}, {}, 422, "2 values"),
    ("/predict", {**PEAR, "unit": ""}, {}, 422, "unit"),
    ("/predict", {**PEAR, "unit": [1]}, {}, 422, "unit"),
    ("/predict", json.dumps(PEAR).encode(), {"Content-Type": "text/plain"}, 415, "Content-Type"),
    ("/predict", json.dumps(PEAR).encode(), {"Content-Type": "application/json; charset=utf-16"}, 415, "UTF-8"),
    ("/predict", json.dumps(PEAR).encode(), {}, 415, "Content-Type"),
    ("/predict", gzip.compress(json.dumps(PEAR).encode(), mtime=0), {**JSON, "Content-Encoding": "gzip"}, 415, "gzip"),
    ("/predict", b" " * (MOST_BODY + 1), JSON, 413, "2,000 bytes"),
    ("/predict/batch", PEAR, {}, 422, "instances"),
    ("/predict/batch", {"instances": []}, {}, 422, "no rows"),
    ("/predict/batch", {"instances": [PEAR] * (MOST_ROWS + 1)}, {}, 413, "5 rows"),
    ("/predict/batch", {"instances": [PEAR, {"width": 1}]}, {}, 422, "Row 2"),
    ("/predict/batch", {"instances": [PEAR], "units": []}, {}, 422, "units"),
    ("/feedback", {"feedback": []}, {}, 422, "no rows"),
    ("/feedback", "pear", {}, 422, "object"),
    ("/invocations", b"width\n1\n", {"Content-Type": "text/html"}, 415, "Content-Type"),
    ("/invocations", {"width": 1}, {}, 400, "dataframe_split"),
    ("/invocations", b"{", JSON, 400, "no JSON"),
    ("/invocations", {"dataframe_records": [PEAR] * 6}, {}, 413, "5 rows"),
]


@pytest.mark.parametrize("request_", BAD, ids=lambda request: f"{request[0]} {str(request[1])[:40]}")
def test_what_cannot_be_answered_is_refused_with_what_and_where(
    server: Server, request_: tuple[str, Any, dict[str, str], int, str]
) -> None:
    """Whatever is wrong with a request is a 4xx that says what it is, and the server goes on."""
    path, body, headers, status, says = request_
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = server.client.post(path, headers=headers, **content)
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert set(told) == {"error", "hint", "field", "row"}
    assert says in told["error"]
    assert server.is_ready()


def test_an_error_names_field_and_row(server: Server) -> None:
    """A value at fault is found by its field, and in a batch by its row."""
    told = server.post(
        "/predict/batch", {"instances": [PEAR, {**PEAR, "width": None}, {**PEAR, "width": "x"}]}, status=422
    )
    assert (told["field"], told["row"]) == ("width", 3)
    assert server.post("/predict", {"width": "x", "height": 1}, status=422)["row"] is None


def test_a_body_without_a_length_is_limited_too(server: Server) -> None:
    """A body that is sent in chunks is refused once it is too large, whatever it said."""
    answer = server.client.post("/predict", headers=JSON, content=(b" " * 500 for _ in range(100)))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/docs", 404),  # a page that would load scripts of another site
        ("GET", "/predict", 405),
        ("DELETE", "/feedback", 405),
        ("POST", "/health", 405),
    ],
)
def test_what_is_not_there_is_told_like_any_error(server: Server, method: str, path: str, status: int) -> None:
    """A path and a method that are not there are errors of the same shape."""
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "hint", "field", "row"}
    assert (status == 405) == ("allow" in answer.headers)


def test_who_has_no_key_is_told_nothing_but_health(server: Server) -> None:
    """Without a key, or with a wrong one, everything is 401 but health and ping; each key in force is enough."""
    with httpx.Client(base_url=server.client.base_url) as stranger:
        for path in ("/health", "/health/live", "/ping"):
            assert stranger.get(path).status_code == 200
        for path in ("/model/info", "/version", "/openapi.json", "/docs", "/metrics", "/nothing"):
            answer = stranger.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert stranger.post("/predict", json=PEAR).status_code == 401
        wrong = {"Authorization": f"Bearer {KEYS[0]}x"}
        assert stranger.post("/predict", json=PEAR, headers=wrong).status_code == 401
        for headers in ({"X-API-Key": KEYS[1]}, {"Authorization": f"Bearer {KEYS[1]}"}):
            assert stranger.post("/predict", json=PEAR, headers=headers).status_code == 200
    assert not any(key in server.said for key in KEYS)
