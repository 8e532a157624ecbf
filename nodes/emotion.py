"""recognize_emotion: what the person seems to feel, out of 32 emotions."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from typing_extensions import TypedDict

from graph.state import EmotionReading, State
from models.heads import LinearHead
from nodes.conversation import read_conversation
from nodes.crisis import WINDOW
from nodes.reading import TextReader

logger = logging.getLogger(__name__)

_TOP = 5
UNKNOWN: EmotionReading = {"label": "unknown", "scores": {}}


class EmotionUpdate(TypedDict):
    """What this node writes."""

    emotion: EmotionReading


@dataclass(frozen=True)
class RecognizeEmotion:
    """Read the emotion of the person's latest messages; a failure reads "unknown"."""

    reader: TextReader | None
    head: LinearHead | None

    def __call__(self, state: State) -> EmotionUpdate:
        """Write the emotion with its five highest probabilities."""
        person = read_conversation(state["messages"]).person
        if self.reader is None or self.head is None or not person:
            return {"emotion": UNKNOWN}
        try:
            # This node comes first, so its pass also holds what the next two will read.
            self.reader.read_ahead([person], WINDOW)
            return {"emotion": read_emotion(self.reader, self.head, person)}
        except Exception as exc:  # The crisis check still has to run, whatever broke here.
            logger.error("recognize_emotion failed: %s", type(exc).__name__)
            return {"emotion": UNKNOWN}


def read_emotion(
    reader: TextReader, head: LinearHead, person: tuple[str, ...], *, top: int = _TOP
) -> EmotionReading:
    """Read the emotion of the person's messages, oldest first, at least one."""
    scores = head.scores(*reader.conversation(person))
    best = dict(list(scores.items())[:top])
    return {"label": next(iter(best)), "scores": best}
