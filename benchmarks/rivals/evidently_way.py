"""Evidently's way: its preset for classification, the challenger's predictions against the champion's, as an HTML page.

Run by the Python of an environment where Evidently is, in a folder with ``predictions.parquet``. Prints both sides'
accuracy at its end, as JSON.
"""

from __future__ import annotations

import json

import pandas as pd
from evidently import DataDefinition, Dataset, MulticlassClassification, Report
from evidently.presets import ClassificationPreset

rows = pd.read_parquet("predictions.parquet").astype(str)
definition = DataDefinition(
    classification=[MulticlassClassification(target="y", prediction_labels="said")], categorical_columns=["y", "said"]
)
champion, challenger = (
    Dataset.from_pandas(rows[["y", side]].rename(columns={side: "said"}), data_definition=definition)
    for side in ("champion", "challenger")
)
found = Report([ClassificationPreset()]).run(challenger, champion)
found.save_html("evidently.html")
print(json.dumps({side: float((rows[side] == rows["y"]).mean()) for side in ("champion", "challenger")}))
