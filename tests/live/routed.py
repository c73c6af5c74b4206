"""A process that routes and logs like a server: one unit a line in, its arm and epoch out.

``python -m tests.live.routed URL``, for model "fruit" with version 1 serving. It ends in order with its input.
"""

from __future__ import annotations

import sys

from abtest.live.routing import Router
from abtest.live.store import Store
from abtest.live.units import UnitHasher
from abtest.live.writing.writer import Writer
from tests.live.logs import row


def main(url: str) -> None:
    """Answer each unit."""
    with Store(url) as store:
        hashed, router, writer = UnitHasher(store.unit_key()), Router(store, "fruit", every=0.05), Writer(store)
        for line in sys.stdin:
            unit = line.rstrip("\n")
            (number,) = writer.sequence.next()
            assignment = router.assign(unit, f"{writer.server}-{number}", 1)
            writer.log([
                row(writer.server, number, arm=assignment.arm, experiment=assignment.experiment,
                    epoch=assignment.epoch, unit=hashed(unit))
            ])  # fmt: skip
            sys.stdout.write(f"{unit} {assignment.arm} {assignment.experiment} {assignment.epoch}\n")
            sys.stdout.flush()
        router.close()
        writer.close(patience=30)


if __name__ == "__main__":
    main(sys.argv[1])
