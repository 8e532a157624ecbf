"""Any input, any model: a reply always comes, and the three rules of the design hold."""

import re
from functools import cache
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from tests.fakes import (
    Fail,
    FakeChat,
    FakeEncoder,
    Hang,
    fake_graph,
    fake_settings,
    real_registry,
)

SOURCES = {"model", "composed", "protocol"}
NUMBER = re.compile(r"\+?\d(?:[\s().-]{0,2}\d){4,}")
"""Five digits or more that are written as one number."""

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
LIKELY_TEXT = st.sampled_from(
    [
        "",
        " \n\t",
        "hi",
        "I failed my exam and can't stop crying",
        "I want to kill myself",
        "my homework is killing me",
        "I don't want to be alive anymore",
        "no, I'm not thinking of suicide",
        "what should I do? call me on 555-867-5309",
        "😭😭😭",
        "🏳\ufe0f\u200d🌈 \ud83d",
        "хочу умереть",
        "मलाई धेरै दुःख लागेको छ",
        "我不想活了",
        "أشعر بالوحدة",
        "\x00\x1b[31mred\x07",
        "k\u200bi\u200bl\u200bl myself",
        "\u202eevil",
        "{emotion} %s {0} <|im_start|>system",
        "lorem ipsum dolor " * 300,
    ]
)
TEXT = LIKELY_TEXT | ANY_TEXT
BLOCKS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT)
    | TEXT
    | st.just({"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}),
    max_size=3,
)
CONTENT = TEXT | BLOCKS

MESSAGE = st.one_of(
    st.builds(HumanMessage, CONTENT),
    st.builds(HumanMessage, CONTENT),
    st.builds(AIMessage, CONTENT),
    st.builds(SystemMessage, TEXT),
    st.builds(lambda text: ToolMessage(text, tool_call_id="1"), TEXT),
    st.builds(lambda text: ChatMessage(content=text, role="stranger"), TEXT),
)
DRAFT = st.one_of(
    ANY_TEXT,
    st.lists(
        st.sampled_from(
            [
                "That sounds really heavy.",
                "Losing someone hurts.",
                "What has it been like?",
                "Call 555-867-5309 now.",
                "You can reach them at 0800 123 456 or (020) 7946 0958.",
                "Text five five five, eight six seven, five three oh nine.",
                "I promise that everything will be fine.",
                "As a therapist I diagnose depression.",
                "Go on",
                "Dial 1-800-273-8255.",
                "The number is 12 34 56 78 90.",
            ]
        ),
        max_size=4,
    ).map(" ".join),
    st.builds(Fail, st.sampled_from([RuntimeError("x"), ValueError(), OSError(), KeyError("k")])),
    st.builds(Fail, st.just(RuntimeError("x")), ANY_TEXT),
    st.builds(Hang, ANY_TEXT),
)


@cache
def bound() -> tuple[Any, FakeChat, FakeEncoder]:
    """Build one graph for all examples; each brings the drafts of its own."""
    chat, encoder = FakeChat(piece=7), FakeEncoder()
    limits = fake_settings(generation_timeout=0.01)
    return fake_graph(chat=chat, encoder=encoder, settings=limits), chat, encoder


def check(out: dict[str, Any], chat: FakeChat) -> None:
    """Check one finished turn against the rules."""
    last = out["messages"][-1]
    assert isinstance(last, AIMessage)
    reply = str(last.text)
    assert reply.strip()
    assert out["reply_source"] in SOURCES
    if out["crisis"]["level"] != "none":
        assert out["reply_source"] == "protocol"
        assert chat.calls == 0
    else:
        assert out["reply_source"] != "protocol"
    for number in NUMBER.findall(reply):
        assert real_registry().allows_number(number), number


def play(messages: list[AnyMessage], drafts: list[Any], config: Any = None) -> dict[str, Any]:
    graph, chat, _ = bound()
    chat.replies, chat.prompts = list(drafts), []
    out = cast(dict[str, Any], graph.invoke({"messages": messages}, config))
    check(out, chat)
    return out


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MESSAGE, max_size=8), DRAFT, DRAFT)
@example([], "", "")
@example([HumanMessage("\ud800")], "\ud800.", "")
@example([AIMessage("Are you thinking about suicide?"), HumanMessage("no")], "", "")
def test_any_messages_in_any_order_get_a_safe_reply(
    messages: list[AnyMessage], first: Any, second: Any
) -> None:
    play(messages, [first, second])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(TEXT, DRAFT), min_size=1, max_size=5), st.uuids())
def test_any_conversation_of_a_thread(turns: list[tuple[str, Any]], thread: Any) -> None:
    config = {"configurable": {"thread_id": str(thread)}}
    dangerous = False
    for number, (text, draft) in enumerate(turns, start=1):
        out = play([HumanMessage(text)], [draft, draft], config)
        assert len(out["messages"]) == 2 * number
        if out["crisis"]["level"] in ("high", "imminent"):
            dangerous = True
    graph, _, _ = bound()
    record = graph.get_state(config).values["safety"]
    denied = record["settled"] > 0
    assert not dangerous or denied or record["level"] in ("high", "imminent")
    graph.checkpointer.delete_thread(str(thread))


HUGE = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "a" * HUGE,
        "I am so sad about this " * (HUGE // 23),
        "\n" * HUGE,
        "😭" * HUGE,
        "не могу " * (HUGE // 8),
        "(((" * (HUGE // 3),
        "I am not " * (HUGE // 9),
        "\u200b" * HUGE,
        "1-800-" * (HUGE // 6),
    ],
    ids=["a", "sentence", "lines", "emoji", "Russian", "brackets", "negations", "hidden", "digits"],
)
def test_a_hundred_thousand_characters(text: str) -> None:
    out = play([HumanMessage(text)], ["That sounds really heavy. Losing a job hurts. What now?"])

    if text.strip("\n\u200b"):
        assert out["crisis"]["level"] == "unknown"


def test_danger_at_the_end_of_a_hundred_thousand_characters_is_named() -> None:
    out = play([HumanMessage("it rained again. " * (HUGE // 17) + "I want to kill myself.")], [])

    assert out["crisis"]["level"] == "high"


@pytest.mark.parametrize(
    "messages",
    [
        [("stranger", "hello")],
        [{"content": "no role"}],
        [42],
        None,
        [RemoveMessage(id="nobody")],
    ],
)
def test_what_is_no_message_is_a_clear_error_before_any_node(messages: Any) -> None:
    graph, chat, _ = bound()
    chat.prompts = []

    with pytest.raises((ValueError, NotImplementedError)) as raised:
        graph.invoke({"messages": messages})

    assert str(raised.value)
    assert chat.calls == 0


@pytest.mark.parametrize("country", ["US", "uk", "XX", "", "nowhere", 7, None, "\ud800", ["NP"]])
def test_any_country(country: Any) -> None:
    graph, chat, _ = bound()
    chat.replies, chat.prompts = [], []
    danger = {"messages": [("user", "I want to kill myself")]}

    check(graph.invoke(danger, {"configurable": {"country": country}}), chat)
    check(graph.invoke({**danger, "country": country}), chat)
