"""Watching a model: its predictions and late labels tallied by the hour, held against a baseline, and acted upon."""
