"""The node select_intent: prediction, policy over the conversation, and failure."""

import logging

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from graph.state import Intent
from models.labels import INTENTS
from nodes.intent import FALLBACK, SelectIntent, apply_policy, predict_intent
from tests.fakes import INTENT_FEATURES, FakeEncoder, fake_head, fake_reader

QUESTIONING = {"questioning": 0.6, "sympathizing": 0.3, "neutral": 0.1}


def intent_node(lean: str) -> SelectIntent:
    head = fake_head(INTENTS, INTENT_FEATURES, lean=lean)
    return SelectIntent(fake_reader(), head)


@pytest.mark.parametrize("label", INTENTS)
def test_the_most_probable_intent_is_chosen_with_all_scores(label: str) -> None:
    update = intent_node(label)({"messages": [HumanMessage("my cat is ill")]})

    assert update["intent"]["label"] == label
    assert set(update["intent"]["scores"]) == set(INTENTS)
    assert sum(update["intent"]["scores"].values()) == pytest.approx(1, abs=0.01)
    assert update["intent"]["reason"]
    assert update["intents"] == [label]


def test_the_intents_of_a_thread_are_appended_and_bounded() -> None:
    node = intent_node("agreeing")
    wishing: Intent = "wishing"
    earlier: list[Intent] = [*[wishing] * 7, "neutral"]

    update = node({"messages": [HumanMessage("so true")], "intents": earlier})

    assert update["intents"] == ["wishing"] * 6 + ["neutral", "agreeing"]
    assert len(earlier) == 8


def test_position_and_earlier_intents_reach_the_head() -> None:
    head = fake_head(INTENTS, INTENT_FEATURES)
    encoder = FakeEncoder()
    reader = fake_reader(encoder)
    person = tuple(f"message {number}" for number in range(6))

    def predict(messages: tuple[str, ...], earlier: list[Intent]) -> dict[str, float]:
        return predict_intent(reader, head, messages, earlier)

    assert predict(person, []) != predict(person[-4:], [])
    assert predict(person, ["wishing"]) != predict(person, ["neutral"])
    assert encoder.passes == {" [SEP] ".join(person[-4:]): 1}


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ([], "questioning"),
        (["questioning"], "questioning"),
        (["questioning", "neutral"], "questioning"),
        (["questioning", "neutral", "questioning"], "questioning"),
        (["questioning", "questioning"], "sympathizing"),
        (["neutral", "questioning", "questioning"], "sympathizing"),
    ],
)
def test_no_third_question_in_a_row(earlier: list[Intent], expected: str) -> None:
    choice = apply_policy(QUESTIONING, "it rained", earlier)

    assert choice["label"] == expected
    assert ("third question" in choice["reason"]) == (expected != "questioning")
    assert choice["scores"] == QUESTIONING


@pytest.mark.parametrize(
    "message",
    [
        "You're not helping",
        "this is useless",
        "you never listen to me",
        "Stop asking me things",
        "you already asked that",
        "just tell me what to do",
        "you keep saying the same thing",
    ],
)
def test_frustration_takes_the_initiative(message: str) -> None:
    choice = apply_policy(QUESTIONING, message, [])

    assert choice["label"] == "suggesting"
    assert "frustrated" in choice["reason"]


@pytest.mark.parametrize(
    "message",
    [
        "What should I do?",
        "how do i stop crying",
        "any advice?",
        "Can you help me please",
        "what would you suggest",
    ],
)
def test_a_call_for_help_gets_a_suggestion(message: str) -> None:
    choice = apply_policy(QUESTIONING, message, ["questioning", "questioning"])

    assert choice["label"] == "suggesting"
    assert "asks what to do" in choice["reason"]


@pytest.mark.parametrize(
    "message",
    [
        "my brother is useless at maths",
        "he asked how I was",
        "Nobody listens at work",
        "I tip well",
    ],
)
def test_neither_frustration_nor_a_call_for_help(message: str) -> None:
    assert apply_policy(QUESTIONING, message, [])["label"] == "questioning"


@pytest.mark.parametrize(
    "node",
    [
        SelectIntent(None, fake_head(INTENTS, INTENT_FEATURES)),
        SelectIntent(fake_reader(), None),
        SelectIntent(fake_reader(), fake_head(INTENTS, 3)),
        SelectIntent(
            fake_reader(FakeEncoder(error=OSError("secret words"))),
            fake_head(INTENTS, INTENT_FEATURES),
        ),
    ],
    ids=["no reader", "no head", "wrong size", "encoder fails"],
)
def test_whatever_broke_acknowledges_and_logs_no_words(
    node: SelectIntent, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        update = node({"messages": [HumanMessage("secret words")], "intents": ["wishing"]})

    assert update["intent"] == FALLBACK
    assert update["intents"] == ["wishing", "acknowledging"]
    assert "secret" not in caplog.text


def test_no_words_acknowledge() -> None:
    update = intent_node("suggesting")({"messages": [AIMessage("Hello."), HumanMessage(" ")]})

    assert update["intent"] == FALLBACK
