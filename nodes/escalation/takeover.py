"""A counsellor takes over a conversation, and gives it back: LangGraph's human in the loop.

The graph waits at an `interrupt` after the person has got the protocol's reply. Whoever is on call
sees it in Studio or through the API and resumes the thread with one of:

    {"reply": "..."}          say this to the person; the conversation stays with the counsellor
    {"give_back": true}       the graph answers again; may come together with a last reply

While nobody has resumed, the protocol goes on answering. While a counsellor has the conversation,
each message of the person waits for them.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt
from typing_extensions import TypedDict

from graph.state import CrisisLevel, State
from nodes.streaming import release

logger = logging.getLogger(__name__)

COUNSELLOR: Final = "counsellor"
"""The name on a counsellor's messages."""

_ORDER: Final[tuple[CrisisLevel, ...]] = ("none", "unknown", "concern", "high", "imminent")


class TakeoverUpdate(TypedDict, total=False):
    """What the node writes."""

    messages: list[AIMessage]
    taken_over: bool
    reply_source: Literal["counsellor"]


def route_taken_over(state: State) -> Literal["await_counsellor", "recognize_emotion"]:
    """Leave a conversation that a counsellor has taken over to them."""
    return "await_counsellor" if state.get("taken_over") else "recognize_emotion"


@dataclass(frozen=True)
class AwaitCounsellor:
    """Wait for the counsellor's word, for conversations in a thread at or above `least`."""

    least: CrisisLevel

    def route(self, state: State, config: RunnableConfig) -> Literal["await_counsellor", "__end__"]:
        """Call a counsellor after this turn of the protocol, or end it."""
        level = state["safety"]["level"]
        # A conversation that is kept nowhere cannot be resumed.
        kept = bool(config.get("configurable", {}).get("thread_id"))
        grave = _ORDER.index(level) >= _ORDER.index(self.least)
        return "await_counsellor" if kept and grave else "__end__"

    def __call__(self, state: State) -> TakeoverUpdate:
        """Wait, then write what the counsellor said and whether they keep the conversation."""
        crisis = state.get("crisis")
        answer: Any = interrupt(
            {
                "asks": "a counsellor",
                "level": state["safety"]["level"],
                "signals": list(crisis["signals"]) if crisis else [],
                "taken_over": bool(state.get("taken_over")),
            }
        )
        reply = answer.get("reply") if isinstance(answer, dict) else answer
        given_back = isinstance(answer, dict) and bool(answer.get("give_back"))
        logger.info("counsellor: reply=%s given_back=%s", bool(reply), given_back)
        update: TakeoverUpdate = {"taken_over": not given_back}
        if isinstance(reply, str) and reply.strip():
            release([reply.strip()])
            update["messages"] = [AIMessage(reply.strip(), name=COUNSELLOR)]
            update["reply_source"] = "counsellor"
        return update
