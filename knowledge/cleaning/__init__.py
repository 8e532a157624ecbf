"""Cleaning of what sources hold: personal data is removed, harmful advice is found."""
