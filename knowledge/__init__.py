"""Coping cards, the registry of helplines and reviewed texts, with their loaders."""
