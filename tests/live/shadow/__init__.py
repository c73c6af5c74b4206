"""Tests of abtest/live/shadow."""
