"""The manifests, and the image they run, ask for what the server offers; no cluster and no Docker engine is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from abtest.cli import app
from abtest.live.server import guard, running
from abtest.live.server.app import ROUTES

ROOT = Path(__file__).parent.parent.parent
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
DOCUMENTS: list[dict[str, Any]] = [one for file in MANIFESTS for one in yaml.safe_load_all(file.read_text("utf-8"))]
OF_KIND = {document["kind"]: document for document in DOCUMENTS}
TEMPLATE: dict[str, Any] = OF_KIND["Deployment"]["spec"]["template"]
(CONTAINER,) = TEMPLATE["spec"]["containers"]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")


def options() -> dict[str, Any]:
    """The container's arguments, as ``abtest serve`` reads them."""
    entry = re.search(r'^ENTRYPOINT \["abtest", "serve"\]$', DOCKERFILE, re.MULTILINE)
    assert entry is not None
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined] # it is a group
    with serve.make_context("serve", list(CONTAINER["args"])) as context:
        return dict(context.params)


def test_they_are_kubernetes_own() -> None:
    """Each document fits Kubernetes' schema of its kind, with no field that is not there."""
    validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    for document in DOCUMENTS:
        validate.validate(document, validate.latest_version(), strict=True)


def test_ports_agree() -> None:
    """Server, container, service, image and annotation mean the same port."""
    (port,) = CONTAINER["ports"]
    assert options()["port"] == port["containerPort"]
    assert f"EXPOSE {port['containerPort']}" in DOCKERFILE
    assert TEMPLATE["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert [each["targetPort"] for each in OF_KIND["Service"]["spec"]["ports"]] == [port["name"]]


def test_what_is_probed_is_served_without_a_key() -> None:
    """Every probe asks for a path that there is, and that needs no key; so does no other but the scrape."""
    paths = {path for method, path, _ in ROUTES if method == "GET"}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = CONTAINER[probe]["httpGet"]
        assert asked["path"] in paths & set(guard.OPEN)
        assert asked["port"] == CONTAINER["ports"][0]["name"]
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] != CONTAINER["readinessProbe"]["httpGet"]["path"]
    assert TEMPLATE["metadata"]["annotations"]["prometheus.io/path"] in paths


def test_the_secret_has_what_is_read_of_it() -> None:
    """Each key of a secret that is used is in the example, and the file of API keys is where the server looks."""
    secret = OF_KIND["Secret"]
    read = [each["valueFrom"]["secretKeyRef"] for each in CONTAINER["env"]]
    (volume,) = (each["secret"] for each in TEMPLATE["spec"]["volumes"] if "secret" in each)
    names = {each["name"] for each in read} | {volume["secretName"]}
    assert names == {secret["metadata"]["name"]}
    assert {each["key"] for each in read} | {item["key"] for item in volume["items"]} == set(secret["stringData"])
    mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert options()["api_key_file"] == Path(mounts["keys"]) / volume["items"][0]["path"]


def test_whoever_is_asked_to_end_has_the_time() -> None:
    """A pod goes on until no more is sent to it, and then has longer than it takes to answer what it accepted."""
    command, seconds = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert TEMPLATE["spec"]["terminationGracePeriodSeconds"] > int(seconds) + running.PATIENCE


def test_labels_select_the_pods() -> None:
    """Deployment, service and budget mean the same pods."""
    labels = TEMPLATE["metadata"]["labels"]
    selectors = [OF_KIND[kind]["spec"]["selector"] for kind in ("Deployment", "PodDisruptionBudget")]
    assert [each["matchLabels"] for each in selectors] == [labels, labels]
    assert OF_KIND["Service"]["spec"]["selector"] == labels


def test_it_runs_as_nobody() -> None:
    """The image and the pod run as the same user without rights, on a read-only root."""
    assert f"USER {TEMPLATE['spec']['securityContext']['runAsUser']}" in DOCKERFILE
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    assert any(each["mountPath"] == "/tmp" for each in CONTAINER["volumeMounts"])  # noqa: S108 - where a server keeps what its workers count
