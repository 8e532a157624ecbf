"""What the protocol said before, read from the messages of a caller that keeps no thread."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from graph.state import CrisisLevel, SafetyRecord
from knowledge.protocol_texts import ProtocolText, ProtocolTexts
from nodes.escalation.constant import CONSTANT_REPLY

NEW_RECORD: Final[SafetyRecord] = {"level": "none", "escalations": 0, "settled": 0, "used": []}

_SLOT: Final = re.compile(r"\\\{\w+\\\}")
_LEVELS: Final[tuple[CrisisLevel, ...]] = ("none", "concern", "high", "imminent")


def recall(replies: Sequence[str], texts: ProtocolTexts) -> SafetyRecord:
    """Return the record of a conversation whose replies are known and whose record is not.

    The level is the mildest that fits all that the protocol said in these replies.

    Args:
        replies: what was answered, oldest first.
        texts: the texts that the protocol can say.
    """
    used: dict[str, None] = {}
    answered, level = 0, _LEVELS[0]
    for reply in replies:
        answered += is_protocol(reply, texts)
        for text in said_in(reply, texts):
            used.pop(text.id, None)
            used[text.id] = None
            known = [_LEVELS.index(each) for each in text.levels if each != "unknown"]
            # A text for an unreadable message says nothing of danger.
            if known and "unknown" not in text.levels:
                level = _LEVELS[max(_LEVELS.index(level), min(known))]
    return {"level": level, "escalations": answered, "settled": 0, "used": list(used)}


def is_protocol(reply: str, texts: ProtocolTexts) -> bool:
    """Tell whether the protocol wrote a reply, its last resort included."""
    return reply == CONSTANT_REPLY or bool(said_in(reply, texts))


def said_in(reply: str, texts: ProtocolTexts) -> list[ProtocolText]:
    """Return the protocol texts of a reply, in order; none when it is not the protocol's."""
    # By their ends: a slot at the beginning of a text may also take in the text before it.
    found = [
        (match.end(), text) for text in texts.texts if (match := _form(text.text).search(reply))
    ]
    return [text for _, text in sorted(found, key=lambda each: each[0])]


@lru_cache(maxsize=1024)
def _form(text: str) -> re.Pattern[str]:
    return re.compile(_SLOT.sub(r"[^\\n]{1,120}?", re.escape(text)))
