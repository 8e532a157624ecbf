"""The wiring: its picture, its edges and what a caller sees of it."""

import re
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from graph.build import build_graph, wire
from tests.fakes import FakeChat, fake_graph, fake_resources, fake_settings

README = Path(__file__).parents[2] / "README.md"

EDGES = {
    ("__start__", "recognize_emotion"),
    ("recognize_emotion", "select_intent"),
    ("select_intent", "check_crisis"),
    ("check_crisis", "escalate"),
    ("check_crisis", "retrieve_strategies"),
    ("retrieve_strategies", "generate_reply"),
    ("generate_reply", "review_reply"),
    ("review_reply", "generate_reply"),
    ("review_reply", "__end__"),
    ("escalate", "__end__"),
}


def test_the_edges_of_a_turn() -> None:
    drawn = fake_graph().get_graph()

    assert {(edge.source, edge.target) for edge in drawn.edges} == EDGES
    conditional = {(edge.source, edge.target) for edge in drawn.edges if edge.conditional}
    assert conditional == {edge for edge in EDGES if edge[0] in ("check_crisis", "review_reply")}


def test_the_picture_in_the_readme_is_that_of_the_graph() -> None:
    [picture] = re.findall(r"```mermaid\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)

    assert picture.strip() == fake_graph().get_graph().draw_mermaid().strip()


def test_the_schemas_are_narrow_at_the_door() -> None:
    graph = fake_graph()

    assert set(graph.get_input_jsonschema()["properties"]) == {"messages", "country"}
    assert set(graph.get_output_jsonschema()["properties"]) == {
        "messages",
        "emotion",
        "intent",
        "crisis",
        "strategies",
        "reply_source",
    }


def test_a_checkpointer_of_ones_own_replaces_the_default() -> None:
    resources = fake_resources()
    saver = InMemorySaver()

    assert build_graph(resources).checkpointer is resources.threads
    assert build_graph(resources, checkpointer=saver).checkpointer is saver
    assert fake_graph(threads=None).checkpointer is None


def test_a_server_can_compile_the_wiring_itself() -> None:
    graph: Any = wire(fake_resources(chat=None)).compile()

    out = graph.invoke({"messages": [("user", "my exam went badly")]})

    assert out["reply_source"] == "composed"


def test_settings_reach_the_model() -> None:
    chat = FakeChat("You gave that exam a lot. It hurts when it goes badly. What was it like?")
    settings = fake_settings(max_new_tokens=77, temperature=0.1, prompting="plain")
    graph = fake_graph(chat=chat, settings=settings)

    graph.invoke({"messages": [("user", "my exam went badly")]})

    assert chat.options == [{"max_new_tokens": 77, "temperature": 0.1, "timeout": 5}]
    assert "name the feeling" not in chat.prompts[0][0].text
