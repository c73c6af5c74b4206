"""Run one command and print its seconds and its peak memory in MiB: ``python -I -S launch.py COMMAND…``.

A process of its own, as small as can be: a child's peak begins with what its parent had in memory when it forked.
What the command prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere


def main() -> int:
    """Run it, and return its exit code."""
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=2)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "mib": usage.ru_maxrss * _UNIT / 2**20}))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
