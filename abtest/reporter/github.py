"""What GitHub Actions reads: workflow commands, which become annotations, and lines of ``GITHUB_OUTPUT``.

GitHub's escapes are its own: ``%``, CR and LF everywhere, and ``:`` and ``,`` in what stands before the second ``::``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abtest.decision import Reason
    from abtest.record import ComparisonRecord, ComparisonsRecord

Level: TypeAlias = Literal["error", "warning", "notice"]
_MOST = 9  # GitHub shows ten of a level from one step


def command(level: Level, message: str, *, title: str = "abtest") -> str:
    r"""Write a workflow command; it can be no other, whatever the message holds.

    Example:
        >>> command("error", "100 % broken\n::notice::fine", title="abtest: a, b")
        '::error title=abtest%3A a%2C b::100 %25 broken%0A::notice::fine'
    """
    return f"::{level} title={_escaped(title).replace(':', '%3A').replace(',', '%2C')}::{_escaped(message)}"


def annotated(record: ComparisonRecord | ComparisonsRecord, *, passed: bool, gate: bool) -> Iterator[str]:
    """Write the verdict, and each rule that did not hold, as annotations.

    Args:
        record: What was found and decided.
        passed: Whether the verdict passes.
        gate: Whether one that does not fails the job; it is a warning otherwise.
    """
    from abtest.record import ComparisonRecord  # noqa: PLC0415 - an error's annotation does not pay for it
    from abtest.reporter import several, summary  # noqa: PLC0415 - see above

    blocking: Level = "notice" if passed else "error" if gate else "warning"
    if isinstance(record, ComparisonRecord):
        words = summary.summarise(record)
        yield command(blocking, f"{words.headline} {words.advice}", title=f"abtest: {record.decision.verdict}")
        yield from _unmet(record.decision.reasons, blocking, "abtest")
    else:
        told = several.summarise(record)
        yield command(blocking, f"{told.headline} {told.advice}", title=f"abtest: {record.verdict}")
        chosen = record.recommended
        if chosen is not None:
            yield from _unmet(chosen.decision.reasons, blocking, "abtest")
        else:
            for name, one in zip(record.names, record.comparisons, strict=True):
                yield from _unmet(one.decision.reasons, blocking, f"abtest: {name}")


def outputs(values: Mapping[str, str | None]) -> str:
    r"""Write lines for ``GITHUB_OUTPUT``: what is known of these, each on one line, so that none can name another.

    Example:
        >>> outputs({"verdict": "PROMOTE", "report": "a\nverdict=b", "run-id": None})
        'verdict=PROMOTE\nreport=a verdict=b\n'
    """
    return "".join(f"{name}={' '.join(value.splitlines())}\n" for name, value in values.items() if value)


def _unmet(reasons: tuple[Reason, ...], blocking: Level, title: str) -> Iterator[str]:
    unmet = [reason for reason in reasons if not reason.held]
    for reason in unmet[:_MOST]:
        yield command(
            "warning" if reason.severity == "warn" else blocking, reason.text, title=f"{title}: {reason.rule}"
        )
    if unmet[_MOST:]:
        yield command("notice", f"{len(unmet) - _MOST} more rules do not hold; the report lists them.", title=title)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
