"""The protocol's stages over turns: confirm the danger, guide to a human, stay; or urgent.

After VERA-MH's dimensions (Spring Care 2025) and the 988 Lifeline's BeThe1To. The stage follows
from what was said in the thread, so a thread rebuilt from its messages stands where it stood.
"""

from collections.abc import Sequence
from typing import Final, Literal

from knowledge.protocol_answers import Answer
from knowledge.protocol_texts import Level, ProtocolText

Stage = Literal["urgent", "confirm", "guide", "stay"]

_ASKED: Final = {"concern": 2, "high": 3}
"""Replies that ask about thoughts, plan, means and time (C-SSRS screener) before the next stage."""
_GUIDED: Final = 3
"""Replies that ask for a person or a professional, those of earlier stages included."""


def stage_of(level: Level, said: Sequence[ProtocolText], answer: Answer) -> Stage:
    """Return the stage of this turn's reply.

    Args:
        level: how much danger the reply answers.
        said: the texts said in this thread.
        answer: what the person says of help in their latest message.
    """
    reached = answer == "reached" or any(text.part == "reached" for text in said)
    safe = answer == "safe" and level != "imminent"
    if level == "imminent" and not reached:
        return "urgent"
    # Questions that fit a milder level do not confirm a graver one.
    asked = sum(text.part == "ask" and level in text.levels for text in said)
    if asked < _ASKED.get(level, 0):
        return "confirm"
    guided = sum(text.part == "human" for text in said)
    return "guide" if guided < _GUIDED and not (reached or safe) else "stay"
