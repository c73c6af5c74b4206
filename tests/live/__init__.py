"""Tests of live traffic."""
