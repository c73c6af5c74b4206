"""Features that the log of servers kept → sketches by the day."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from abtest.stats.sketches import Numbers, Values
from abtest.windows import DAY, HOUR, Sketched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.store import Store
    from abtest.stats.sketches import Sketch


@dataclass(slots=True)
class _Column:
    """What a feature held so far: numbers are sketched by the hour, text is counted."""

    numbers: Numbers = field(default_factory=lambda: Numbers.of([]))
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, values: Sequence[Any]) -> None:
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        texts = [str(value) for value in values if isinstance(value, str | bool)]
        self.numbers += Numbers.of(numbers)
        self.texts.update(texts)

    def sketch(self, rows: int) -> Sketch:
        """Of one type, that of most rows; the others' have no value of that type."""
        texts = self.texts.total()
        if texts >= max(self.numbers.n, 1):
            return Values.of(self.texts, missing=rows - texts)
        return replace(self.numbers, missing=rows - self.numbers.n - self.numbers.infinite)


def sketch_day(store: Store, model_name: str, day: int) -> tuple[Sketched, ...]:
    """Sketch the features of what a model served in a day, by version; nothing where they were not kept.

    Args:
        store: The log.
        model_name: The model.
        day: Its begin, in seconds since 1970.
    """
    rows: Counter[int | None] = Counter()
    columns: dict[int | None, dict[str, _Column]] = defaultdict(lambda: defaultdict(_Column))
    for hour in range(day, day + DAY, HOUR):
        found: dict[int | None, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for version, text in store.served_features(model_name, hour, hour + HOUR):
            rows[version] += 1
            by_name = found[version]
            for name, value in json.loads(text).items():
                by_name[name].append(value)
        for version, by_name in found.items():
            for name, values in by_name.items():
                columns[version][name].add(values)
    start = datetime.fromtimestamp(day, UTC)
    return tuple(
        Sketched(
            day=start,
            version=version,
            features={name: column.sketch(rows[version]) for name, column in sorted(columns[version].items())},
        )
        for version in rows
    )
