"""Measures the readings."""
