"""retrieve_strategies: coping strategies that fit the conversation, from the Chroma store."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from typing_extensions import TypedDict

from graph.state import State, Strategy
from knowledge.contraindications import Contraindications
from knowledge.search import Found, Query
from models.encoder import Encoder, pool
from models.features import RECENT_MESSAGES, conversation_vector
from nodes.conversation import read_conversation

if TYPE_CHECKING:
    from models.encoder import Vector

logger = logging.getLogger(__name__)

_ASKS_AGAIN: Final = re.compile(
    r"\b(remind me|(tell|show|explain|say|give) (me |us )?(that |it |this )?(one )?again"
    r"|you (said|suggested|mentioned|told me|gave me|showed me|recommended)"
    r"|what was (that|the|it)\b.{0,40}\b(again|exercise|tip|thing|called|you)"
    r"|that (exercise|technique|tip|thing|trick|idea) (again|from before|you)"
    r"|how (did|does) (that|it|the .{1,20}) (one )?(go|work) again)",
    re.I,
)
"""How people ask for something that was offered before."""


class Searches(Protocol):
    """What this node needs of a store."""

    def search(self, query: Query, *, k: int = 3) -> list[Found]:
        """Return at most k entries that fit, best first."""


class RetrieveUpdate(TypedDict):
    """What this node writes."""

    strategies: list[Strategy]
    retrieval_failed: bool
    attempts: int


@dataclass(frozen=True)
class RetrieveStrategies:
    """Find strategies not offered before; a failure finds none and says so in state."""

    encoder: Encoder | None
    store: Searches | None
    contraindications: Contraindications | None
    k: int = 3

    def __call__(self, state: State) -> RetrieveUpdate:
        """Write the strategies, best first."""
        person = read_conversation(state["messages"]).person
        # Without the rules of what is bad for whom, nothing is safe to offer.
        if self.encoder is None or self.store is None or self.contraindications is None:
            return {"strategies": [], "retrieval_failed": True, "attempts": 0}
        if not person:
            return {"strategies": [], "retrieval_failed": False, "attempts": 0}
        offered = state.get("offered", [])
        again = bool(_ASKS_AGAIN.search(person[-1]))
        try:
            query = Query(
                self._vector(self.encoder, person).tolist(),
                emotions=state["emotion"]["scores"],
                intent=state["intent"]["label"],
                exclude=() if again else offered,
                again=offered if again else (),
                ruled_out=self.contraindications.ruled_out(person),
            )
            strategies = [each.strategy for each in self.store.search(query, k=self.k)]
        except Exception as exc:  # A reply without strategies is better than none.
            logger.error("retrieve_strategies failed: %s", type(exc).__name__)
            return {"strategies": [], "retrieval_failed": True, "attempts": 0}
        return {"strategies": strategies, "retrieval_failed": False, "attempts": 0}

    def _vector(self, encoder: Encoder, person: Sequence[str]) -> Vector:
        """Return the vector of the latest messages: the last one weighs most, not alone."""
        return conversation_vector(
            [pool(each) for each in encoder.encode(person[-RECENT_MESSAGES:])]
        )
