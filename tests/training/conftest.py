"""Fixtures of the tests that train."""

from tests.models.tiny_encoder import tiny_encoder

__all__ = ["tiny_encoder"]
