"""Where training keeps what it can make again."""

from platformdirs import user_cache_path

CACHE = user_cache_path("empathy-graph") / "training"
"""Checkpoints and vectors."""
