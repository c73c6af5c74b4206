"""Train again on new data, and let the champion be challenged: one lock, one audit trail."""

from abtest.retraining.audit import Audit, Retraining
from abtest.retraining.request import LEASE, Request
from abtest.retraining.retraining import Retrained, retrain

__all__ = ["LEASE", "Audit", "Request", "Retrained", "Retraining", "retrain"]
