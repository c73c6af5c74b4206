"""A finished comparison, as users hold it: what was found, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest.errors import RefusedError
from abtest.record import ComparisonRecord
from abtest.registry import ModelVersion, Registry

if TYPE_CHECKING:
    import pandas as pd

    from abtest.decision import Decision, Verdict
    from abtest.evaluator import Evaluation
    from abtest.labels import Side
    from abtest.outcomes import Contingency, PairedOutcomes
    from abtest.promoter import PromoteOn, Promotion


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
    registry: Registry | None = None
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
        """The table that everything was computed from."""
        return self.record.outcomes

    @property
    def contingency(self) -> Contingency:
        """Who was right where."""
        return self.record.contingency

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
        """Both confusion matrices: truth by row, prediction by column."""
        import pandas as pd  # noqa: PLC0415 - only who looks at frames pays for pandas

        labels, outcomes = list(self.outcomes.labels), self.outcomes
        sides: tuple[Side, Side] = ("champion", "challenger")
        return {side: pd.DataFrame(outcomes.confusion(side), index=labels, columns=labels) for side in sides}

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

        registry = self.registry or Registry()
        name = experiment or self.experiment
        run_id = run.log(self.record, registry, experiment=name, report=self.report, figures=figures)
        return replace(self, run_id=run_id, registry=registry, experiment_name=name)

    def promote(
        self, *, promote_on: PromoteOn = "promote", experiment: str | None = None, dry_run: bool = False
    ) -> Promotion:
        """Carry the verdict out in the registry, once, with an audit record; the comparison is logged first.

        Args:
            promote_on: "promote", or "conditional" to act on CONDITIONAL too (never where accuracy did not rise).
            experiment: Where the audit run goes.
            dry_run: Plan only: nothing is logged and nothing moves.

        Raises:
            RefusedError: The verdict does not allow it, or a side is no registered version.
            StaleChampionError: A side moved since it was compared.
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
            experiment=experiment or self.experiment,
            promote_on=promote_on,
        )

    def unfinished_promotions(self) -> tuple[str, ...]:
        """Name promotions of this model that were begun and whose outcome was never written."""
        from abtest import tracking  # noqa: PLC0415 - only who asks for it pays

        if self.registry is None or self.record.model_name is None:
            return ()
        return tuple(
            f"a promotion of version {run.data.tags.get('abtest.challenger_version')} was begun by "
            f"{run.data.tags.get('abtest.by')} in run {run.info.run_id} and its outcome was never recorded; "
            f"compare its plan with the registry."
            for run in tracking.pending_promotions(self.registry.client, self.experiment)
        )

    def _repr_html_(self) -> str:
        from abtest.reporter import html  # noqa: PLC0415 - only a notebook pays

        return html.fragment(self.record)

    def __str__(self) -> str:
        from abtest.reporter.summary import summarise  # noqa: PLC0415 - only who asks for it pays

        words = summarise(self.record)
        return f"{words.verdict}: {words.headline}"


def _frame(rows: list[dict[str, Any]], index: list[str]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - only who looks at frames pays for pandas

    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=index)
    return frame.set_index(index)
