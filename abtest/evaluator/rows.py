"""What an evaluation is made of: one row a metric, over all rows of the data, by class and by segment."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.evaluator.live import LiveReading
from abtest.evaluator.power import PowerReading
from abtest.labels import Label
from abtest.metrics.catalogue import DECISIVE, unit
from abtest.metrics.residuals import ErrorReading
from abtest.outcomes import Contingency
from abtest.scores import ScoreReading
from abtest.stats.bayes import Posterior
from abtest.stats.mcnemar import McNemar
from abtest.stats.proportions import Interval
from abtest.stats.resampling import NOISE

FEW_ROWS = 20  # F1 intervals cover .86 at 5 expected rows of a class and .95 from 20: below, a class is marked
NOT_ESTIMABLE = "not estimable"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric on both sides.

    Attributes:
        metric: Its name in the catalogue.
        champion: The champion's value.
        challenger: The challenger's value.
        effect: Challenger minus champion, in the metric's own unit.
        rel_effect: The effect as a share of the champion's value; None where that is 0.
        improvement: The effect, signed so that positive is better.
        ci_lower: Lower limit of the effect; None where it is not estimable.
        ci_upper: Upper limit of the effect.
        ci_method: How the interval was found.
        test: Which test ``pvalue`` comes from.
        statistic: The test's statistic, if it has one.
        pvalue: Two-sided, of no effect.
        pvalue_adjusted: For the many classes or segments tested at once, by Holm's method.
        n: Rows it is about.
        greater_is_better: Whether more of the metric is better.
        improvement_lower: Lower limit of the improvement, where that is not the effect with its sign: a bias improves
            as it comes nearer to 0, from either side.
        improvement_upper: Upper limit of the improvement, likewise.
    """

    metric: str
    champion: float
    challenger: float
    effect: float
    rel_effect: float | None
    improvement: float
    ci_lower: float | None
    ci_upper: float | None
    ci_method: str
    test: str
    statistic: float | None
    pvalue: float | None
    pvalue_adjusted: float | None
    n: int
    greater_is_better: bool = True
    improvement_lower: float | None = None
    improvement_upper: float | None = None

    @property
    def improved(self) -> bool:
        """Whether the challenger is better by more than floating noise: a tie is not a win."""
        return self.improvement > self._noise

    @property
    def worsened(self) -> bool:
        """Whether the challenger is worse by more than floating noise."""
        return self.improvement < -self._noise

    @property
    def _noise(self) -> float:
        return NOISE * (max(abs(self.champion), abs(self.challenger)) if unit(self.metric) == "number" else 1.0)

    @property
    def likely_improvement(self) -> Interval | None:
        """The interval of the improvement."""
        if self.metric == "bias":
            if self.improvement_lower is None or self.improvement_upper is None:
                return None
            return Interval(lower=self.improvement_lower, upper=self.improvement_upper)
        if self.ci_lower is None or self.ci_upper is None:
            return None
        if self.greater_is_better:
            return Interval(lower=self.ci_lower, upper=self.ci_upper)
        return Interval(lower=-self.ci_upper, upper=-self.ci_lower)

    def is_sure(self, alpha: float) -> bool:
        """Whether its test, adjusted where it is one of many, finds a difference."""
        pvalue = self.pvalue if self.pvalue_adjusted is None else self.pvalue_adjusted
        return pvalue is not None and pvalue < alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow(MetricRow):
    """One metric of one class; ``n`` counts the rows of the class in the truth."""

    class_: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow(MetricRow):
    """One metric of one segment; ``n`` counts its rows."""

    segment: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that was not computed, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BothSides:
    """One quantity of both models that is measured and not tested."""

    champion: float
    challenger: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A test set that extends one on which the same two models were compared: looked at again after it grew.

    Attributes:
        rows: How many rows the earlier look had.
        run_id: Its run.
        log_evidence: Natural logarithm of the evidence E against equal accuracy on all rows there are now.
        pvalue: min(1, 1/E), valid at every look.
    """

    rows: int
    run_id: str
    log_evidence: float
    pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A locked test set, opened after PROMOTE; of its numbers it tells only whether the same policy says PROMOTE again.

    Attributes:
        path: Where it is.
        digest: Of all its content.
        use: How many challengers it has been opened for, with this one.
        held: Whether it confirms the verdict.
    """

    path: str
    digest: str | None
    use: int | None
    held: bool


def both_sides(champion: float | None, challenger: float | None) -> BothSides | None:
    """Join what is known of both; None where it is not."""
    if champion is None or challenger is None:
        return None
    return BothSides(champion=champion, challenger=challenger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything computed from one table of paired outcomes.

    Attributes:
        metrics: One row a metric, over all rows.
        per_class: Rows by class, then metric.
        segments: Rows by segment, then metric.
        contingency: Who was right where; None of a regression, and of a split, where no row has both sides.
        mcnemar: The test of equal accuracy; None of a regression, and where it is replaced by one valid at every look.
        counted: The metrics that count towards the share improved, computed or not; one that is accuracy by another
            name does not.
        skipped: What was not computed.
        notices: What a reader has to know about the numbers.
        power: What these rows could have shown on the metric that the verdict hangs on.
        bayes: What to believe of the metric that the verdict hangs on, beside the test; None where it is one of scores,
            and of a classification whose rows come in units.
        growth: Where the test set extends an earlier look at the same two models.
        confirmation: Where a locked test set was opened.
        scores: What both sides' scores look like, where they were asked for.
        latency: Seconds a row's prediction takes, where both models were timed.
        size: Bytes on disk, where both are known.
        errors: What both sides' errors look like, of a regression.
        live: What live traffic shows, where the rows are from there.
    """

    metrics: tuple[MetricRow, ...]
    per_class: tuple[ClassRow, ...]
    segments: tuple[SegmentRow, ...] = ()
    contingency: Contingency | None = None
    mcnemar: McNemar | None = None
    counted: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    notices: tuple[str, ...] = ()
    power: PowerReading | None = None
    bayes: Posterior | None = None
    growth: Growth | None = None
    confirmation: Confirmation | None = None
    scores: ScoreReading | None = None
    latency: BothSides | None = None
    size: BothSides | None = None
    errors: ErrorReading | None = None
    live: LiveReading | None = None

    @property
    def always(self) -> str:
        """The metric that is always computed, as the share rule tests it: accuracy, or RMSE of a regression."""
        return DECISIVE["classification" if self.find(DECISIVE["classification"]) else "regression"]

    @property
    def tested(self) -> MetricRow:
        """The row of that metric."""
        return self.metric(self.always)

    def metric(self, name: str) -> MetricRow:
        """The row of one metric that was computed, as that which the share rule tests always is."""
        return next(row for row in self.metrics if row.metric == name)

    def find(self, name: str) -> MetricRow | None:
        """The row of one metric; None where it could not be computed."""
        return next((row for row in self.metrics if row.metric == name), None)

    def why_not(self, name: str) -> str:
        """Why a metric could not be computed."""
        return next((entry.why.rstrip(".") for entry in self.skipped if entry.what == name), "nothing is known of it")
