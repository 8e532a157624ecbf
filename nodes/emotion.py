"""recognize_emotion: what the person seems to feel, out of 32 emotions."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from typing_extensions import TypedDict

from graph.state import EmotionReading, State
from models.encoder import Encoder, pool
from models.features import RECENT_MESSAGES, conversation_vector
from models.heads import LinearHead
from nodes.conversation import read_conversation

logger = logging.getLogger(__name__)

_TOP = 5
UNKNOWN: EmotionReading = {"label": "unknown", "scores": {}}


class EmotionUpdate(TypedDict):
    """What this node writes."""

    emotion: EmotionReading


@dataclass(frozen=True)
class RecognizeEmotion:
    """Read the emotion of the person's latest messages; a failure reads "unknown"."""

    encoder: Encoder | None
    head: LinearHead | None

    def __call__(self, state: State) -> EmotionUpdate:
        """Write the emotion with its five highest probabilities."""
        person = read_conversation(state["messages"]).person
        if self.encoder is None or self.head is None or not person:
            return {"emotion": UNKNOWN}
        try:
            return {"emotion": read_emotion(self.encoder, self.head, person)}
        except Exception as exc:  # The crisis check still has to run, whatever broke here.
            logger.error("recognize_emotion failed: %s", type(exc).__name__)
            return {"emotion": UNKNOWN}


def read_emotion(
    encoder: Encoder, head: LinearHead, person: tuple[str, ...], *, top: int = _TOP
) -> EmotionReading:
    """Read the emotion of the person's messages, oldest first, at least one."""
    vectors = [pool(each) for each in encoder.encode(person[-RECENT_MESSAGES:])]
    scores = head.scores(conversation_vector(vectors))
    best = dict(list(scores.items())[:top])
    return {"label": next(iter(best)), "scores": best}
