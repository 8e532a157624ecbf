"""Prompts for the reply: one file of words, one function that builds any strategy."""

from nodes.prompts.build import build_prompt
from nodes.prompts.history import bounded_history
from nodes.prompts.stage import OFFERING_INTENTS, read_stage
from nodes.prompts.words import strategy_names

__all__ = [
    "OFFERING_INTENTS",
    "bounded_history",
    "build_prompt",
    "read_stage",
    "strategy_names",
]
