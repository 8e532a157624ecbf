"""Composed replies over many turns: each reads well, and nothing is said twice."""

import re
from itertools import product

import pytest

from models.labels import EMOTIONS
from tests.nodes.composing import (
    COMPOSER,
    INTENTS,
    MESSAGES,
    assert_reads_well,
    compose,
    normal,
)


def test_every_reply_reads_well_over_several_turns() -> None:
    # Each emotion meets each message, and both meet each of the nine intents.
    for number, (emotion, message) in enumerate(product([*EMOTIONS, "unknown"], MESSAGES)):
        intent = INTENTS[number % len(INTENTS)]
        replies: list[str] = []
        for turn in range(3):
            sentences = compose(
                *[message] * (turn + 1),
                emotion=emotion,
                confidence=0.2 if (number + turn) % 2 else 0.7,
                intent=intent,
                replies=replies,
            )
            assert_reads_well(sentences, (emotion, intent, turn, message))
            replies.append(" ".join(sentences))


@pytest.mark.parametrize("emotion", ["sad", "terrified", "joyful", "caring", "jealous", "unknown"])
def test_nothing_is_said_twice_in_twelve_turns(emotion: str) -> None:
    for number, message in enumerate(MESSAGES):
        intent = INTENTS[(number + len(emotion)) % len(INTENTS)]
        replies: list[str] = []
        seen: set[str] = set()
        for turn in range(12):
            sentences = compose(
                *[message] * (turn + 1), emotion=emotion, intent=intent, replies=replies
            )
            assert_reads_well(sentences, (intent, turn, message))
            for sentence in map(normal, sentences):
                assert sentence not in seen, (intent, turn, message, sentence)
                seen.add(sentence)
            replies.append(" ".join(sentences))


def test_a_changing_conversation_repeats_nothing() -> None:
    person: list[str] = []
    replies: list[str] = []
    seen: set[str] = set()
    for turn, message in enumerate([*MESSAGES, "My sister will not talk to me"]):
        person.append(message)
        sentences = compose(
            *person,
            emotion=EMOTIONS[turn * 5 % 32],
            intent="questioning",
            replies=replies,
        )
        assert not seen & {normal(each) for each in sentences}
        seen |= {normal(each) for each in sentences}
        replies.append(" ".join(sentences))


def test_a_very_long_conversation_still_gets_replies() -> None:
    replies: list[str] = []
    for turn in range(60):
        sentences = compose(*["I feel bad"] * (turn + 1), replies=replies)
        assert_reads_well(sentences)
        assert not {normal(each) for each in sentences} & {
            normal(each) for each in re.split(r"(?<=[.?!])\s", " ".join(replies[-2:]))
        }
        replies.append(" ".join(sentences))


def test_no_third_question_in_a_row() -> None:
    replies = ["That sounds hard. What happened?", "I see. Who was there?"]
    for intent in INTENTS:
        sentences = compose(*["My boss yelled at me"] * 3, intent=intent, replies=replies)
        assert "?" not in " ".join(sentences)


def test_a_request_for_no_questions_lasts() -> None:
    person = ["stop asking questions", "my boss yelled at me"]
    for intent in INTENTS:
        sentences = compose(*person, intent=intent, replies=["Okay, no more."])
        assert "?" not in " ".join(sentences)


def test_hard_talks_name_a_human_before_long() -> None:
    replies: list[str] = []
    for turn in range(6):
        sentences = compose(
            *["My boss yelled at me"] * (turn + 1), intent="questioning", replies=replies
        )
        replies.append(" ".join(sentences))
    assert any(each in " ".join(replies) for each in COMPOSER.parts.shared.people)
