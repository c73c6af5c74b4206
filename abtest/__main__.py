"""``python -m abtest``."""

from abtest.cli import main

main()
