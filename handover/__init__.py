"""Carries escalations to people: what happened, an audit log, and a signed webhook."""
