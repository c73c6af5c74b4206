"""What MLflow keeps, for people: runs, experiments, lineage, environments, and what may be thrown away."""
