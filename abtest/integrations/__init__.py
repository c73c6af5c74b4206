"""Where other tools call us: pytest, and MLflow's evaluate."""
