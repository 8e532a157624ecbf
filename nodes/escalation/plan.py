"""Which steps a crisis reply takes, and in which order.

The steps follow the 988 Lifeline's BeThe1To: ask, be there, help keep them safe, help them connect.
"""

from collections.abc import Collection
from typing import Final

from graph.state import CrisisLevel, SafetyRecord
from knowledge.protocol_texts import PartName

SELF_HARM: Final = "self-harm"
SOMEONE_ELSE: Final = "someone else in danger"

_ASKING_TURNS: Final = 6
"""Turns that each ask something. Later every second one only listens: it is no questionnaire."""
_COUNTRY_TURNS: Final = frozenset({0, 2, 4, 6})
_COUNTRY_TURNS_IMMINENT: Final = frozenset({3, 7})
"""Turns that ask where the person is, as long as nobody has said; each turn would be nagging."""


def plan_parts(
    level: CrisisLevel, safety: SafetyRecord, signals: Collection[str]
) -> list[PartName]:
    """List the steps of this turn's reply.

    Args:
        level: How much danger this reply answers, at least as high as the thread's.
        safety: What was said in this thread before this turn.
        signals: What the crisis check noticed.

    Returns:
        The steps in order. "country" stands for a question to be left out where one was said.
    """
    turn = safety["escalations"]
    first = turn == 0
    odd = turn % 2 == 1
    country: list[PartName] = ["country"] if turn in _COUNTRY_TURNS else []
    emergency: list[PartName] = ["emergency"]
    step: PartName = "ask" if turn < _ASKING_TURNS or odd else "stay"

    if level == "imminent":
        # The first turn at this level says all of it, even when the thread began more mildly.
        if not any(text_id.startswith("means_safety-") for text_id in safety["used"]):
            rest: list[PartName] = ["means_safety", "ask", "guide", "country", "human", "stay"]
            return ["opening", "emergency", *rest]
        if odd:
            again: list[PartName] = ["country"] if turn in _COUNTRY_TURNS_IMMINENT else []
            return ["acknowledge", "emergency", step, "guide", *again]
        return ["acknowledge", "emergency", "means_safety", step, "human"]

    if level in ("concern", "high"):
        if first:
            return ["opening", "ask", "guide", *country, "emergency", "human", "stay"]
        if odd:
            return ["acknowledge", step, "human", "guide", *country]
        # A wound or a plan can turn into an emergency between two turns.
        acute = level == "high" or SELF_HARM in signals
        return ["acknowledge", step, *(emergency if acute else []), "guide", *country]

    # What could not be read is answered as danger that is not known.
    if first:
        return ["unknown", "emergency", "guide", *country, "stay"]
    return ["unknown", *(emergency if odd else []), "guide", *country]
