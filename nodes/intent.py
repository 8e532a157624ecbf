"""select_intent: what a good listener would do next, out of nine intents."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from typing_extensions import TypedDict

from graph.state import Intent, IntentChoice, State
from models.features import intent_features
from models.heads import LinearHead
from nodes.conversation import read_conversation
from nodes.reading import TextReader

logger = logging.getLogger(__name__)

FALLBACK: IntentChoice = {
    "label": "acknowledging",
    "scores": {},
    "reason": "fallback: the intent could not be predicted",
}

_REMEMBERED: Final = 8
"""Intents kept in state; the head reads two, the policy three."""

_FRUSTRATED = re.compile(
    r"\b(you(?:'re| are)? (?:not|n't|never) (?:help|listen|get)"
    r"|(?:this|that|you)(?:'s| is| are|'re)? "
    r"(?:not helping|isn't helping|useless|pointless|no help)"
    r"|stop asking|you keep (?:asking|saying|repeating)|you (?:already )?(?:asked|said) that"
    r"|help me (?:out|already)|instead of (?:asking|crying)|just tell me what to do)",
    re.IGNORECASE,
)
_ASKS_FOR_HELP = re.compile(
    r"\b(what (?:should|can|do) i do|how (?:do|can|should) i|any (?:advice|ideas|tips)"
    r"|can you help me|help me (?:with|to)|what would you (?:do|suggest)|give me (?:advice|tips))",
    re.IGNORECASE,
)


class IntentUpdate(TypedDict):
    """What this node writes."""

    intent: IntentChoice
    intents: list[Intent]


@dataclass(frozen=True)
class SelectIntent:
    """Predict the next listener intent and apply the policy; a failure acknowledges."""

    reader: TextReader | None
    head: LinearHead | None

    def __call__(self, state: State) -> IntentUpdate:
        """Write the intent with its reason, and append it to the thread's intents."""
        earlier = state.get("intents", [])
        person = read_conversation(state["messages"]).person
        choice = FALLBACK
        if self.reader and self.head and person:
            try:
                scores = predict_intent(self.reader, self.head, person, earlier)
                choice = apply_policy(scores, person[-1], earlier)
            except Exception as exc:  # The crisis check still has to run, whatever broke here.
                logger.error("select_intent failed: %s", type(exc).__name__)
        return {"intent": choice, "intents": [*earlier, choice["label"]][-_REMEMBERED:]}


def predict_intent(
    reader: TextReader, head: LinearHead, person: tuple[str, ...], earlier: Sequence[str]
) -> dict[str, float]:
    """Return intent to probability, most probable first."""
    conversation = reader.conversation_vector(person)
    return head.scores(intent_features(conversation, len(person), earlier))


def apply_policy(scores: dict[str, float], message: str, earlier: list[Intent]) -> IntentChoice:
    """Choose the intent: the head's, unless the conversation calls for another.

    The rules come from the failures of the project's first bot: it met frustration with "How can
    I help you?", and asked without end.
    """
    ranked = [cast(Intent, label) for label in scores]
    label, reason = ranked[0], "most probable next intent"
    if _FRUSTRATED.search(message):
        label, reason = "suggesting", "policy: the person is frustrated, so take the initiative"
    elif _ASKS_FOR_HELP.search(message):
        label, reason = "suggesting", "policy: the person asks what to do"
    elif label == "questioning" and earlier[-2:] == ["questioning", "questioning"]:
        label = next(each for each in ranked if each != "questioning")
        reason = "policy: no third question in a row"
    return {"label": label, "scores": scores, "reason": reason}
