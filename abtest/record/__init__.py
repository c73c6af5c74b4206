"""Everything a comparison found, as one plain record: what ``comparison.json`` spells; of monitoring and training too.

Reports are drawn from this record and promotions are planned from it; since it holds the table of outcomes itself, a
decision can be taken again, and a report drawn again, without scoring a row.
"""

from abtest.record.monitored import MonitoringRecord, MonitoringSettings
from abtest.record.parts import (
    ComparedData,
    ComparedModel,
    ComparisonSettings,
    Confusion,
    Differences,
    OutcomesTable,
    Provenance,
    SegmentTable,
    TrainingData,
)
from abtest.record.schema import SCHEMA_FILE, json_schema, schema_file, schema_text
from abtest.record.several import Adjustment, Between, ComparisonsRecord, best_of
from abtest.record.spelled import SCHEMA_VERSION
from abtest.record.trained import Candidate, CrossValidated, TrainingRecord, TrainingRows
from abtest.record.whole import ComparisonRecord

__all__ = [
    "SCHEMA_FILE",
    "SCHEMA_VERSION",
    "Adjustment",
    "Between",
    "Candidate",
    "ComparedData",
    "ComparedModel",
    "ComparisonRecord",
    "ComparisonSettings",
    "ComparisonsRecord",
    "Confusion",
    "CrossValidated",
    "Differences",
    "MonitoringRecord",
    "MonitoringSettings",
    "OutcomesTable",
    "Provenance",
    "SegmentTable",
    "TrainingData",
    "TrainingRecord",
    "TrainingRows",
    "best_of",
    "json_schema",
    "schema_file",
    "schema_text",
]
