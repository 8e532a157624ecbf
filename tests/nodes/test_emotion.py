"""The node recognize_emotion: a reading, no words, and what broke."""

import logging

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from models.heads import LinearHead
from models.labels import EMOTION_LABELS, UNSURE
from nodes.emotion import UNKNOWN, RecognizeEmotion, read_emotion
from tests.fakes import FakeEncoder, fake_head, fake_reader, hashed_words

CUES = {"lonely": "nobody calls", "furious": "manager shouted", UNSURE: "how does this work"}
BROKEN = FakeEncoder(error=RuntimeError("secret words"))


@pytest.fixture
def head() -> LinearHead:
    return fake_head(EMOTION_LABELS, cues=CUES)


def test_the_emotion_of_the_words_with_the_five_most_probable(head: LinearHead) -> None:
    node = RecognizeEmotion(fake_reader(), head)

    emotion = node({"messages": [HumanMessage("nobody calls me")]})["emotion"]

    assert emotion["label"] == "lonely"
    scores = list(emotion["scores"].values())
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert next(iter(emotion["scores"])) == "lonely"
    assert set(emotion["scores"]) <= set(EMOTION_LABELS)


def test_a_text_without_a_feeling_is_unsure(head: LinearHead) -> None:
    node = RecognizeEmotion(fake_reader(), head)

    assert node({"messages": [HumanMessage("How does this work?")]})["emotion"]["label"] == UNSURE


def test_only_the_person_counts(head: LinearHead) -> None:
    node = RecognizeEmotion(fake_reader(), head)
    first, last = HumanMessage("my sister moved"), HumanMessage("manager shouted")
    reply = AIMessage("nobody calls nobody calls nobody calls")

    with_reply = node({"messages": [first, reply, last]})

    assert with_reply["emotion"]["label"] == "furious"
    assert with_reply == node({"messages": [first, last]})


def test_messages_before_the_latest_four_are_not_read(head: LinearHead) -> None:
    encoder = FakeEncoder()
    person = tuple(f"message {number}" for number in range(9))

    reading = read_emotion(fake_reader(encoder), head, person, top=33)

    read = " [SEP] ".join(person[-4:])
    assert list(encoder.passes) == [read]
    assert reading["scores"] == head.scores(hashed_words(read))


@pytest.mark.parametrize("texts", [[], [""], [" \n\u200b"]])
def test_no_words_are_unknown_and_cost_no_pass(head: LinearHead, texts: list[str]) -> None:
    encoder = FakeEncoder()
    node = RecognizeEmotion(fake_reader(encoder), head)

    assert node({"messages": [HumanMessage(text) for text in texts]})["emotion"] == UNKNOWN
    assert encoder.calls == 0


@pytest.mark.parametrize(
    "node",
    [
        RecognizeEmotion(None, fake_head(EMOTION_LABELS)),
        RecognizeEmotion(fake_reader(), None),
        RecognizeEmotion(fake_reader(BROKEN), fake_head(EMOTION_LABELS)),
        RecognizeEmotion(fake_reader(), fake_head(EMOTION_LABELS, dims=99)),
    ],
    ids=["no reader", "no head", "encoder fails", "head of another encoder"],
)
def test_whatever_broke_reads_unknown_and_logs_no_words(
    node: RecognizeEmotion, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        update = node({"messages": [HumanMessage("secret words")]})

    assert update == {"emotion": UNKNOWN}
    assert "secret" not in caplog.text
