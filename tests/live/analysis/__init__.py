"""Tests of abtest/live/analysis."""
