"""At what level each of several challengers is held, and what is said between them: against SciPy and statsmodels."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import cochrans_q

from abtest.decision import Verdict
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from abtest.registry import Reference, RegistryClient
from abtest.workflow import compare
from tests import zoo
from tests.known import known
from tests.multitest import multipletests
from tests.workflow import QUICK, fitted
from tests.workflow.test_several import ACCURACY, columns_of, in_units, regressors, several


def mid_p(only_one: int, only_other: int) -> float:
    """McNemar's mid-p once more."""
    few, m = min(only_one, only_other), only_one + only_other
    if only_one == only_other:
        return 1 - float(stats.binom.pmf(few, m, 0.5)) / 2 if m else 1.0
    return float(2 * stats.binom.cdf(few, m, 0.5) - stats.binom.pmf(few, m, 0.5))


@hypothesis_settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    shares=st.lists(st.sampled_from([0.5, 0.7, 0.75, 0.8, 0.9]), min_size=2, max_size=5),
    confidence=st.sampled_from([0.8, 0.9, 0.95]),
)
def test_significance_is_holms(seed: int, shares: list[float], confidence: float) -> None:
    """Those significant are those that Holm's method rejects in statsmodels, on mid-p values of SciPy."""
    right = np.random.default_rng(seed).random((60, len(shares) + 1)) < np.array([0.7, *shares])
    models, frame = columns_of(right)
    record = several(models[0], models[1:], frame, target="y", policy=replace(ACCURACY, confidence=confidence)).record
    ours = right[:, 0]
    pvalues = [mid_p(int((ours & ~other).sum()), int((other & ~ours).sum())) for other in right.T[1:]]
    rejected = multipletests(pvalues, alpha=1 - confidence, method="holm")[0]
    assert record.adjustment == "holm"
    for found, pvalue, significant in zip(record.comparisons, pvalues, rejected, strict=True):
        reason = found.decision.reason("significance")
        assert reason.value == pytest.approx(pvalue, rel=1e-9)
        assert reason.held is bool(significant)


@pytest.mark.parametrize(
    ("policy", "adjustment"),
    [
        ({}, "holm"),
        ({"rule": "primary"}, "holm"),
        ({"rule": "primary", "margin": 0.02}, "bonferroni"),
        ({"rule": "primary", "primary": "f1"}, "bonferroni"),
        ({"rule": "non-inferior", "margin": 0.05}, "bonferroni"),
    ],
    ids=str,
)
def test_an_equal_part_where_an_interval_decides(policy: dict[str, Any], adjustment: str) -> None:
    """Where another thing than the test of equal accuracy decides, each of K challengers has a K-th of the level."""
    right = np.random.default_rng(1).random((80, 4)) < [0.6, 0.95, 0.9, 0.6]
    models, frame = columns_of(right)
    record = several(models[0], models[1:], frame, target="y", policy=Policy(**policy)).record
    levels = [round(1 - one.settings.policy.confidence, 9) for one in record.comparisons]
    assert record.adjustment == adjustment
    expected = [0.05 / 3] * 3 if adjustment == "bonferroni" else [0.05 / 3, 0.025, 0.05]  # the surest have the least
    assert sorted(levels) == [round(level, 9) for level in expected]
    for one in record.comparisons:  # the interval is of the level
        table, level = known(one.contingency), one.settings.policy.confidence
        row = one.evaluation.metric("accuracy")
        z = stats.norm.isf((1 - level) / 2)
        b, c, n = table.champion_only, table.challenger_only, table.n
        limit = known(row.ci_lower)
        q_b, q_c = -b - c + (2 * n - c + b) * limit, -b * limit * (1 - limit)
        q = (np.sqrt(q_b**2 - 8 * n * q_c) - q_b) / (4 * n)
        assert (c - b - n * limit) / np.sqrt(n * (2 * q + limit * (1 - limit))) == pytest.approx(z, rel=1e-6)


@pytest.mark.parametrize("policy", [{}, {"rule": "primary", "primary": "rmse"}], ids=["share", "primary"])
def test_regressions_are_adjusted_by_holm(policy: dict[str, Any]) -> None:
    """Of regressors, those significant are those that Holm rejects of SciPy's paired t tests; RMSE decides."""
    champion, challengers, options = regressors()
    challengers = [*challengers, fitted("area", shift=2.0)]
    record = several(champion, challengers, **options, policy=Policy(**policy)).record
    frame = options["data"]

    def squares(model: Any) -> Any:
        return np.square(model.predict(frame[model.feature_names_in_]) - frame["rent"])

    pvalues = [float(stats.ttest_rel(squares(model), squares(champion)).pvalue) for model in challengers]
    rejected = multipletests(pvalues, alpha=0.05, method="holm")[0]
    assert 0 < rejected.sum() < len(rejected)
    held = [one.decision.reasons[0].held for one in record.comparisons]
    assert (record.adjustment, held) == ("holm", rejected.tolist())
    assert (record.cochran, record.between, record.best, record.task) == (None, (), 0, "regression")


