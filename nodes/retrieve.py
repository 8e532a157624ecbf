"""retrieve_strategies: coping strategies that fit the conversation, from the Chroma store."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import TypedDict

from graph.state import State, Strategy
from models.encoder import Encoder, pool
from models.features import RECENT_MESSAGES, conversation_vector
from nodes.conversation import read_conversation

logger = logging.getLogger(__name__)


class Searches(Protocol):
    """What this node needs of a store."""

    def search(
        self,
        vector: Sequence[float],
        *,
        k: int = 3,
        emotions: Mapping[str, float] | None = None,
        exclude: Collection[str] = (),
    ) -> list[Strategy]:
        """Return at most k strategies near the vector, best first."""


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
    k: int = 3

    def __call__(self, state: State) -> RetrieveUpdate:
        """Write the strategies, best first."""
        person = read_conversation(state["messages"]).person
        if self.encoder is None or self.store is None:
            return {"strategies": [], "retrieval_failed": True, "attempts": 0}
        if not person:
            return {"strategies": [], "retrieval_failed": False, "attempts": 0}
        try:
            vectors = [pool(each) for each in self.encoder.encode(person[-RECENT_MESSAGES:])]
            found = self.store.search(
                conversation_vector(vectors).tolist(),
                k=self.k,
                emotions=state["emotion"]["scores"],
                exclude=state.get("offered", []),
            )
        except Exception as exc:  # A reply without strategies is better than none.
            logger.error("retrieve_strategies failed: %s", type(exc).__name__)
            return {"strategies": [], "retrieval_failed": True, "attempts": 0}
        return {"strategies": found, "retrieval_failed": False, "attempts": 0}
