"""How live traffic was compared, in plain words with the literature, and where it came from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter.live import moment, odds
from abtest.reporter.paragraph import Fact, Paragraph
from abtest.stats.sequences import LEAST_DISCORDANT, LEAST_N, LEAST_RIGHT, LEAST_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.evaluator.live import LiveReading
    from abtest.record import ComparisonRecord

_SEQUENCE = "Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52:2613."
_VILLE = "Ville (1939), Étude critique de la notion de collectif."
_FIRST = "Of a unit that sends several requests the first one counts: a rule that no outcome can influence"


def method(record: ComparisonRecord, reading: LiveReading) -> Iterator[Paragraph]:
    """Explain who saw which model, what was tested how, and what was checked."""
    yield _same_requests(record) if reading.mode == "shadow" else _two_arms(record)
    if reading.looking == "fixed":
        yield _one_look(reading)
    else:
        if reading.log_better is not None:
            yield _evidence(record)
        yield _interval(record, reading)
        if len(record.metrics) > 1:
            yield Paragraph(
                term="The other metrics",
                text=(
                    "They have values, and an interval only where there is one that holds at every look: who looks "
                    "often at the others finds differences that are not there."
                ),
            )
    yield _labels(reading)
    yield _trust(reading)
    if reading.pvalue_worse is not None:
        yield Paragraph(
            term="Rolling back",
            text=(
                f"Harm has a level of its own, {reading.rollback_alpha:g}, apart from the verdict's: the challenger "
                f"is rolled back where the one-sided p is below it. Here {wording.pvalue(reading.pvalue_worse)}."
            ),
        )


def facts(reading: LiveReading) -> Iterator[Fact]:
    """List the experiment's plan, and when it was looked at."""
    yield Fact(term="Experiment", text=f"{reading.experiment}, {reading.mode}, epoch {reading.epoch}, {reading.state}")
    yield Fact(term="Traffic", text=f"{moment(reading.started_at)} to {moment(reading.until)}")
    share = (
        f"; {wording.percent(reading.challenger_share)} of them to the challenger" if reading.mode == "split" else ""
    )
    yield Fact(term="Units that take part", text=f"{wording.percent(reading.inclusion)}{share}")
    plans = (reading.planned_n, "unit"), (reading.planned_discordant, "discordant pair")
    planned = " and ".join(wording.plural(count, noun) for count, noun in plans if count is not None)
    looks = "looked at any time" if reading.looking == "anytime" else "looked at once"
    yield Fact(term="Plan", text=f"{planned or 'no number of units'}, {looks}")
    yield Fact(term="Horizon of labels", text=wording.span(reading.horizon))


def _same_requests(record: ComparisonRecord) -> Paragraph:
    says = (
        "requests on which both are right, or both wrong, say nothing about which one is better"
        if record.task == "classification"
        else "what makes a request hard for both says nothing about which one is better"
    )
    return Paragraph(
        term="The same requests for both",
        text=(
            "The champion answered; the challenger predicted the same requests behind it, and none of its answers was "
            f"served. Such a paired comparison is far sharper than two arms: {says}. {_FIRST}. "
            f"{_failed(record)} An effect is challenger minus champion{_in_points(record)}."
        ),
    )


def _two_arms(record: ComparisonRecord) -> Paragraph:
    return Paragraph(
        term="Two arms",
        text=(
            "Which side serves a unit is drawn by a hash of the experiment and the unit: a unit meets one side only, "
            "and nothing known of it decides which. Ramping lets more units take part, and moves none from one side "
            f"to the other. {_FIRST}. A request on which the challenger failed was answered by the champion, and is "
            f"still the challenger's. {_failed(record)} An effect is challenger minus champion{_in_points(record)}; as "
            "both served other units, only shares and means can be compared, never counts."
        ),
        references="Kohavi, Tang & Xu (2020), Trustworthy Online Controlled Experiments, chapters 1 and 14.",
    )


