"""What the review rules look at beside the draft, read from the graph's state."""

from __future__ import annotations

from graph.state import State
from nodes.conversation import read_conversation
from nodes.review.reviewer import ReviewContext


def review_context(state: State) -> ReviewContext:
    """Collect the person's messages, the earlier replies and the strategies of this turn."""
    talk = read_conversation(state["messages"])
    texts = tuple(strategy["text"] for strategy in state.get("strategies", []))
    return ReviewContext(person=talk.person, replies=talk.replies, strategies=texts)
