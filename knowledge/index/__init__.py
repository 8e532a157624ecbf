"""Chroma indexes of passages: on disk, in memory, or on a Chroma server."""
