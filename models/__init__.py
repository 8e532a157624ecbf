"""Encoder, heads and chat models."""
