"""Releasing reviewed words: into a run's stream, and nowhere outside of one."""

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from nodes.streaming import release


class Nothing(TypedDict):
    done: bool


def test_sentences_reach_whoever_listens_in_order() -> None:
    def node(state: Nothing) -> Nothing:
        release(["One.", "Two."])
        release([])
        release(iter(["Three."]))
        return {"done": True}

    graph = StateGraph(Nothing)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    graph.add_edge("node", END)

    events = list(graph.compile().stream({"done": False}, stream_mode="custom"))

    assert events == [{"type": "sentence", "text": text} for text in ("One.", "Two.", "Three.")]


def test_outside_a_run_nobody_listens() -> None:
    release(["One."])
