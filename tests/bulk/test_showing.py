"""What is shown of a prediction, where there is more than fits."""

from __future__ import annotations

from rich.console import Console

from abtest.bulk import showing
from tests.bulk.examples import predicted


def test_a_sample_of_many_columns_holds_what_was_predicted() -> None:
    """Columns that were kept give way to the prediction, in a terminal as in Markdown."""
    kept = {f"kept{i}": i for i in range(30)}
    record = predicted(columns=(*kept, "prediction"), sample=({**kept, "prediction": "rose"},))
    console = Console(width=200)
    with console.capture() as told:
        console.print(showing.render(record))
    assert all("rose" in text and "kept29" in text for text in (told.get(), showing.markdown(record)))
    assert "kept0" not in showing.markdown(record)
