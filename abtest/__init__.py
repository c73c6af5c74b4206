"""The champion/challenger toolkit for models in an MLflow registry."""
