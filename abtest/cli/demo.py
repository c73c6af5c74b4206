"""``abtest demo``: everything needed to try it, and the first comparison."""

from __future__ import annotations

from pathlib import Path

from abtest.cli import common
from abtest.cli import options as o


def demo(
    debug: o.Debug = False,
) -> None:
    """Train two models on real data, register them, and compare them, in ./abtest-demo.

    Example:
        $ abtest demo
    """
    from abtest import demo as builder  # noqa: PLC0415 - --help does not pay for it
    from abtest import workflow  # noqa: PLC0415 - see above
    from abtest.settings import Settings  # noqa: PLC0415 - see above

    folder = Path(builder.FOLDER)
    common.tell(f"Training two models on scikit-learn's digits and registering them in {folder}/ …")
    registry = builder.build(folder)
    comparison = workflow.compare(
        data=folder / builder.TEST_DATA,
        target=builder.TARGET,
        model_name=builder.MODEL,
        tracking_uri=registry.tracking_uri,
        output=folder / "reports",
        log=True,
        command=common.command_line(),
    )
    common.show(comparison, "table", quiet=False)
    common.tell_where(comparison, Settings(), quiet=False)
    common.tell(
        f"\nType next:\n"
        f"  cd {folder}\n"
        f"  abtest compare --champion-stage Production --challenger-stage Staging\n"
        f"  abtest compare --auto-promote --dry-run\n"
        f"  abtest models show {builder.MODEL}\n"
        f"  mlflow ui --backend-store-uri sqlite:///mlflow.db"
    )
