"""Fixtures of the tests that load an installation."""

from tests.graph.loading import load, settings

__all__ = ["load", "settings"]
