"""review_reply: the last look at the whole reply, then one retry, then reviewed parts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Literal

from langchain_core.messages import AIMessage
from typing_extensions import TypedDict

from graph.state import Fault, ReplySource, State
from nodes.compose import Composer
from nodes.conversation import read_conversation
from nodes.generate import compose
from nodes.prompts.content_words import content_words
from nodes.review.context import review_context
from nodes.review.reviewer import Reviewer
from nodes.streaming import release

logger = logging.getLogger(__name__)

_ATTEMPTS: Final = 2
_ENOUGH_SENTENCES: Final = 2
"""A draft that was stopped by a fault may stand if this many good sentences are out."""

_OFFERED_KEPT: Final = 30
_TAKEN_UP: Final = 0.3
"""Share of a strategy's content words that a reply holds when it offers it in other words."""


class ReviewUpdate(TypedDict, total=False):
    """What this node writes; a rejected draft writes its faults only."""

    messages: list[AIMessage]
    reply_source: ReplySource
    offered: list[str]
    draft: list[str]
    faults: list[Fault]


@dataclass(frozen=True)
class ReviewReply:
    """Send the draft, ask for one more, or finish it from reviewed parts.

    What has been released stays: a reply is finished, never taken back.
    """

    reviewer: Reviewer | None
    composer: Composer

    def __call__(self, state: State) -> ReviewUpdate:
        """Write the reply, or leave it out to ask for another draft."""
        draft = state["draft"]
        if state["draft_source"] == "composed":
            return self._send(state, draft, "composed")
        faults = state["faults"]
        if not draft and faults and state["attempts"] < _ATTEMPTS:
            return {"faults": faults}
        if draft and self._stands(state, draft):
            return self._send(state, draft, "model")
        rest = self._continuation(state, draft) if draft else compose(self.composer, state)
        release(rest)
        return self._send(state, [*draft, *rest], "composed")

    def _stands(self, state: State, draft: list[str]) -> bool:
        if self.reviewer is None or (state["faults"] and len(draft) < _ENOUGH_SENTENCES):
            return False
        return not self.reviewer.review(draft, review_context(state), finished=True)

    def _continuation(self, state: State, draft: list[str]) -> list[str]:
        talk = read_conversation(state["messages"])
        emotion = state["emotion"]
        return self.composer.continuation(
            draft,
            emotion=emotion["label"],
            confidence=emotion["scores"].get(emotion["label"], 0.0),
            intent=state["intent"]["label"],
            person=talk.person,
            replies=talk.replies,
            strategies=state.get("strategies", []),
        )

    def _send(self, state: State, sentences: list[str], source: ReplySource) -> ReviewUpdate:
        reply = " ".join(sentences)
        offered = [
            strategy["id"]
            for strategy in state.get("strategies", [])
            if _takes_up(reply, strategy["text"])
        ]
        return {
            "messages": [AIMessage(reply)],
            "reply_source": source,
            "offered": [*state.get("offered", []), *offered][-_OFFERED_KEPT:],
            "draft": [],
            "faults": [],
        }


def _takes_up(reply: str, offer: str) -> bool:
    """Tell whether a reply offers a strategy, in its own words or in others."""
    words = content_words(offer)
    return offer in reply or len(words & content_words(reply)) >= max(2, _TAKEN_UP * len(words))


def route_review(state: State) -> Literal["generate_reply", "__end__"]:
    """Go back for another draft while the last one was rejected, and end otherwise."""
    return "generate_reply" if state["faults"] else "__end__"