def _evidence(record: ComparisonRecord) -> Paragraph:
    alpha = record.settings.policy.alpha
    return Paragraph(
        term="Evidence at any time",
        text=(
            "Only requests on which exactly one side is right tell the two apart. Were the two equally accurate, each "
            "would be the right one half of the time. E is what a bettor who began with 1 and bet against that, at "
            "fair odds, would have by now. By chance alone it ever reaches 1/α with probability α at most, so one may "
            "look as often as one likes, and stop when one likes (this is an e-process). One bettor bets on the "
            f"challenger and one against it, each at half of the level of {alpha:.3g}: E convinces at "
            f"{odds(math.log(2 / alpha))}. p comes from the largest E so far, in the direction of the effect as it is "
            "now."
        ),
        references=(
            f"{_VILLE} Robbins (1970), Annals of Mathematical Statistics 41:1397. Howard, Ramdas, McAuliffe & Sekhon "
            "(2021), Annals of Statistics 49:1055. Lindon & Malek (2022), Advances in Neural Information Processing "
            "Systems 35."
        ),
    )


def _interval(record: ComparisonRecord, reading: LiveReading) -> Paragraph:
    if reading.mode == "shadow":
        differ = f", {LEAST_DISCORDANT} of which tell the two apart" if record.task == "classification" else ""
        least = f"there are {LEAST_N} requests{differ}"
    else:
        right = f" with {LEAST_RIGHT} right and {LEAST_RIGHT} wrong" if record.task == "classification" else ""
        least = f"each arm has {LEAST_UNITS} units{right}"
    planned = (
        "" if reading.planned_n is None else f", and is sharpest near the {wording.whole(reading.planned_n)} planned"
    )
    tests = "" if reading.log_better is not None else " p is the level at which it would just leave out zero."
    return Paragraph(
        term="An interval at every look",
        text=(
            "An ordinary interval holds the true effect at one look, and misses it sooner or later when one looks "
            f"again and again. This one, a confidence sequence, holds it at every look at once with "
            f"{wording.confidence(record.settings.policy.confidence)} confidence{planned}: that is why it is wider. "
            f"It is asymptotic, so it is shown only once {least}.{tests}"
        ),
        references=_SEQUENCE,
    )


def _one_look(reading: LiveReading) -> Paragraph:
    planned = "" if reading.planned_n is None else f", at {wording.plural(reading.planned_n, 'unit')}"
    return Paragraph(
        term="One look",
        text=(
            f"It was planned to look once{planned}, and no outcome was shown before. An ordinary test is valid then, "
            "and sharper than one that may be looked at any time; what comes later is not added to it."
        ),
        references="Armitage, McPherson & Rowe (1969), J. R. Statist. Soc. A 132:235, for what looking again does.",
    )


def _labels(reading: LiveReading) -> Paragraph:
    if reading.horizon:
        waits = (
            f"A prediction counts once it is older than {wording.span(reading.horizon)}, when labels of its age are "
            "taken to be complete: where one class's labels come earlier than another's, what came first would "
            "look like evidence."
        )
    else:
        waits = (
            "Labels count as they come. Where one class's labels come earlier than another's that misleads, and the "
            "experiment needs a horizon."
        )
    return Paragraph(
        term="Labels that come late",
        text=(
            f"{waits} The label that counts is the last one received before that age, else the first one after it. "
            "Later corrections are kept, and change nothing that the evidence has seen."
        ),
    )


def _trust(reading: LiveReading) -> Paragraph:
    ratio = (
        "that units fall to the two sides in the planned shares, as where they do not, something about a unit decides "
        "which model it meets, or whether it is counted; and that labels come in as often for both sides"
    )
    dropped = "that the champion is right as often on requests which the shadow dropped as on the others"
    own = ratio if reading.mode == "split" else dropped
    return Paragraph(
        term="Can it be trusted?",
        text=(f"On every look it is checked {own}. A check that fails stops every verdict, whatever the numbers say."),
        references=(
            "Fabijan et al. (2019), Proceedings of KDD 25:2156, for sample-ratio mismatch. Lindon & Malek (2022), "
            "Advances in Neural Information Processing Systems 35, for its test at every look."
        )
        if reading.mode == "split"
        else "",
    )


def _failed(record: ComparisonRecord) -> str:
    if record.task == "classification":
        return "A prediction that failed counts as wrong."
    return "A prediction that failed has no error, and is left out of them."


def _in_points(record: ComparisonRecord) -> str:
    return ", in percentage points" if record.task == "classification" else ""
