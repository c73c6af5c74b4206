"""``abtest serve``: a registered model answers over HTTP, and experiments run on what it is asked."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from abtest.cli import common
from abtest.cli import options as o

if TYPE_CHECKING:
    from abtest.live.server.keys import Keys

_EXTRA = ("fastapi", "uvicorn", "prometheus_client")
_MODEL, _SERVER, _LOG, _LIMITS = "Which models", "The server", "What is written down", "Limits"


def serve(
    model_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Registered model that answers.", rich_help_panel=_MODEL)
    ] = None,
    stage: o.Stage = None,
    version: o.OneVersion = None,
    alias: o.Alias = None,
    run_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Instead: the model that this run logged.", rich_help_panel=_MODEL),
    ] = None,
    tracking_uri: o.TrackingUri = None,
    registry_uri: o.RegistryUri = None,
    host: Annotated[str, typer.Option(help="Where it listens.", rich_help_panel=_SERVER)] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise; 0: any that is free.", rich_help_panel=_SERVER)] = 8000,
    workers: Annotated[int, typer.Option(metavar="N", help="Processes that answer.", rich_help_panel=_SERVER)] = 1,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keys, one a line: who has none gets no answer. Or set ABTEST_API_KEY.",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    store: o.StoreOption = None,
    log: Annotated[
        bool,
        typer.Option("--log/--no-log", help="Write predictions down; experiments need it.", rich_help_panel=_LOG),
    ] = True,
    durable: Annotated[
        bool, typer.Option("--durable", help="Answer once a prediction is committed.", rich_help_panel=_LOG)
    ] = False,
    log_features: Annotated[
        float, typer.Option(metavar="SHARE", help="Of rows, those whose features are kept.", rich_help_panel=_LOG)
    ] = 0.0,
    deadline: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="In a split: what the challenger has before the champion answers for it.",
            rich_help_panel=_LIMITS,
        ),
    ] = 1.0,
    max_rows: Annotated[int, typer.Option(metavar="N", help="Of a request.", rich_help_panel=_LIMITS)] = 10_000,
    max_body: Annotated[int, typer.Option(metavar="BYTES", help="Of a request.", rich_help_panel=_LIMITS)] = 16_777_216,
    debug: o.Debug = False,
) -> None:
    """Answer requests with a registered model: the version in Production, else with the alias champion.

    A version that is promoted, or rolled back to, answers within seconds. POST /predict, /predict/batch, /feedback, and
    /invocations as MLflow's own server has it; GET /openapi.json tells the rest.

    Example:
        $ abtest serve --model-name digits --stage Production --port 8000
    """
    _refuse_without_extra()
    named = common.reference({"stage": stage, "version": version, "alias": alias})
    from abtest.settings import Settings  # noqa: PLC0415 - --help does not pay for it

    settings = Settings.load(Path.cwd(), os.environ)
    model_name = model_name or settings.registry.get("model_name")
    if run_id is not None and named is not None:
        raise typer.BadParameter("names a model of its own.", param_hint="--run-id")
    if run_id is None and model_name is None:
        raise typer.BadParameter("name a registered model, here or in abtest.toml.", param_hint="--model-name")
    if not log and store is not None:
        raise typer.BadParameter("means nothing with --no-log.", param_hint="--store")
    from abtest.live.server.running import run  # noqa: PLC0415 - what was typed wrongly is told at once
    from abtest.live.server.service import Service  # noqa: PLC0415 - see above
    from abtest.live.store import DEFAULT_URL  # noqa: PLC0415 - see above

    service = Service(
        tracking_uri=tracking_uri or settings.registry.get("tracking_uri"),
        registry_uri=registry_uri or settings.registry.get("registry_uri"),
        model_name=None if run_id is not None else model_name,
        reference=named,
        run_id=run_id,
        store=(store or settings.live.get("store") or DEFAULT_URL) if log else None,
        durable=durable,
        log_features=log_features,
        keys=_keys(api_key_file),
        max_rows=max_rows,
        max_body=max_body,
        deadline=deadline,
        host=host,
        port=port,
        workers=workers,
    )
    if service.is_exposed and not service.keys:
        common.tell(f"Warning: whoever reaches {host} is answered. ABTEST_API_KEY or --api-key-file asks for a key.")
    run(service, ready=lambda told: common.tell(f"{told}  (Ctrl-C ends it)"))


def _refuse_without_extra() -> None:
    from abtest.errors import InvalidInputError  # noqa: PLC0415 - --help does not need it

    if any(importlib.util.find_spec(name) is None for name in _EXTRA):
        raise InvalidInputError(
            "abtest serve needs FastAPI and Uvicorn, which are not installed.",
            hint="pip install 'mlflow-abtest[serve]'",
        )


def _keys(file: Path | None) -> Keys:
    from abtest.live.server.keys import VARIABLE, Keys  # noqa: PLC0415 - --help does not need it

    if file is not None:
        return Keys.from_file(file)
    return Keys.read(os.environ[VARIABLE]) if VARIABLE in os.environ else Keys()
