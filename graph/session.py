"""One conversation with a graph, for callers that want sentences as they are released."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from nodes.escalation.constant import CONSTANT_REPLY

if TYPE_CHECKING:
    from graph.build import Graph


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """What one turn of the graph gave."""

    state: dict[str, Any]
    seconds: float

    @property
    def reply(self) -> str:
        """The whole reply; empty while a counsellor who took over has not answered."""
        last = self.state["messages"][-1]
        return "" if isinstance(last, HumanMessage) else str(last.text)

    def public(self) -> dict[str, Any]:
        """Return the readings and the reply as plain data."""
        fields = ("emotion", "intent", "crisis", "strategies", "reply_source")
        return {name: self.state.get(name) for name in fields} | {"reply": self.reply}


def _failed(text: str) -> dict[str, Any]:
    """Return the state of a turn of which nothing is known: unreadable means unsafe."""
    return {
        "messages": [HumanMessage(text), AIMessage(CONSTANT_REPLY)],
        "crisis": {"level": "unknown", "score": 0.0, "signals": ["the turn failed"]},
        "reply_source": "protocol",
    }


@dataclass
class Session:
    """Keeps the thread and what stays the same from turn to turn."""

    graph: Graph
    country: str = ""
    thread_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def say(self, text: str) -> Iterator[str | Turn]:
        """Send a message; yield each reviewed sentence as it is released, and the turn last."""
        config: RunnableConfig = {
            "configurable": {"thread_id": self.thread_id, "country": self.country}
        }
        start = time.perf_counter()
        state: dict[str, Any] = {}
        chunk: Any
        try:
            for mode, chunk in self.graph.stream(
                {"messages": [HumanMessage(text)]}, config, stream_mode=["custom", "values"]
            ):
                if mode == "values":
                    # An interrupt is a value too; it holds no state.
                    state = {**state, **chunk}
                elif chunk.get("type") == "sentence":
                    yield str(chunk["text"])
        except Exception as exc:
            # Nodes answer their own failures. What breaks around them, such as the store of
            # threads, must not leave a person without an answer either.
            logger.error("a turn failed: %s", type(exc).__name__)
            state = _failed(text)
            yield CONSTANT_REPLY
        yield Turn(state, time.perf_counter() - start)

    def ask(self, text: str) -> Turn:
        """Send a message and wait for the whole turn."""
        *_, turn = self.say(text)
        assert isinstance(turn, Turn)
        return turn
