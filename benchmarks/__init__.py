"""Speed and memory, side by side with what a user would pick instead.

``python -m benchmarks`` measures all of it, keeps it in ``results`` and writes ``README.md``.

A benchmark is a module whose docstring is a question and how it is answered, and whose ``main(*, quick=False)`` records
measurements: ``timing.interleaved`` or ``timing.processes`` take the rounds, ``timing.compare`` or ``timing.record``
keep what came of them. ``measured`` has the records, ``page`` and ``drawing`` make the page of what was kept.
"""
