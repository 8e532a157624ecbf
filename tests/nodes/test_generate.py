"""The node generate_reply: what the model is asked, and what a failed one leaves."""

import logging
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from graph.state import Fault, State
from models.chat import ChatError
from nodes import generate
from nodes.generate import GenerateReply, compose
from nodes.review.reviewer import ReviewContext, Reviewer
from tests.fakes import GROUNDING, Fail, FakeChat, Hang, real_composer, real_reviewer

SAID = "I lost my job and I feel so small"
GOOD = ("No wonder you feel small.", "Losing a job hurts.", "What has it been like since then?")
CONTEXT = ReviewContext(person=(SAID,), replies=(), strategies=())


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been released so far, in order."""
    sentences: list[str] = []
    monkeypatch.setattr(generate, "release", sentences.extend)
    return sentences


def state(**changes: Any) -> State:
    whole: dict[str, Any] = {
        "messages": [HumanMessage(SAID)],
        "emotion": {"label": "sad", "scores": {"sad": 0.7}},
        "intent": {"label": "suggesting", "scores": {}, "reason": ""},
        "strategies": [GROUNDING],
        "attempts": 0,
    }
    return cast(State, whole | changes)


def node(chat: FakeChat | None, reviewer: Reviewer | None = None, **changes: Any) -> GenerateReply:
    options: dict[str, Any] = {
        "max_new_tokens": 99,
        "temperature": 0.5,
        "timeout": 0.2,
        "history_tokens": 300,
        "prompting": "empathy",
    }
    return GenerateReply(chat, reviewer or real_reviewer(), real_composer(), **options | changes)


def test_a_good_draft_and_what_the_model_was_asked(released: list[str]) -> None:
    chat = FakeChat(" ".join(GOOD))

    update = node(chat)(state(), {})

    assert update == {
        "draft": list(GOOD),
        "draft_source": "model",
        "attempts": 1,
        "faults": [],
    }
    assert released == list(GOOD)
    [prompt], [options] = chat.prompts, chat.options
    assert prompt[-1].content == SAID
    assert GROUNDING["text"] in prompt[0].text
    assert options == {"max_new_tokens": 99, "temperature": 0.5, "timeout": 0.2}


def test_a_call_can_choose_the_prompting(released: list[str]) -> None:
    chat = FakeChat(*[" ".join(GOOD)] * 3)
    reply = node(chat)

    reply(state(), {})
    reply(state(), {"configurable": {"prompting": "plain"}})
    reply(state(), {"configurable": {"prompting": None}})

    empathy, plain, default = (prompt[0].text for prompt in chat.prompts)
    assert empathy == default
    assert "feels sad" in empathy
    assert "feels sad" not in plain


def test_an_unknown_prompting_costs_nobody_a_reply(
    released: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    chat = FakeChat(*[" ".join(GOOD)] * 3)
    reply = node(chat)

    reply(state(), {})
    for unknown in ("secret words", ["plain"]):
        reply(state(), {"configurable": {"prompting": unknown}})

    assert chat.prompts[0] == chat.prompts[1] == chat.prompts[2]
    assert caplog.text.count("unknown prompting strategy") == 2
    assert "secret" not in caplog.text
    with pytest.raises(ValueError, match="empathy"):
        node(chat, prompting="rude")


def test_what_the_state_knows_reaches_the_prompt(released: list[str]) -> None:
    chat = FakeChat(*[" ".join(GOOD)] * 3)
    neutral = {"label": "neutral", "scores": {}, "reason": ""}
    eager = {"label": "anticipating", "scores": {"anticipating": 0.7}}
    asking = [HumanMessage(f"{SAID}. How do I deal with it?")]

    node(chat)(state(intent=neutral), {})
    node(chat)(state(intent=neutral, messages=asking, offered=["short-walk"]), {})
    node(chat)(state(emotion=eager), {})

    listening, helping, word = (prompt[0].text for prompt in chat.prompts)
    assert "no advice yet" in listening
    assert GROUNDING["text"] not in listening
    assert GROUNDING["text"] in helping
    assert "short walk" in helping
    assert "feels eager" in word


def test_a_retry_names_the_fault_and_a_first_draft_names_none(released: list[str]) -> None:
    faults: list[Fault] = [{"name": "promise", "why": "It promises what nobody can know."}]
    chat = FakeChat(*[" ".join(GOOD)] * 2)

    update = node(chat)(state(attempts=1, faults=faults), {})
    node(chat)(state(attempts=0, faults=faults), {})

    assert update["attempts"] == 2
    assert faults[0]["why"] in chat.prompts[0][0].text
    assert faults[0]["why"] not in chat.prompts[1][0].text


def test_the_draft_is_reviewed_against_what_was_said_before(released: list[str]) -> None:
    messages = [HumanMessage("hi"), AIMessage(" ".join(GOOD[:2])), HumanMessage(SAID)]

    update = node(FakeChat(" ".join(GOOD)))(state(messages=messages), {})

    assert update["draft"] == released == []
    assert [fault["name"] for fault in update["faults"]] == ["repetition"]


@pytest.mark.parametrize(
    "reply",
    [
        Fail(OSError("secret words")),
        Fail(ChatError("no answer")),
        Fail(MemoryError()),
        Hang(),
        "",
        "  \n ",
    ],
    ids=["raises", "chat error", "out of memory", "hangs", "nothing", "blanks"],
)
def test_a_model_that_fails_leaves_an_empty_draft_without_faults(
    reply: str | Fail | Hang, released: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        update = node(FakeChat(reply))(state(), {})

    assert update == {"draft": [], "draft_source": "model", "attempts": 1, "faults": []}
    assert released == []
    assert "secret" not in caplog.text
    assert SAID not in caplog.text


@pytest.mark.parametrize("end", [Fail(OSError(), " ".join(GOOD)), Hang(" ".join(GOOD))])
def test_a_model_that_breaks_off_keeps_its_whole_sentences(
    end: Fail | Hang, released: list[str]
) -> None:
    update = node(FakeChat(end))(state(), {})

    # The last sentence ends with a mark, so it is whole, however the stream ended.
    assert update["draft"] == released == list(GOOD)


def test_without_a_model_a_reply_is_composed_and_released(released: list[str]) -> None:
    update = node(None)(state(), {})

    assert update["draft_source"] == "composed"
    assert update["draft"] == released == compose(real_composer(), state())
    assert update["faults"] == []
    assert real_reviewer().review(update["draft"], CONTEXT, finished=True) == []


def test_without_review_no_model_is_asked(released: list[str]) -> None:
    reply = GenerateReply(FakeChat(), None, real_composer(), 99, 0.5, 1.0, 300, "empathy")

    update = reply(state(), {})

    assert update["draft_source"] == "composed"
    assert update["draft"] == released != []


@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
def test_no_words_are_answered_without_the_model(text: str, released: list[str]) -> None:
    chat = FakeChat()
    messages = [HumanMessage(SAID), AIMessage("Tell me more."), HumanMessage(text)]

    update = node(chat)(state(messages=messages), {})

    assert chat.calls == 0
    assert update["draft_source"] == "composed"
    assert update["draft"] == released == real_composer().no_words(replies=("Tell me more.",))
