"""Whole turns: what comes back, who was asked, and what is remembered."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from models.labels import EMOTIONS, INTENTS
from nodes.escalation.constant import CONSTANT_REPLY
from tests.fakes import (
    GROUNDING,
    Fail,
    FakeChat,
    FakeEncoder,
    FakeStore,
    Hang,
    fake_graph,
    fake_settings,
)

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


# --- One turn -----------------------------------------------------------------------------------


def test_a_turn_of_the_model_and_all_that_a_caller_gets() -> None:
    chat = FakeChat(GOOD)
    graph = fake_graph(chat=chat)

    out = graph.invoke({"messages": [("user", SAD)]})

    assert set(out) == {"messages", "emotion", "intent", "crisis", "strategies", "reply_source"}
    assert reply(out) == GOOD
    assert out["reply_source"] == "model"
    assert out["emotion"]["label"] in EMOTIONS
    assert out["intent"]["label"] in INTENTS
    assert out["crisis"]["level"] == "none"
    assert out["strategies"][0] == GROUNDING
    assert [message.type for message in out["messages"]] == ["human", "ai"]


@pytest.mark.parametrize(
    "danger",
    [DANGER, "мне очень плохо", HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}])],
    ids=["danger", "unreadable", "picture"],
)
def test_an_escalation_asks_neither_model_nor_store(danger: Any) -> None:
    chat, store = FakeChat(), FakeStore()
    graph = fake_graph(chat=chat, store=store)
    message = danger if isinstance(danger, HumanMessage) else ("user", danger)

    out = graph.invoke({"messages": [message]})

    assert out["reply_source"] == "protocol"
    assert out["strategies"] == []
    assert "findahelpline.com" in reply(out)
    assert chat.calls == 0
    assert store.searches == []


@pytest.mark.parametrize("where", ["configurable", "input"])
def test_the_country_is_what_the_caller_says(where: str) -> None:
    graph = fake_graph()
    content: Any = {"messages": [("user", DANGER)]}
    config: RunnableConfig = {}
    if where == "input":
        content["country"] = "GB"
    else:
        config = {"configurable": {"country": "GB"}}

    assert "999" in reply(graph.invoke(content, config))
    assert "999" not in reply(graph.invoke({"messages": [("user", DANGER)]}))


def test_a_rejected_draft_is_written_anew_with_its_fault_named() -> None:
    chat = FakeChat(PROMISE, GOOD)
    graph = fake_graph(chat=chat)

    out = graph.invoke({"messages": [("user", SAD)]})

    assert reply(out) == GOOD
    assert out["reply_source"] == "model"
    assert "rejected" not in chat.prompts[0][0].text
    assert "rejected" in chat.prompts[1][0].text


def test_two_rejected_drafts_give_a_composed_reply() -> None:
    chat = FakeChat(PROMISE, PROMISE)
    out = fake_graph(chat=chat).invoke({"messages": [("user", SAD)]})

    assert out["reply_source"] == "composed"
    assert reply(out)
    assert "promise" not in reply(out)
    assert chat.calls == 2


@pytest.mark.parametrize(
    "failure",
    [Fail(RuntimeError("secret")), Hang(), "", Fail(OSError(), "That was")],
    ids=["raises", "hangs", "nothing", "breaks off"],
)
def test_a_model_that_fails_gives_a_composed_reply(failure: Any) -> None:
    chat = FakeChat(failure)
    settings = fake_settings(generation_timeout=0.1)

    out = ask(fake_graph(chat=chat, settings=settings), SAD)

    assert out["reply_source"] == "composed"
    assert len(reply(out).split()) > 8
    assert chat.calls == 1


@pytest.mark.parametrize(
    ("missing", "sources"),
    [
        ({"chat": None}, {"composed"}),
        ({"reviewer": None, "chat": FakeChat()}, {"composed"}),
        ({"store": None, "chat": None}, {"composed"}),
        ({"store": FakeStore(error=OSError()), "chat": None}, {"composed"}),
        ({"emotion_head": None, "chat": None}, {"composed"}),
        ({"intent_head": None, "chat": None}, {"composed"}),
        ({"crisis_reader": None}, {"protocol"}),
        ({"encoder": None}, {"protocol"}),
        ({"encoder": FakeEncoder(error=MemoryError("broken"))}, {"protocol"}),
    ],
    ids=lambda value: "+".join(value),
)
def test_whatever_is_missing_a_safe_reply_comes(missing: dict[str, Any], sources: set[str]) -> None:
    out = ask(fake_graph(**missing), SAD)

    assert out["reply_source"] in sources
    assert reply(out)
    danger = ask(fake_graph(**missing), DANGER)
    assert danger["reply_source"] == "protocol"


@pytest.mark.parametrize("missing", ["registry", "protocol_texts"])
def test_an_escalation_without_its_files_is_the_constant_reply(missing: str) -> None:
    out = ask(fake_graph(**{missing: None}), DANGER)

    assert reply(out) == CONSTANT_REPLY
    assert out["reply_source"] == "protocol"


@pytest.mark.parametrize("text", ["", " \n ", "\u200b\x00"])
def test_an_empty_message_is_answered_without_the_model(text: str) -> None:
    chat = FakeChat()

    out = ask(fake_graph(chat=chat), text)

    assert out["reply_source"] == "composed"
    assert reply(out)


def test_no_message_at_all_is_answered() -> None:
    out = fake_graph().invoke({"messages": []})

    assert out["reply_source"] == "composed"
    assert reply(out)


def test_a_turn_reads_each_distinct_text_once() -> None:
    encoder = FakeEncoder()
    graph = fake_graph(encoder=encoder, chat=FakeChat(GOOD, OTHER))

    ask(graph, SAD, "t")
    first = dict(encoder.passes)
    ask(graph, "and my boss told me in front of everyone", "t")

    assert set(encoder.passes.values()) == {1}
    # The message as written, for emotion, intent and retrieval, and normalised, for danger.
    assert len(first) <= 2
    assert len(encoder.passes) <= 4


# --- Memory -------------------------------------------------------------------------------------


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
