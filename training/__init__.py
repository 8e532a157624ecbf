"""Trains the heads."""
