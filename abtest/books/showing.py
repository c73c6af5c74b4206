"""A run with all that is known of it: what it read and logged, what was made of it, and what uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abtest.books.runs import LoggedRun, find
from abtest.books.used import used_by
from abtest.errors import BackendError, NotPermittedError
from abtest.lifecycle.logged import model_id_of
from abtest.registry import ModelVersion, run_id_of
from abtest.talking import all_pages, told_as_ours
from abtest.tracking import PARENT

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

_CODE = {
    "commit": "mlflow.source.git.commit",
    "branch": "mlflow.source.git.branch",
    "repository": "mlflow.source.git.repoURL",
    "program": "mlflow.source.name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file, or a folder, among a run's artifacts.

    Attributes:
        path: Its name; of a folder with a slash at the end.
        bytes: Its size; None of a folder, and where it is not known.
    """

    path: str
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRun:
    """A run with all that is known of it.

    Attributes:
        run: What it logged.
        code: What it ran, by "commit", "branch", "repository" and "program", where that is known.
        versions: Registered versions that were made of it.
        artifacts: At the top of its folder.
        children: Runs nested in it, the latest first.
        used: Why it is in use; it cannot be deleted then.
        notices: What could not be read.
    """

    run: LoggedRun
    code: dict[str, str]
    versions: tuple[ModelVersion, ...]
    artifacts: tuple[Artifact, ...]
    children: tuple[LoggedRun, ...]
    used: tuple[str, ...]
    notices: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            **self.run.to_dict(),
            "tags": dict(self.run.tags),
            "code": self.code,
            "versions": [
                {"name": it.name, "version": it.version, "stage": it.stage, "aliases": list(it.aliases)}
                for it in self.versions
            ],
            "artifacts": [{"path": it.path, "bytes": it.bytes} for it in self.artifacts],
            "children": [run.to_dict() for run in self.children],
            "used_by": list(self.used),
            "notices": list(self.notices),
        }


def shown(registry: RegistryClient, run_id: str) -> ShownRun:
    """Read all that is known of a run.

    Args:
        registry: Whose tracking server is asked.
        run_id: Its id, or the first letters of it.

    Raises:
        NotFoundError: There is no such run.
        InvalidInputError: There are several.
    """
    (run,) = find(registry, [run_id])
    artifacts, notices = _artifacts(registry, run)
    versions = [
        it.version
        for known in registry.all_details().values()
        for it in known
        if run.run_id in (it.version.run_id, run_id_of(it.source or "")) or model_id_of(it) in run.models
    ]
    return ShownRun(
        run=run,
        code=code_of(run),
        versions=tuple(sorted(versions, key=lambda it: (it.name, it.version))),
        artifacts=artifacts,
        children=_children(registry, run),
        used=used_by(registry).get(run.run_id, ()),
        notices=notices,
    )


def code_of(run: LoggedRun) -> dict[str, str]:
    """What a run ran, where that is known."""
    return {name: run.tags[tag] for name, tag in _CODE.items() if run.tags.get(tag)}


def _children(registry: RegistryClient, run: LoggedRun) -> tuple[LoggedRun, ...]:
    with told_as_ours(f"The runs nested in {run.title} could not be read"):
        found = all_pages(
            registry.client.search_runs,
            experiment_ids=[run.experiment_id],
            filter_string=f"tags.`{PARENT}` = '{run.run_id}'",
        )
        return tuple(LoggedRun.of(it, run.experiment) for it in found)


def _artifacts(registry: RegistryClient, run: LoggedRun) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
    """What is at the top of a run's folder; where the store does not answer, the rest is told all the same."""
    try:
        with told_as_ours(f"The artifacts of {run.title} could not be read", anything=True):
            found = registry.client.list_artifacts(run.run_id)
    except (BackendError, NotPermittedError) as error:
        return (), (str(error),)
    listed = [Artifact(path=it.path + "/" * it.is_dir, bytes=None if it.is_dir else it.file_size) for it in found]
    return tuple(sorted(listed, key=lambda it: it.path)), ()