def test_cochran_and_pairs_are_statsmodels() -> None:
    """Cochran's Q is statsmodels' on all models; any two challengers are tallied and tested as if scored directly."""
    right = np.random.default_rng(3).random((90, 5)) < [0.7, 0.75, 0.8, 0.95, 0.5]
    models, frame = columns_of(right)
    record = several(models[0], models[1:], frame, target="y", policy=ACCURACY, batch_size=13).record
    theirs = cochrans_q(right.astype(int))
    ours = known(record.cochran)
    assert (ours.statistic, ours.pvalue) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    assert ours.degrees_of_freedom == 4
    pairs = list(itertools.combinations(range(4), 2))
    assert [(it.first, it.second) for it in record.between] == pairs
    tables = [(right[:, 1 + i], right[:, 1 + j]) for i, j in pairs]
    pvalues = [mid_p(int((a & ~b).sum()), int((b & ~a).sum())) for a, b in tables]
    adjusted = multipletests(pvalues, method="holm")[1]
    for it, (a, b), raw, fixed in zip(record.between, tables, pvalues, adjusted, strict=True):
        table = it.contingency
        counts = (int((a & b).sum()), int((a & ~b).sum()), int((b & ~a).sum()), int((~a & ~b).sum()))
        assert (table.both, table.champion_only, table.challenger_only, table.neither) == counts
        assert (it.pvalue, it.pvalue_adjusted) == pytest.approx((raw, fixed), rel=1e-9)
        direct = compare(models[1 + it.first], models[1 + it.second], data=frame, target="y", policy=ACCURACY, **QUICK)
        assert known(direct.record.contingency) == table
        assert known(direct.record.mcnemar).pvalue == it.pvalue


def test_rows_in_units_have_no_test_of_rows() -> None:
    """Where rows come in units no test among challengers takes rows for independent: there is none."""
    champion, challengers, options = in_units()
    record = several(champion, challengers, **options).record
    assert (record.cochran, record.between) == (None, ())
    assert {known(one.mcnemar).method for one in record.comparisons} == {"by unit"}


def test_equal_models() -> None:
    """Challengers equal to the champion show nothing: effect 0, p = 1, Q = 0, and none is recommended."""
    models, frame = columns_of(np.repeat(np.arange(40) % 3 > 0, 4).reshape(40, 4))
    together = several(models[0], models[1:], frame, target="y")
    rows = [row for one in together.record.comparisons for row in one.metrics]
    assert {(row.effect, row.pvalue) for row in rows} == {(0.0, 1.0)}
    assert (known(together.record.cochran).pvalue, {it.pvalue for it in together.record.between}) == (1.0, {1.0})
    assert (together.verdict, together.best) == (Verdict.INSUFFICIENT_EVIDENCE, None)


def test_a_guardrail_is_held_against_each() -> None:
    """What a guardrail holds back is not recommended, whatever the rule says of it; the others may be."""
    right = np.random.default_rng(6).random((200, 3)) < [0.5, 0.65, 0.8]
    models, frame = columns_of(right)
    gains = (right[:, 1:].mean(axis=0) - right[:, 0].mean()).tolist()
    rail = Guardrail(metric="accuracy", mode="improved", margin=sum(gains) / 2)
    record = several(models[0], models[1:], frame, target="y", policy=Policy(guardrails=(rail,))).record
    assert [one.decision.by_rule for one in record.comparisons] == [Verdict.PROMOTE, Verdict.PROMOTE]
    reasons = [next(r for r in one.decision.reasons if r.rule == "guardrail") for one in record.comparisons]
    assert [reason.value for reason in reasons] == pytest.approx(gains, abs=1e-12)
    assert [one.decision.verdict for one in record.comparisons] == [Verdict.INSUFFICIENT_EVIDENCE, Verdict.PROMOTE]
    assert record.best == 1


def test_left_alone_a_challenger_keeps_its_level(stocked: RegistryClient) -> None:
    """Compared again without the others, on the same rows, a challenger is held to the level it had beside them."""
    options: dict[str, Any] = {
        "data": zoo.fruit(), "model_name": "fruit", "tracking_uri": stocked.tracking_uri, "log": True, **QUICK,
    }  # fmt: skip
    numbers = [Reference(kind="version", value=value) for value in ("2", "10")]
    several = compare(None, numbers, **options)
    levels = {one.record.challenger.version: one.record.settings.policy.alpha for one in several.comparisons}
    strictest = min(levels, key=lambda version: levels[version])
    assert levels[strictest] == 0.025
    alone = compare(None, Reference(kind="version", value=str(strictest)), **options)
    assert alone.record.settings.policy.alpha == 0.025
    assert any("at the level 0.025: it is held to that again" in notice for notice in alone.record.notices)
