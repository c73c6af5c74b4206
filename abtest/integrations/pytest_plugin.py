"""The gate as a test: pytest's fixture ``abtest_gate``, there wherever abtest is installed.

```python
def test_challenger(abtest_gate):
    abtest_gate("iris")
```

compares what serves with what wants to, and fails unless the verdict is PROMOTE. Nothing heavy is imported until a test
asks for it: this file is loaded in every run of pytest.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from abtest.comparison import Comparison, Comparisons

_AS_GIVEN = ("output", "log", "command", "progress")  # what the command line sees to itself


class Gate:
    """Compares, and fails the test unless the challenger may serve.

    Args:
        root: Where ``abtest.toml`` is looked for, there and above.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(
        self,
        model_name: str | None = None,
        *,
        champion: Any = None,  # noqa: ANN401 - what abtest.compare takes
        challenger: Any = None,  # noqa: ANN401 - see above
        accept: Iterable[str] = (),
        **options: Any,  # noqa: ANN401 - see above
    ) -> Comparison | Comparisons:
        """Compare, and fail the test unless the verdict passes.

        Args:
            model_name: The registered model.
            champion: The serving model, as ``abtest.compare`` takes it; by default the settings', else what is in
                Production or has the alias ``champion``.
            challenger: The other one, or a list of several, likewise.
            accept: What passes beside PROMOTE: "conditional", "insufficient-evidence".
            options: Any other option of ``abtest.compare``, over those of ``abtest.toml`` and ``ABTEST_*``; the policy
                may be the name of a file.
        """
        from abtest.errors import AbtestError  # noqa: PLC0415 - see the module

        try:
            passing = _accepted(accept)
            found = _compared(self._root, champion, challenger, {"model_name": model_name, **options})
        except AbtestError as error:
            complaint: str | None = f"abtest could not compare: {error}"
        else:
            complaint = _complaint(found, passing)
        if complaint is not None:
            pytest.fail(complaint, pytrace=False)  # what fails is the challenger, and no line of code
        return found


@pytest.fixture
def abtest_gate(pytestconfig: pytest.Config) -> Gate:
    """Compare a challenger with the champion, and fail the test unless it may serve: ``abtest_gate("iris")``.

    Defaults come from ``abtest.toml`` at pytest's rootdir, or above it, and from ``ABTEST_*`` variables. An error fails
    the test too. Nothing is promoted, and nothing written or logged unless ``output`` or ``log`` says so.
    """
    return Gate(pytestconfig.rootpath)


def _accepted(accept: Iterable[str]) -> tuple[str, ...]:
    from abtest.decision import accepted  # noqa: PLC0415 - see the module

    return accepted(accept)


def _compared(root: Path, champion: Any, challenger: Any, given: dict[str, Any]) -> Comparison | Comparisons:  # noqa: ANN401 - see Gate
    """Compare with the defaults that the command line has in that folder."""
    from abtest import defaults, workflow  # noqa: PLC0415 - see the module
    from abtest.errors import InvalidInputError, near  # noqa: PLC0415 - see the module
    from abtest.settings import Settings  # noqa: PLC0415 - see the module
    from abtest.workflow.comparing import Options  # noqa: PLC0415 - see the module

    known = (*Options.__annotations__, "confidence", "method")
    for key in given:
        if key not in known:
            raise InvalidInputError(f"abtest_gate has no option '{key}'.", hint=near(key, known))
    settings = Settings.load(root, os.environ)
    default_champion, default_challengers = defaults.sides(settings)
    if challenger is None and default_challengers:
        challenger = default_challengers if len(default_challengers) > 1 else default_challengers[0]
    given = {"test_data" if key == "data" else key: value for key, value in given.items()}
    told = {**settings.compare, **given}
    options = {**defaults.options(given, settings), **{key: told[key] for key in _AS_GIVEN if key in told}}
    if options.get("data") is None:
        raise InvalidInputError(
            "data names no labelled rows, and the settings no test_data.",
            hint="abtest_gate(…, data='rows.csv'), or test_data in abtest.toml.",
        )
    compare: Any = workflow.compare  # whichever of its forms
    found: Comparison | Comparisons = compare(default_champion if champion is None else champion, challenger, **options)
    return found


def _complaint(found: Comparison | Comparisons, accept: tuple[str, ...]) -> str | None:
    """Why the test fails, if it does."""
    from abtest.decision import passes  # noqa: PLC0415 - see the module
    from abtest.reporter import plain  # noqa: PLC0415 - see the module

    return None if passes(found.verdict, accept) else plain.render(found.record)
