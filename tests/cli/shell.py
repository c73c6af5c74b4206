"""The program in a process of its own, and a model that waits to be interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd


def environment(**variables: str) -> dict[str, str]:
    """The variables such a process runs with."""
    return {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **variables}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Type a command, and wait for its end."""
    return subprocess.run(  # noqa: S603 - the program under test
        [sys.executable, "-m", "abtest", *arguments],
        env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def begin(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Type a command, and do not wait."""
    return subprocess.Popen(  # noqa: S603 - the program under test
        [sys.executable, "-m", "abtest", *arguments],
        env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def waits_at(sign: Path) -> Callable[[pd.DataFrame], Any]:
    """Make a rule that shows by a file that it is asked, and takes its time to answer."""
    path = str(sign)

    def rule(frame: pd.DataFrame) -> Any:
        import pathlib
        import time as clock

        pathlib.Path(path).touch()
        clock.sleep(60)
        return ["apple"] * len(frame)

    return rule


def when_asked(process: subprocess.Popen[str], sign: Path, do: Callable[[], object]) -> None:
    """Do something as soon as such a rule is asked."""
    while process.poll() is None and not sign.exists():
        time.sleep(0.05)
    do()
