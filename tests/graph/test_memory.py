"""Memory: what a thread remembers, what it forgets, and calls without any."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from tests.fakes import FakeChat, fake_graph

SAD = "I lost my job today and I feel so small"
DANGER = "I want to kill myself"
GOOD = "No wonder you feel small. Losing a job hurts. What has it been like since then?"
OTHER = "Your boss told you in front of everyone. No wonder you feel hurt. What did you do then?"
PROMISE = "I promise you that everything will be fine. You are strong."


def ask(graph: Any, text: str, thread: str | None = None, **options: Any) -> dict[str, Any]:
    configurable = {"thread_id": thread, **options} if thread else options
    config: RunnableConfig = {"configurable": configurable}
    return cast(dict[str, Any], graph.invoke({"messages": [("user", text)]}, config))


def reply(out: dict[str, Any]) -> str:
    return str(out["messages"][-1].text)


@pytest.fixture(params=["default", "InMemorySaver"])
def threads(request: pytest.FixtureRequest) -> Any:
    return None if request.param == "default" else InMemorySaver()


def test_a_thread_remembers(threads: Any) -> None:
    chat = FakeChat(GOOD, OTHER)
    graph = fake_graph(chat=chat, checkpointer=threads)

    ask(graph, SAD, "one")
    out = ask(graph, "and my boss told me in front of everyone", "one")

    assert [message.type for message in out["messages"]] == ["human", "ai"] * 2
    assert [turn.text for turn in chat.prompts[1][1:]] == [
        SAD,
        GOOD,
        "and my boss told me in front of everyone",
    ]


def test_two_threads_do_not_mix(threads: Any) -> None:
    graph = fake_graph(chat=FakeChat(GOOD), checkpointer=threads)

    assert ask(graph, DANGER, "one")["reply_source"] == "protocol"
    out = ask(graph, SAD, "two")

    assert out["reply_source"] == "model"
    assert len(out["messages"]) == 2
    assert ask(graph, "how was your day", "one")["reply_source"] == "protocol"


def test_many_threads_at_once(threads: Any) -> None:
    graph = fake_graph(chat=None, checkpointer=threads)

    def talk(number: int) -> list[str]:
        out: dict[str, Any] = {}
        for turn in range(3):
            out = ask(graph, f"exam {number} went badly, part {turn}", str(number))
        return [m.text for m in out["messages"] if m.type == "human"]

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(talk, range(12)))

    for number, texts in enumerate(results):
        assert texts == [f"exam {number} went badly, part {turn}" for turn in range(3)]


def test_a_deleted_thread_is_forgotten(threads: Any) -> None:
    graph = fake_graph(chat=None, checkpointer=threads)
    ask(graph, DANGER, "one")
    ask(graph, DANGER, "two")

    cast(Any, graph.checkpointer).delete_thread("one")

    assert not graph.get_state({"configurable": {"thread_id": "one"}}).values
    out = ask(graph, SAD, "one")
    assert out["reply_source"] == "composed"
    assert len(out["messages"]) == 2
    assert len(ask(graph, DANGER, "two")["messages"]) == 4


def test_danger_two_turns_ago_still_counts_until_it_is_denied() -> None:
    graph = fake_graph(chat=FakeChat(GOOD))

    assert ask(graph, DANGER, "t")["reply_source"] == "protocol"
    for text in ("I watered the plants", "my bike has a flat tire"):
        out = ask(graph, text, "t")
        assert out["reply_source"] == "protocol"
        assert out["crisis"]["level"] == "high"


def test_a_denial_after_the_question_leads_back_to_the_model() -> None:
    last = "Being seen in front of everyone can sting. It makes sense that it stays with you."
    graph = fake_graph(chat=FakeChat(OTHER, last))

    ask(graph, DANGER, "t")
    out = ask(graph, "no, I'm not thinking of suicide, my boss fired me", "t")
    after = ask(graph, "he did it in front of everyone", "t")

    assert out["reply_source"] == after["reply_source"] == "model"


@pytest.mark.parametrize("config", [None, {}, {"configurable": {}}, {"configurable": {"x": 1}}])
def test_a_call_without_a_thread_is_stateless(config: Any) -> None:
    graph = fake_graph(chat=FakeChat(GOOD, GOOD))

    for _ in range(2):
        out = graph.invoke({"messages": [("user", SAD)]}, config)
        assert reply(out) == GOOD
        assert len(out["messages"]) == 2


def test_a_graph_without_any_checkpointer_takes_the_whole_conversation() -> None:
    graph = fake_graph(chat=FakeChat(OTHER), threads=None)

    out = graph.invoke(
        {
            "messages": [
                ("user", SAD),
                ("assistant", GOOD),
                ("user", "he told me in front of everyone"),
            ]
        }
    )

    assert reply(out) == OTHER
    assert len(out["messages"]) == 4


async def test_the_asynchronous_call_is_the_same() -> None:
    graph = fake_graph(chat=FakeChat(GOOD))

    out = await graph.ainvoke({"messages": [("user", SAD)]}, {"configurable": {"thread_id": "a"}})

    assert reply(cast(dict[str, Any], out)) == GOOD
    danger = await graph.ainvoke(
        {"messages": [("user", DANGER)]}, {"configurable": {"thread_id": "a"}}
    )
    assert danger["reply_source"] == "protocol"


def test_a_batch() -> None:
    graph = fake_graph(chat=None)

    outs = graph.batch([{"messages": [("user", text)]} for text in (SAD, DANGER, SAD)])

    assert [out["reply_source"] for out in outs] == ["composed", "protocol", "composed"]


def test_the_state_in_a_checkpoint_grows_linearly() -> None:
    graph = fake_graph(chat=None)
    saver = cast(InMemorySaver, graph.checkpointer)
    config: RunnableConfig = {"configurable": {"thread_id": "long"}}
    sizes: dict[int, int] = {}

    for turn in range(1, 41):
        ask(graph, f"my landlord wrote letter number {turn} to me and it upset me a lot", "long")
        if turn in (10, 20, 40):
            found = saver.get_tuple(config)
            assert found is not None
            _, data = saver.serde.dumps_typed(found.checkpoint)
            sizes[turn] = len(data)

    first, second = sizes[20] - sizes[10], sizes[40] - sizes[20]
    assert first > 0
    # Twice as many turns add twice as much, give or take the length of single replies.
    assert 1.4 * first < second < 2.6 * first


def test_nothing_of_a_draft_stays_in_state() -> None:
    graph = fake_graph(chat=FakeChat(PROMISE, GOOD))

    ask(graph, SAD, "t")

    values = graph.get_state({"configurable": {"thread_id": "t"}}).values
    assert values["draft"] == values["faults"] == []
    assert isinstance(values["messages"][-1], AIMessage)
    assert "promise" not in str(values)
