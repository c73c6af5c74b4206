"""A report of monitoring, told to people, to CI and to MLflow: summary, figures, and one file an output."""
