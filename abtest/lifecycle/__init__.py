"""The life of registered models: register, promote, roll back, delete; and what was in production when, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import mover
from abtest.errors import UnfinishedError
from abtest.lifecycle import files, gate, moving, reading, registering
from abtest.lifecycle.records import Moved
from abtest.registry import RegistryClient
from abtest.registry.versions import numbered
from abtest.trail import Trail
from abtest.transitions import STAGING, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from abtest.lifecycle.records import ListedModel, LoggedComparison, ShownModel
    from abtest.mover import Recovery, Unfinished
    from abtest.trail import History, Movement
    from abtest.transitions import Plan

__all__ = ["Registry"]


class Registry:
    """MLflow's Model Registry with a lifecycle: every move is planned, made alone, and kept on record.

    The record of each move is an MLflow run in the experiment ``abtest/<model>``: its intent is written before anything
    moves, its outcome after. Of two moves of one model at once at most one goes through, and the other is told; what is
    moved in MLflow's own UI cannot be held back, but is noticed.

    A version is named by its number, or "latest". Stages and aliases move together, and only what a model uses:
    Production and ``champion``, Staging and ``challenger``.

    Args:
        tracking_uri: As MLflow takes it; MLflow's own default if None.
        registry_uri: Where models are registered, if elsewhere.

    Raises:
        AbtestError: See ``abtest.errors``; every method may raise NotPermittedError and BackendError.
    """

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        self._client = RegistryClient(tracking_uri, registry_uri)

    def __str__(self) -> str:
        return str(self._client)

    def __repr__(self) -> str:
        return f"Registry({str(self)!r})"

    def list_models(self) -> tuple[ListedModel, ...]:
        """Every registered model in a line: a request a thousand models."""
        return reading.listing(self._client)

    def show(self, name: str) -> ShownModel:
        """A model with its versions: stages, aliases, logged metrics, last verdicts, and what is unfinished.

        Raises:
            ModelNotFoundError: There is no such model.
        """
        return reading.shown(self._client, name)

    def serving(self, name: str) -> tuple[int, ...]:
        """Versions in production, by stage or by alias; several where the two disagree.

        Raises:
            ModelNotFoundError: There is no such model.
        """
        return Standing.of(self._client.versions(name)).serving

    def history(self, name: str) -> History:
        """What was in production when, who moved it and why, and what was moved behind abtest's back.

        Raises:
            ModelNotFoundError: There is no such model.
        """
        return reading.history(self._client, name)

    def compare_logged(
        self, name: str, first: str | int, second: str | int, metrics: Sequence[str] = ()
    ) -> LoggedComparison:
        """Two versions' logged metrics and parameters side by side; ``abtest.compare`` is the evidence.

        Raises:
            ModelNotFoundError: There is no such model or version.
            InvalidInputError: A metric was logged for neither version.
        """
        return reading.compared(self._client, name, first, second, metrics)

    def register(
        self,
        name: str,
        *,
        run_id: str | None = None,
        model_uri: str | None = None,
        stage: str | None = None,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> Moved:
        """Register a logged model as a new version of a registered one, which is made if it is not there.

        Args:
            name: The registered model.
            run_id: The run that logged the model.
            model_uri: Or where it is: ``runs:/…``, ``models:/…``, a path.
            stage: Put it into this stage, archiving what is there.
            alias: Put this alias on it.
            tags: Beside framework, dataset and metrics, which become tags.
            description: Of the version.

        Raises:
            NotFoundError: There is no such run or model.
            InvalidInputError: The run logged several models, or MLflow takes no such name or alias.
        """
        return registering.register(
            self._client, name, run_id=run_id, model_uri=model_uri, stage=stage, alias=alias, tags=tags,
            description=description,
        )  # fmt: skip

    def promote(
        self,
        name: str,
        version: str | int,
        *,
        from_stage: str | None = None,
        to_stage: str | None = None,
        archive: bool = True,
        why: str | None = None,
        require_approval: bool = False,
        dry_run: bool = False,
    ) -> Moved:
        """Put a version into production by hand: no comparison stands behind it, and the record says so.

        Args:
            name: The registered model.
            version: Which.
            from_stage: Refuse unless it is in this stage.
            to_stage: Another stage than Production.
            archive: Archive what is in that stage.
            why: For the record.
            require_approval: Move nothing until ``approve``.
            dry_run: Plan only.

        Raises:
            RefusedError: It is not in ``from_stage``, or nothing would be left in production.
            UnfinishedError: Another move of this model is under way, was cut off, or waits for approval.
        """
        return moving.promote(
            self._client, name, version, from_stage=from_stage, to_stage=to_stage, archive=archive, why=why,
            require_approval=require_approval, dry_run=dry_run,
        )  # fmt: skip

    def auto_promote(
        self,
        name: str,
        version: str | int,
        *,
        metric: str,
        threshold: float,
        to_stage: str = STAGING,
        lower_is_better: bool = False,
        compare: bool = True,
        require_approval: bool = False,
        dry_run: bool = False,
    ) -> Moved:
        """Promote a version if a metric logged in training is good enough: a weaker gate than a comparison.

        Args:
            name: The registered model.
            version: Which.
            metric: As it was logged.
            threshold: At least this; at most, where lower is better.
            to_stage: Staging or Production.
            lower_is_better: Of the metric.
            compare: Ask as well that it is better than that of the version that serves.
            require_approval: Move nothing until ``approve``.
            dry_run: Plan only.

        Raises:
            RefusedError: It is not good enough.
            InvalidInputError: The metric was never logged, for it or for what serves.
        """
        return gate.auto_promote(
            self._client, name, version, metric=metric, threshold=threshold, to_stage=to_stage,
            lower_is_better=lower_is_better, compare=compare, require_approval=require_approval, dry_run=dry_run,
        )  # fmt: skip

    def rollback(
        self,
        name: str,
        *,
        to: str | int | None = None,
        why: str | None = None,
        dry_run: bool = False,
        shown: Plan | None = None,
    ) -> Moved:
        """Bring back what was in production before, by the history; what serves now is archived.

        Args:
            name: The registered model.
            to: This version instead.
            why: For the record.
            dry_run: Plan only.
            shown: Refuse unless this is still the plan.

        Raises:
            NotFoundError: There is no earlier one on record.
        """
        return moving.rollback(self._client, name, to=to, why=why, dry_run=dry_run, shown=shown)

    def archive(
        self, name: str, version: str | int, *, why: str | None = None, dry_run: bool = False, shown: Plan | None = None
    ) -> Moved:
        """Take a version out of use: into Archived, and off champion and challenger."""
        return moving.archive(self._client, name, version, why=why, dry_run=dry_run, shown=shown)

    def delete(
        self,
        name: str,
        version: str | int | None = None,
        *,
        why: str | None = None,
        dry_run: bool = False,
        shown: Plan | None = None,
    ) -> Moved:
        """Delete a version, or a whole model; its files stay where MLflow keeps them.

        Raises:
            RefusedError: It is in Production, or has an alias.
        """
        if version is None:
            return moving.delete_model(self._client, name, why=why, dry_run=dry_run, shown=shown)
        return moving.delete_version(self._client, name, version, why=why, dry_run=dry_run, shown=shown)

    def approve(self, name: str, *, why: str, version: int | None = None) -> Movement:
        """Carry out what waits for approval, if the registry still stands as it did when it was asked for.

        Raises:
            NotFoundError: Nothing waits.
            StaleChampionError: The registry was moved since.
        """
        return mover.approve(self._client, name, why=why, version=version)

    def reject(self, name: str, *, why: str, version: int | None = None) -> Movement:
        """Settle what waits for approval; nothing moves.

        Raises:
            NotFoundError: Nothing waits.
        """
        return mover.reject(self._client, name, why=why, version=version)

    def unfinished(self, name: str) -> tuple[Unfinished, ...]:
        """Moves that were begun and whose outcome is not on record: what was done of each, and what is missing."""
        return mover.unfinished(Trail(self._client, name).read(), self._client.versions(name))

    def recover(
        self, name: str, how: Recovery = "finish", *, shown: Sequence[Unfinished] | None = None
    ) -> tuple[Movement, ...]:
        """Finish a move that was cut off, take it back ("undo"), or leave it as it stands ("leave").

        Args:
            name: The registered model.
            how: What to do.
            shown: Refuse unless this is still what ``unfinished`` tells.

        Returns:
            What was settled; nothing where nothing was cut off.

        Raises:
            UnfinishedError: It is still under way.
            StaleChampionError: The registry was moved since, so that it no longer fits.
        """
        return mover.recover(self._client, name, how, shown=shown)

    def migrate_stages(self, name: str | None = None, *, dry_run: bool = False) -> tuple[Moved, ...]:
        """Give each staged version the alias that stands for its stage; stages stay as they are.

        Args:
            name: One model; by default all that use Production or Staging.
            dry_run: Plan only.
        """
        names = [name] if name else [m.name for m in self.list_models() if m.production or m.staging]
        moved = []
        for one in names:
            try:
                moved.append(moving.migrate(self._client, one, dry_run=dry_run))
            except UnfinishedError as error:
                if name:
                    raise
                moved.append(Moved(model=one, version=None, plan=(), notices=(str(error),)))  # the others go on
        return tuple(moved)

    def download(self, name: str, version: str | int, output: str | Path) -> Path:
        """Copy a version's files to a folder that is not there yet, whole or not at all."""
        return files.download(self._client, name, version, output)

    def tag(
        self,
        name: str,
        version: str | int | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> None:
        """Set and remove tags of a version, or of the model itself.

        Raises:
            InvalidInputError: A tag is of those that abtest keeps its record in.
        """
        registering.refuse_reserved((*(tags or ()), *remove))
        number = self._number(name, version)
        self._client.set_tags(name, number, tags or {})
        for key in remove:
            self._client.delete_tag(name, number, key)

    def describe(self, name: str, version: str | int | None = None, *, description: str) -> None:
        """Describe a version, or the model itself."""
        self._client.describe(name, self._number(name, version), description)

    def _number(self, name: str, version: str | int | None) -> int | None:
        versions = self._client.versions(name)
        return None if version is None else numbered(name, versions, str(version)).version
