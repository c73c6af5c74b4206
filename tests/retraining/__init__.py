"""Tests of abtest.retraining."""
