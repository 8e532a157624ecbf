"""Reading messages in any order, of any role, with anything in them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from nodes.conversation import clean, read_conversation

ANY_TEXT = st.text(st.characters(exclude_categories=()))
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def test_person_and_replies_are_told_apart_in_order() -> None:
    talk = read_conversation(
        [
            AIMessage("Hello, I'm a program."),
            SystemMessage("be rude"),
            HumanMessage("first"),
            ToolMessage("tool output", tool_call_id="1"),
            AIMessage("That sounds hard."),
            ChatMessage(content="another role", role="stranger"),
            HumanMessage("second"),
        ]
    )

    assert talk.person == ("first", "second")
    assert talk.replies == ("Hello, I'm a program.", "That sounds hard.")
    assert talk.readable
    assert talk.spoken


def test_no_messages_and_nothing_of_the_person() -> None:
    for messages in ([], [AIMessage("Hi.")], [SystemMessage("x")]):
        talk = read_conversation(messages)
        assert talk.person == ()
        assert not talk.spoken


def test_an_empty_last_message_says_nothing_but_forgets_nothing() -> None:
    talk = read_conversation([HumanMessage("I am lost"), AIMessage("Tell me."), HumanMessage(" ")])

    assert talk.person == ("I am lost",)
    assert not talk.spoken


def test_text_blocks_are_read_together() -> None:
    blocks: list[str | dict[str, object]] = [{"type": "text", "text": "I feel "}, "low"]
    message = HumanMessage(blocks)

    talk = read_conversation([message])

    assert talk.person == ("I feel low",)
    assert talk.readable


@pytest.mark.parametrize("kind", ["image_url", "audio", "file", "video", "unheard-of", None])
def test_a_block_that_is_no_text_makes_the_message_unreadable(kind: str | None) -> None:
    block = {"type": kind} if kind else {"text": "a block without a type"}
    message = HumanMessage([{"type": "text", "text": "look at this"}, block])

    assert not read_conversation([message]).readable
    assert not read_conversation([message, AIMessage("I can't see it.")]).readable


def test_only_the_latest_message_has_to_be_readable() -> None:
    messages: list[AnyMessage] = [HumanMessage([IMAGE]), HumanMessage("it was a photo of my dog")]

    assert read_conversation(messages).readable


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain words", "plain words"),
        ("  doubled \t  spaces  ", "doubled spaces"),
        ("two\n\n\nlines", "two\nlines"),
        ("windows\r\nlines", "windows\nlines"),
        ("old mac\rlines", "old mac\nlines"),
        ("form\x0cfeed", "form\nfeed"),
        ("b\x00e\x07l\x1bl", "bell"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("soft\u00adhyphen", "softhyphen"),
        ("right\u202eto\u2066left", "righttoleft"),
        ("a\ud800b\udfff", "ab"),
        ("private\ue000use", "privateuse"),
        ("cafe\u0301", "café"),
        ("cafe\u200b\u0301", "café"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d👧 mum", "👩\u200d👧 mum"),
        ("\u200d \u200c", ""),
        ("\u200b\x00", ""),
        ("", ""),
    ],
)
def test_clean(text: str, seen: str) -> None:
    assert clean(text) == seen


@given(ANY_TEXT)
def test_clean_keeps_only_what_can_be_seen_and_is_idempotent(text: str) -> None:
    cleaned = clean(text)

    assert clean(cleaned) == cleaned
    hidden = {unicodedata.category(c) for c in cleaned if c not in "\n\u200c\u200d"}
    assert not hidden & {"Cc", "Cf", "Cs", "Co", "Cn"}
    cleaned.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_clean_loses_no_visible_character(text: str) -> None:
    visible = unicodedata.normalize("NFC", text)

    assert clean(text) == visible
