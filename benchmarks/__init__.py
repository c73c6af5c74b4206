"""Speed and memory, side by side with what a user would pick instead: ratios measured in one run.

``python -m benchmarks`` runs all, ``python -m benchmarks start_up evaluator resampling`` some.
"""
