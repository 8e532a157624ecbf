"""Where a conversation stands: whether to listen, to understand, to help, or to take the lead."""

from __future__ import annotations

from typing import Final

from graph.state import IntentChoice
from nodes.conversation import Conversation
from nodes.prompts.words import Stage

OFFERING_INTENTS: Final = frozenset({"suggesting", "encouraging", "consoling"})
"""Intents with which a coping step is offered from the first turn; the others listen."""

_LISTENING_INTENTS: Final = frozenset({"questioning", "wishing"})
"""Intents that ask for a reply of their own: a question and a step at once are too much."""

_HEARD: Final = 3
"""Turn from which a person counts as heard."""


def read_stage(talk: Conversation, intent: IntentChoice, *, asks: bool, has_steps: bool) -> Stage:
    """Return the stage: listening comes before help (WHO 2011, Psychological First Aid).

    Args:
        talk: the conversation so far.
        intent: the intent chosen this turn, with its reason.
        asks: whether the person asks what to do.
        has_steps: whether there is any coping step to offer.
    """
    label = intent["label"]
    if "frustrated" in intent["reason"]:
        return "initiative"
    if asks or label == "suggesting":
        return "help"
    # Messages sent one after the other, before any reply, are one turn: nobody was heard yet.
    heard = len(set(talk.answered)) >= _HEARD
    wanted = label in OFFERING_INTENTS or (heard and label not in _LISTENING_INTENTS)
    if wanted and has_steps:
        return "help"
    return "understand" if heard else "listen"
