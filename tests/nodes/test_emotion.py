"""The node recognize_emotion: a reading, no words, and what broke."""

import logging

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from models.features import conversation_vector
from models.heads import LinearHead
from models.labels import EMOTIONS
from nodes.emotion import UNKNOWN, RecognizeEmotion, read_emotion
from tests.fakes import FakeEncoder, fake_head, hashed_words

CUES = {"lonely": "nobody calls", "furious": "manager shouted"}


@pytest.fixture
def head() -> LinearHead:
    return fake_head(EMOTIONS, cues=CUES)


def test_the_emotion_of_the_words_with_the_five_most_probable(head: LinearHead) -> None:
    node = RecognizeEmotion(FakeEncoder(), head)

    emotion = node({"messages": [HumanMessage("nobody calls me")]})["emotion"]

    assert emotion["label"] == "lonely"
    scores = list(emotion["scores"].values())
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert next(iter(emotion["scores"])) == "lonely"
    assert set(emotion["scores"]) <= set(EMOTIONS)


def test_only_the_person_counts_and_the_latest_message_most(head: LinearHead) -> None:
    node = RecognizeEmotion(FakeEncoder(), head)
    first, last = HumanMessage("nobody calls"), HumanMessage("manager shouted")
    reply = AIMessage("nobody calls nobody calls nobody calls")

    assert node({"messages": [first, reply, last]})["emotion"]["label"] == "furious"
    assert node({"messages": [last, reply, first]})["emotion"]["label"] == "lonely"


def test_messages_before_the_latest_four_are_not_read(head: LinearHead) -> None:
    encoder = FakeEncoder()
    person = tuple(f"message {number}" for number in range(9))

    reading = read_emotion(encoder, head, person, top=32)

    assert set(encoder.passes) == set(person[-4:])
    expected = head.scores(conversation_vector([hashed_words(text) for text in person[-4:]]))
    assert reading["scores"] == expected


@pytest.mark.parametrize("texts", [[], [""], [" \n\u200b"]])
def test_no_words_are_unknown_and_cost_no_pass(head: LinearHead, texts: list[str]) -> None:
    encoder = FakeEncoder()
    node = RecognizeEmotion(encoder, head)

    assert node({"messages": [HumanMessage(text) for text in texts]})["emotion"] == UNKNOWN
    assert encoder.calls == 0


@pytest.mark.parametrize(
    "node",
    [
        RecognizeEmotion(None, fake_head(EMOTIONS)),
        RecognizeEmotion(FakeEncoder(), None),
        RecognizeEmotion(FakeEncoder(error=RuntimeError("secret words")), fake_head(EMOTIONS)),
        RecognizeEmotion(FakeEncoder(), fake_head(EMOTIONS, dims=99)),
    ],
    ids=["no encoder", "no head", "encoder fails", "head of another encoder"],
)
def test_whatever_broke_reads_unknown_and_logs_no_words(
    node: RecognizeEmotion, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        update = node({"messages": [HumanMessage("secret words")]})

    assert update == {"emotion": UNKNOWN}
    assert "secret" not in caplog.text
