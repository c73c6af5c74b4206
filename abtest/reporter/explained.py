"""How a comparison was made, in plain words with the literature, and where everything in it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.engines.catalogue import LOCAL
from abtest.evaluator import FEW_ROWS
from abtest.evaluator.scores import BINNED, EVERY_CLASS, PULLED
from abtest.metrics.catalogue import in_text, title, unit
from abtest.reporter import explained_live, headline, views
from abtest.reporter.paragraph import Fact, Paragraph
from abtest.reporter.summary import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.labels import Task
    from abtest.metrics.classification import Average
    from abtest.policy import Policy
    from abtest.record import ComparedModel, ComparisonRecord
    from abtest.stats.mcnemar import McNemarMethod

_METHODS: dict[McNemarMethod, tuple[str, str]] = {
    "mid-p": (
        "Its p-value is the mid-p one, which keeps its level in practice without the exact test's caution.",
        "McNemar (1947), Psychometrika 12:153. Fagerland, Lydersen & Laake (2013), BMC Med. Res. Methodol. 13:91.",
    ),
    "exact": (
        "Its p-value is the exact binomial one, which always keeps its level and errs on the side of caution.",
        "McNemar (1947), Psychometrika 12:153.",
    ),
    "chi2": (
        "Its p-value is the chi-square approximation with continuity correction.",
        "McNemar (1947), Psychometrika 12:153. Edwards (1948), Psychometrika 13:185.",
    ),
}
_SAYS_NOTHING: dict[Task, str] = {
    "classification": ("rows on which both are right, or both wrong, say nothing about which one is better"),
    "regression": "what makes a row hard for both says nothing about which one is better",
}
_AVERAGES: dict[Average, str] = {
    "macro": "the plain mean over the classes of the truth: a rare class counts as much as a frequent one",
    "weighted": "the mean over the classes of the truth, each weighted by its rows",
    "binary": "those of the positive class",
}


def method(record: ComparisonRecord) -> tuple[Paragraph, ...]:
    """Explain how the numbers were made, for a reader who was not there."""
    return tuple(_method(record))


def about_scores(record: ComparisonRecord) -> str:
    """Say which probabilities are drawn; nothing where there are none."""
    read = record.scores
    if read is None:
        return ""
    what = "scores" if read.kind == "score" else "probabilities"
    rows = wording.plural(read.n, "row")
    if read.about == EVERY_CLASS:
        return (
            f"The {what} of {rows}: curves are those of every class against the rest, averaged over the classes; "
            "reliability is that of each row's most probable class."
        )
    share = wording.percent(read.base_rate)
    return f"The {what} of the class {shown(read.about)} on {rows}, of which {share} are of it."


def provenance(record: ComparisonRecord) -> tuple[Fact, ...]:
    """List where everything came from; what is not known is left out."""
    return tuple(_provenance(record))


def _method(record: ComparisonRecord) -> Iterator[Paragraph]:
    policy, live = record.settings.policy, record.live
    if live is not None:
        yield from explained_live.method(record, live)
    else:
        yield _same_rows(record)
    if _is_ordinary(record):
        yield from _of_errors(record) if record.task == "regression" else _of_classes(record)
    elif record.per_class:
        yield _many_classes()
    if record.power is not None and live is None:
        yield Paragraph(
            term="Were these rows enough?",
            text=(
                f"{headline.enough(record)} This is reckoned from {_spread(record)}, and never from the difference "
                "that was observed."
            ),
            references=""
            if record.power.discordance is None
            else "Connor (1987), Biometrics 43:207, refined by exact power.",
        )
    if record.segments:
        yield Paragraph(
            term="Segments",
            text=(
                f"Each segment's rows were evaluated like all rows{_own_classes(record)}. The adjusted p-values (Holm) "
                "allow for all segments together, within each metric; the intervals do not. Numbers of many values "
                "were cut at their quartiles."
            ),
            references="Holm (1979), Scandinavian Journal of Statistics 6:65.",
        )
    if policy.costs:
        yield Paragraph(
            term="Cost per row",
            text=(
                "The mean of what each prediction costs by the policy's cost matrix, resampled as other metrics are."
            ),
        )
    yield Paragraph(term="The verdict", text=_verdict(policy))
    if policy.guardrails:
        yield Paragraph(
            term="Guardrails",
            text=(
                "A guardrail can only make the verdict less favourable. One that must be proved not worse holds when "
                "the interval excludes a loss beyond its margin, and what is not proved fails; one that must not be "
                "proved worse fails only on a loss beyond its margin that is proved. Since every guardrail has to "
                "hold, none of their intervals is adjusted for their number. One that could not be evaluated fails."
            ),
            references="Berger (1982), Technometrics 24:295, for requirements that must all hold.",
        )


def _is_ordinary(record: ComparisonRecord) -> bool:
    """Whether it was computed as any comparison of labelled rows is, as live pairs are that are looked at once."""
    return record.live is None or (record.live.mode == "shadow" and record.live.looking == "fixed")


def _same_rows(record: ComparisonRecord) -> Paragraph:
    return Paragraph(
        term="The same rows for both",
        text=(
            "Champion and challenger were asked about the same rows. Such a paired comparison is far sharper than two "
            f"separate tests: {_SAYS_NOTHING[record.task]}. An "
            f"effect is challenger minus champion{_in_points(record)}. " + _independent(record)
        ),
    )


def _spread(record: ComparisonRecord) -> str:
    if record.power is not None and record.power.discordance is None:
        return "the width of the interval"
    return "how many rows tell the two sides apart"


def _of_errors(record: ComparisonRecord) -> Iterator[Paragraph]:
    """How the errors of a regression were compared."""
    yield _test_of_errors(record)
    yield _errors(record)
    if record.bayes is not None:
        yield Paragraph(
            term="What to believe of it",
            text=(
                "The probabilities that the challenger is better are the Bayesian bootstrap of the same rows: any "
                "share of each is possible a priori. They stand beside the test and decide nothing."
            ),
            references="Rubin (1981), Annals of Statistics 9:130.",
        )


def _of_classes(record: ComparisonRecord) -> Iterator[Paragraph]:
    """How classes were compared."""
    settings, level = record.settings, wording.confidence(record.settings.policy.confidence)
    yield _test(record)
    if record.bayes is not None:
        exactly = "That it is better has exactly one minus the one-sided mid-p value for a probability. "
        yield Paragraph(
            term="What to believe of it",
            text=(
                "The probabilities that the challenger is better are the Bayesian reading of the same table: every "
                "share of the cells is possible a priori, with one row imagined on either side of the disagreement. "
                f"{exactly if record.settings.policy.decisive == 'accuracy' else ''}It stands beside the test and "
                "decides nothing."
            ),
            references="Rubin (1981), Annals of Statistics 9:130. Altham (1969), J. R. Statist. Soc. B 31:261.",
        )
    if record.data.unit is None:
        yield Paragraph(
            term="How large is the difference?",
            text=(
                f"The interval of accuracy, and of a class's recall, is Tango's score interval for paired proportions. "
                f"Intervals made this way hold the true effect {level} of the time."
            ),
            references="Tango (1998), Statistics in Medicine 17:891.",
        )
    if len(record.metrics) > 1:
        yield Paragraph(
            term="The other metrics",
            text=(
                "Precision, recall and F1 are "
                f"{_AVERAGES[settings.average]}. Their intervals come from a paired bootstrap: {_drawn(record)} "
                f"{wording.whole(settings.resamples)} times, with replacement, both sides together. Its smallest "
                f"p-value is {2 / (settings.resamples + 1):.1g}; an effect that no resample changes is called not "
                "estimable, and not tested."
            ),
            references="Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 20.2.",
        )
    if record.scores is not None:
        yield Paragraph(
            term="Probabilities",
            text=(
                "The area under the ROC curve is how often a row of the class outscores one that is not of it; areas "
                f"of one side and the other are compared by DeLong's test on the same rows{_binned(record)}. Average "
                f"precision is {_pulled(record)}. Log loss and the Brier score are means over rows, compared by the "
                "paired t test; "
                "less of them is better. The expected calibration error is shown and decides nothing: it is biased, "
                "more so on few rows."
            ),
            references=(
                "DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837. Sun & Xu (2014), IEEE Signal Processing "
                "Letters 21:1389. Brier (1950), Monthly Weather Review 78:1."
            ),
        )
    if record.per_class:
        yield _many_classes()


def _many_classes() -> Paragraph:
    return Paragraph(
        term="Many classes at once",
        text=(
            "Who looks at many classes finds something by chance. The adjusted p-values (Holm) allow for that, "
            "within each metric; the intervals by class do not. Classes with fewer than "
            f"{FEW_ROWS} rows are marked: their intervals are too narrow."
        ),
        references="Holm (1979), Scandinavian Journal of Statistics 6:65.",
    )


def _binned(record: ComparisonRecord) -> str:
    if not any(row.test == BINNED for row in record.metrics):
        return ""
    return (
        ": here, as there are too many rows to sort, on counts in bins, at the worst that the rows may be within them, "
        "so that p is at least as large, and the interval at least as wide"
    )


def _pulled(record: ComparisonRecord) -> str:
    if any(row.test == PULLED for row in record.metrics):
        return "tested by how far each row pulls it (the infinitesimal jackknife), as there are many rows"
    return "resampled by rows"


def _drawn(record: ComparisonRecord) -> str:
    if record.data.unit is not None:
        return "whole units were drawn anew"
    return "the rows were drawn anew, exactly, as multinomial draws over the table of truth and predictions,"


def _independent(record: ComparisonRecord) -> str:
    return "Rows are taken to be independent." if record.data.unit is None else "Units are taken to be independent."


def _in_points(record: ComparisonRecord) -> str:
    return ", in percentage points" if record.task == "classification" else ""


def _own_classes(record: ComparisonRecord) -> str:
    if record.task == "regression":
        return ""
    return ", and averages run over the classes of the segment's own truth"


def _test_of_errors(record: ComparisonRecord) -> Paragraph:
    row = record.evaluation.tested
    if record.data.unit is not None:
        how = (
            "Rows of one unit depend on each other, so the differences are summed by unit, and the spread between "
            "units is what the test uses."
        )
    else:
        how = (
            "The paired t test asks whether their mean is zero: on every row one model's error stands beside the "
            "other's."
        )
    found = "" if row.statistic is None else f" Here t is {row.statistic:.2f}."
    return Paragraph(
        term="Are the errors different?",
        text=(
            "RMSE is lower where the squared errors are smaller on average, so the differences of the squared errors "
            f"are tested, row by row. {how}{found} It takes enough rows for a mean of squared errors to be normal: "
            "more where a few errors are very large."
        ),
        references=(
            "Student (1908), Biometrika 6:1. Diebold & Mariano (1995), Journal of Business & Economic Statistics "
            "13:253."
        ),
    )


def _errors(record: ComparisonRecord) -> Paragraph:
    settings = record.settings
    drawn = "whole units" if record.data.unit is not None else "the rows"
    return Paragraph(
        term="How large is the difference?",
        text=(
            "An error is prediction minus truth. MAE is the mean of its size, RMSE the root of its mean square, bias "
            "its mean, and R² the share of the truth's variance that is explained. The interval of a mean is that of "
            f"the paired t test; those of RMSE and R² come from a paired bootstrap: {drawn} were drawn anew "
            f"{wording.whole(settings.resamples)} times, with replacement, both sides together. A bias improves as it "
            "comes nearer to 0; its p-value is the larger of two, of equal and of opposite mean errors, as either "
            "would make both biases of one size."
        ),
        references=(
            "Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3. Berger (1982), "
            "Technometrics 24:295, for the bias."
        ),
    )


def _test(record: ComparisonRecord) -> Paragraph:
    found = views.accuracy_test(record)
    if found.method == "by unit":
        return Paragraph(
            term="Is the accuracy different?",
            text=(
                "Rows of one unit depend on each other, so units are compared: each by the rows that only the "
                "challenger gets right, less those that only the champion does. Were the two equally accurate, these "
                f"differences would be zero on average. The chi-square is {found.statistic:.2f} (1 degree of "
                "freedom); its interval uses the spread between units, and the bootstrap draws whole units."
            ),
            references="Eliasziw & Donner (1991), Statistics in Medicine 10:1981.",
        )
    how, source = _METHODS[found.method]
    return Paragraph(
        term="Is the accuracy different?",
        text=(
            "McNemar's test looks at the rows on which exactly one side is right. Were the two equally accurate, each "
            "would be the right one about half the time; p is the probability of a split at least as uneven as this "
            f"one. {how} The chi-square with continuity correction is "
            f"{found.statistic:.2f} (1 degree of freedom)."
        ),
        references=source,
    )


def _verdict(policy: Policy) -> str:
    metric = in_text(policy.primary)
    if policy.rule == "non-inferior":
        margin = wording.size(policy.margin or 0.0, unit(policy.primary))
        return (
            f"It is PROMOTE if the interval of {metric} excludes a loss of more than {margin}, KEEP_CHAMPION if it "
            "holds no smaller loss than that, and INSUFFICIENT_EVIDENCE if it leaves both open."
        )
    if policy.rule == "primary" and policy.margin is not None:
        margin = wording.size(policy.margin, unit(policy.primary))
        return (
            f"It is PROMOTE if the whole interval of {metric} lies above a gain of {margin}, KEEP_CHAMPION if all of "
            "it lies below, and INSUFFICIENT_EVIDENCE if it leaves both open."
        )
    if policy.rule == "primary":
        return (
            f"Without a significant difference in {metric} (p below {policy.alpha:.3g}) it is INSUFFICIENT_EVIDENCE, "
            "with one PROMOTE if the challenger is better and KEEP_CHAMPION if it is worse."
        )
    name = in_text(policy.decisive)
    rose, not_rise = ("rose", "rise") if policy.task == "classification" else ("fell", "fall")
    return (
        f"Without a significant difference in {name} (p below {policy.alpha:.3g}) it is INSUFFICIENT_EVIDENCE. "
        f"With one it is PROMOTE if {name} {rose} and at least {100 * policy.promote_share:g} % of the metrics "
        f"improved, else CONDITIONAL if at least {100 * policy.conditional_share:g} % improved, else "
        f"KEEP_CHAMPION. CONDITIONAL is never carried out automatically where {name} did not {not_rise}."
    )


def _rule(policy: Policy) -> str:
    margin = "" if policy.margin is None else f", margin {wording.size(policy.margin, unit(policy.primary))}"
    if policy.rule != "share":
        return f"{policy.rule} on {in_text(policy.primary)}{margin}"
    return (
        f"share rule: promote at {100 * policy.promote_share:g} %, conditional at {100 * policy.conditional_share:g} %"
        f"{margin}"
    )


def _provenance(record: ComparisonRecord) -> Iterator[Fact]:
    source, data, settings = record.provenance, record.data, record.settings
    if record.model_name:
        yield Fact(term="Model", text=record.model_name)
    yield Fact(term="Champion", text=_model(record.champion))
    yield Fact(term="Challenger", text=_model(record.challenger))
    if source.registry:
        yield Fact(term="Registry", text=wording.redacted(source.registry), code=True)
    yield Fact(term="Compared", text=f"{record.created_at:%Y-%m-%d %H:%M:%S} UTC")
    yield Fact(term="Data", text=wording.redacted(data.path), code=True)
    yield Fact(term="Rows", text=wording.whole(data.n))
    if record.live is not None:
        yield from explained_live.facts(record.live)
    if data.digest:
        yield Fact(term="Digest over all rows", text=data.digest, code=True)
    if data.target:
        yield Fact(term="Target", text=data.target)
    yield from _told_apart(record)
    yield from _test_set(record)
    yield from _footprint(record)
    metrics = ", ".join(title(name) for name in settings.policy.metrics)
    averages = f"; {settings.average} averages{_positive(record)}" if record.task == "classification" else ""
    yield Fact(term="Metrics", text=f"{metrics}{averages}")
    yield Fact(
        term="Policy",
        text=(
            f"{_rule(settings.policy)}; confidence {wording.confidence(settings.policy.confidence)}; "
            f"{wording.plural(len(settings.policy.guardrails), 'guardrail')}; "
            f"{_form(record)}digest {source.policy_digest}"
        ),
    )
    if _is_ordinary(record):
        yield Fact(term="Resamples and seed", text=f"{wording.whole(settings.resamples)}, seed {settings.seed}")
    if source.git_commit:
        yield Fact(term="Git commit", text=source.git_commit, code=True)
    libraries = ", ".join(f"{name} {version}" for name, version in source.libraries.items())
    yield Fact(term="Versions", text=f"abtest {source.abtest_version}, Python {source.python_version}, {libraries}")
    if source.command:
        yield Fact(term="Command", text=wording.redacted(source.command), code=True)


def _told_apart(record: ComparisonRecord) -> Iterator[Fact]:
    data, settings = record.data, record.settings
    engine = "" if settings.engine == LOCAL else settings.engine
    for term, told in (("Segments", ", ".join(settings.segments)), ("Unit", data.unit), ("Engine", engine)):
        if told:
            yield Fact(term=term, text=told)


def _test_set(record: ComparisonRecord) -> Iterator[Fact]:
    """How the test set was used, and what of it was trained on."""
    data, confirmation = record.data, record.confirmation
    if data.uses:
        yield Fact(term="Use of these data", text=f"use {data.uses} of this test set")
    if data.duplicates is not None:
        yield Fact(term="Repeated rows", text=wording.whole(data.duplicates))
    if data.train is not None:
        found = data.train
        yield Fact(
            term="Training data",
            text=(
                f"{wording.plural(found.n, 'row')} of {found.path}: {wording.plural(found.leaked, 'test row')} among "
                f"them, {wording.whole(found.conflicting)} with another label"
            ),
        )
    if confirmation is not None:
        held = "confirms the verdict" if confirmation.held else "does not confirm the verdict"
        opened = f", opened for {wording.plural(confirmation.use, 'challenger')}" if confirmation.use else ""
        yield Fact(term="Locked test set", text=f"{confirmation.path}{opened}: {held}")
    found_apart = record.differences
    if found_apart is not None:
        yield Fact(term="Columns that differ", text="; ".join(found_apart.columns) or "none")
        yield Fact(term="Packages that differ", text="; ".join(found_apart.packages) or "none")


def _form(record: ComparisonRecord) -> str:
    return f"McNemar {record.settings.policy.method}; " if record.mcnemar is not None else ""


def _footprint(record: ComparisonRecord) -> Iterator[Fact]:
    for what, pair, write in (
        ("Prediction time per row", record.evaluation.latency, wording.duration),
        ("Size on disk", record.evaluation.size, wording.size_on_disk),
    ):
        if pair is not None:
            yield Fact(term=what, text=f"champion {write(pair.champion)}, challenger {write(pair.challenger)}")


def _model(model: ComparedModel) -> str:
    parts = [shown(model.ref)]
    if model.version is not None:
        parts.append(f"version {model.version}")
    if model.run_id:
        parts.append(f"run {model.run_id}")
    if model.uri and model.uri != model.ref:
        parts.append(wording.redacted(model.uri))
    return ", ".join(parts)


def _positive(record: ComparisonRecord) -> str:
    settings = record.settings
    known = record.outcomes or record.confusion
    if settings.average != "binary" or known is None:
        return ""
    return f", positive class {shown(max(known.labels) if settings.pos_label is None else settings.pos_label)}"
