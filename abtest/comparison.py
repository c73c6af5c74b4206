"""A finished comparison, as users hold it: what was found, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from abtest.errors import NotApplicableError, RefusedError
from abtest.labels import SIDES
from abtest.record import ComparisonRecord, ComparisonsRecord
from abtest.registry import ModelVersion, RegistryClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from abtest.decision import Decision, Verdict
    from abtest.evaluator import Evaluation
    from abtest.labels import Side
    from abtest.outcomes import Contingency, PairedOutcomes
    from abtest.promoter import PromoteOn, Promotion

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished comparison: what was found, what was decided, and what can be done with it.

    Attributes:
        record: All of it as plain data.
        registry: Where the models are, if they are in a registry.
        versions: The registered versions compared, as they stood when they were pinned.
        run_id: The MLflow run it was logged as, once it was.
        report: The folder it was written to, once it was.
        experiment_name: The experiment its runs go to, if not ``abtest/<model>``.
    """

    record: ComparisonRecord
    registry: RegistryClient | None = None
    versions: tuple[ModelVersion, ...] = ()
    run_id: str | None = None
    report: Path | None = None
    experiment_name: str | None = None

    @property
    def experiment(self) -> str:
        """The MLflow experiment its runs go to."""
        return self.experiment_name or f"abtest/{self.record.model_name or 'comparisons'}"

    @property
    def verdict(self) -> Verdict:
        """Which model should serve."""
        return self.record.decision.verdict

    @property
    def decision(self) -> Decision:
        """The verdict with its reasons."""
        return self.record.decision

    @property
    def evaluation(self) -> Evaluation:
        """Every metric, test and interval."""
        return self.record.evaluation

    @property
    def outcomes(self) -> PairedOutcomes:
        """The table that everything was computed from.

        Raises:
            NotApplicableError: It is a regression, or a split of live traffic, which have none.
        """
        return self._there(self.record.outcomes, "table of outcomes")

    @property
    def contingency(self) -> Contingency:
        """Who was right where.

        Raises:
            NotApplicableError: It is a regression, where nobody is simply right, or a split of live traffic, where no
                row has both sides.
        """
        return self._there(self.record.contingency, "contingency")

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a metric, indexed by metric."""
        return _frame(self.record.to_dict()["metrics"], ["metric"])

    @property
    def per_class(self) -> pd.DataFrame:
        """One row a class and metric, indexed by (class, metric)."""
        return _frame(self.record.to_dict()["per_class"], ["class", "metric"])

    @property
    def segments(self) -> pd.DataFrame:
        """One row a segment, value and metric, indexed by them."""
        return _frame(self.record.to_dict()["segments"], ["segment", "value", "metric"])

    @property
    def confusion(self) -> dict[Side, pd.DataFrame]:
        """Both confusion matrices: truth by row, prediction by column.

        Raises:
            NotApplicableError: It is a regression, which has no classes.
        """
        import pandas as pd  # noqa: PLC0415 - only who looks at frames pays for pandas

        if self.record.outcomes is None and self.record.confusion is not None:  # of two arms
            found = self.record.confusion
            matrices: dict[Side, Any] = {"champion": found.champion, "challenger": found.challenger}
            labels = list(found.labels)
        else:
            matrices = {side: self.outcomes.confusion(side) for side in SIDES}
            labels = list(self.outcomes.labels)
        return {side: pd.DataFrame(matrix, index=labels, columns=labels) for side, matrix in matrices.items()}

    def _there(self, found: Found | None, what: str) -> Found:
        if found is not None:
            return found
        if self.record.task == "classification":
            raise NotApplicableError(f"A split of live traffic has no {what}: no row has both sides.")
        raise NotApplicableError(f"A regression has no {what}.", hint="metrics and record.errors have its numbers.")

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return self.record.to_dict()

    def to_json(self) -> str:
        """Everything, as JSON text: what ``comparison.json`` holds."""
        return self.record.to_json()

    def to_markdown(self) -> str:
        """Verdict, reasons and metrics, fit for a pull-request comment."""
        from abtest.reporter import markdown, summary  # noqa: PLC0415 - only who asks for it pays

        return markdown.render(summary.summarise(self.record))

    def to_html(self, path: str | Path | None = None, *, figures: bool = True) -> str:
        """The report as one self-contained HTML page, also written to ``path`` if given.

        Raises:
            InvalidInputError: The path cannot be written.
        """
        from abtest.reporter import folder  # noqa: PLC0415 - only who asks for it pays

        return folder.page(self.record, Path(path) if path else None, figures=figures)

    def save(self, parent: str | Path, *, figures: bool = True) -> Comparison:
        """Write the report to a new folder in ``parent``: HTML, JSON, Markdown and PNGs, whole or not at all.

        Raises:
            InvalidInputError: It cannot be written.
        """
        from abtest.reporter import folder  # noqa: PLC0415 - only who asks for it pays

        return replace(self, report=folder.write(self.record, Path(parent), figures=figures))

    def log(self, *, experiment: str | None = None, figures: bool = True) -> Comparison:
        """Log it to MLflow as one run, with the report among its artifacts.

        Raises:
            BackendError: MLflow does not take it.
        """
        from abtest.reporter import run  # noqa: PLC0415 - only who asks for it pays

        registry = self.registry or RegistryClient()
        name = experiment or self.experiment
        run_id = run.log(self.record, registry, experiment=name, report=self.report, figures=figures)
        return replace(self, run_id=run_id, registry=registry, experiment_name=name)

    def promote(
        self,
        *,
        promote_on: PromoteOn = "promote",
        experiment: str | None = None,
        dry_run: bool = False,
        require_approval: bool = False,
        evidence: Mapping[str, str] | None = None,
    ) -> Promotion:
        """Carry the verdict out in the registry, once, with an audit record; the comparison is logged first.

        Args:
            promote_on: "promote", or "conditional" to act on CONDITIONAL too (never where accuracy did not rise).
            experiment: Where the comparison is logged, if it is not yet; the record goes to ``abtest/<model>``.
            dry_run: Plan only: nothing is logged and nothing moves.
            require_approval: Leave it to be approved: nothing moves until ``abtest models approve``.
            evidence: Tags of the record that lead to what else it rests on.

        Raises:
            RefusedError: The verdict does not allow it, or a side is no registered version.
            StaleChampionError: A side moved since it was compared.
            UnfinishedError: Another move of this model is under way, was cut off, or waits for approval.
        """
        from abtest import promoter  # noqa: PLC0415 - only who asks for it pays

        promoter.check_verdict(self.record, promote_on)
        if self.registry is None:
            raise RefusedError("The models are in no registry, so there is nothing to promote.")
        plan = promoter.prepare(self.record, self.registry, self.versions, promote_on=promote_on)
        if dry_run or not plan:
            return promoter.Promotion(transitions=plan)
        logged = self if self.run_id else self.log(experiment=experiment)
        return promoter.promote(
            self.record,
            self.registry,
            self.versions,
            comparison_run_id=logged.run_id,
            promote_on=promote_on,
            require_approval=require_approval,
            evidence=evidence,
        )

    def unfinished_promotions(self) -> tuple[str, ...]:
        """Name moves of this model that were begun and whose outcome is not on record."""
        from abtest import mover, trail  # noqa: PLC0415 - only who asks for it pays

        if self.registry is None or self.record.model_name is None:
            return ()
        movements = trail.Trail(self.registry, self.record.model_name).read()
        if not any(movement.is_open for movement in movements):
            return ()
        versions = self.registry.versions(self.record.model_name)
        return tuple(str(one.error()) for one in mover.unfinished(movements, versions))

    def _repr_html_(self) -> str:
        from abtest.reporter import html  # noqa: PLC0415 - only a notebook pays

        return html.fragment(self.record)

    def __str__(self) -> str:
        from abtest.reporter.summary import summarise  # noqa: PLC0415 - only who asks for it pays

        words = summarise(self.record)
        return f"{words.verdict}: {words.headline}"


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Several challengers, each compared with the one champion on the same rows.

    Attributes:
        record: All of it as plain data.
        comparisons: Each challenger with the champion, in the order given.
        registry: Where the models are, if they are in a registry.
        run_id: The MLflow run they were logged as, once they were.
        report: The folder they were written to, once they were.
        experiment_name: The experiment their runs go to, if not ``abtest/<model>``.
    """

    record: ComparisonsRecord
    comparisons: tuple[Comparison, ...]
    registry: RegistryClient | None = None
    run_id: str | None = None
    report: Path | None = None
    experiment_name: str | None = None

    @property
    def experiment(self) -> str:
        """The MLflow experiment their runs go to."""
        return self.comparisons[0].experiment

    @property
    def verdict(self) -> Verdict:
        """The verdict on the best challenger; where none may serve, the most favourable of all."""
        return self.record.verdict

    @property
    def best(self) -> Comparison | None:
        """The comparison with the best challenger that may serve; None where none may."""
        return None if self.record.best is None else self.comparisons[self.record.best]

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a challenger and metric, indexed by the challenger's name ("model") and the metric."""
        rows = [
            {"model": name, **row}
            for name, record in zip(self.record.names, self.record.comparisons, strict=True)
            for row in record.to_dict()["metrics"]
        ]
        return _frame(rows, ["model", "metric"])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return self.record.to_dict()

    def to_json(self) -> str:
        """Everything, as JSON text: what ``comparison.json`` holds."""
        return self.record.to_json()

    def to_markdown(self) -> str:
        """Verdict, reasons and every challenger's metrics, fit for a pull-request comment."""
        from abtest.reporter import markdown, several  # noqa: PLC0415 - only who asks for it pays

        return markdown.render_several(several.summarise(self.record))

    def to_html(self, path: str | Path | None = None, *, figures: bool = True) -> str:
        """One report of all as one self-contained HTML page, also written to ``path`` if given.

        Raises:
            InvalidInputError: The path cannot be written.
        """
        from abtest.reporter import folder  # noqa: PLC0415 - only who asks for it pays

        return folder.page(self.record, Path(path) if path else None, figures=figures)

    def save(self, parent: str | Path, *, figures: bool = True) -> Comparisons:
        """Write one report of all to a new folder in ``parent``, whole or not at all.

        Raises:
            InvalidInputError: It cannot be written.
        """
        from abtest.reporter import folder  # noqa: PLC0415 - only who asks for it pays

        return replace(self, report=folder.write(self.record, Path(parent), figures=figures))

    def log(self, *, experiment: str | None = None, figures: bool = True) -> Comparisons:
        """Log them to MLflow: one run with the report, and within it one for each challenger.

        Raises:
            BackendError: MLflow does not take them.
        """
        from abtest.reporter import run  # noqa: PLC0415 - only who asks for it pays

        registry = self.registry or RegistryClient()
        name = experiment or self.experiment
        run_id, own = run.log_several(self.record, registry, experiment=name, report=self.report, figures=figures)
        comparisons = tuple(
            replace(one, run_id=found, registry=registry, experiment_name=name)
            for one, found in zip(self.comparisons, own, strict=True)
        )
        return replace(self, run_id=run_id, registry=registry, experiment_name=name, comparisons=comparisons)

    def promote(
        self,
        *,
        promote_on: PromoteOn = "promote",
        experiment: str | None = None,
        dry_run: bool = False,
        require_approval: bool = False,
    ) -> Promotion:
        """Promote the best challenger, as ``Comparison.promote`` does; all are logged first.

        Raises:
            RefusedError: No challenger may serve, or a side is no registered version.
            StaleChampionError: A side moved since it was compared.
        """
        best = self.best
        if best is None:
            raise RefusedError(f"The verdict is {self.verdict}: no challenger may replace the champion.")
        if dry_run or best.run_id:
            return best.promote(
                promote_on=promote_on, experiment=experiment, dry_run=dry_run, require_approval=require_approval
            )
        plan = best.promote(promote_on=promote_on, dry_run=True)  # refuses before anything is logged
        if not plan.transitions:
            return plan
        return self.log(experiment=experiment).promote(
            promote_on=promote_on, experiment=experiment, require_approval=require_approval
        )

    def unfinished_promotions(self) -> tuple[str, ...]:
        """Name moves of this model that were begun and whose outcome is not on record."""
        return self.comparisons[0].unfinished_promotions()

    def _repr_html_(self) -> str:
        from abtest.reporter import html  # noqa: PLC0415 - only a notebook pays

        return html.fragment_of_several(self.record)

    def __str__(self) -> str:
        from abtest.reporter.several import summarise  # noqa: PLC0415 - only who asks for it pays

        words = summarise(self.record)
        return f"{words.verdict}: {words.headline}"


def _frame(rows: list[dict[str, Any]], index: list[str]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - only who looks at frames pays for pandas

    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=index)
    return frame.set_index(index)
