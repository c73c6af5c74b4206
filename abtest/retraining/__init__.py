"""Train again on new data, and let the champion be challenged: one lock, one audit trail."""
