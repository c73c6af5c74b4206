"""Tests of abtest/live/serving."""
