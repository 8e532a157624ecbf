"""The texts that the heads read: one batched pass, normalised, and nothing too long."""

import numpy as np
import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from graph.state import State
from models.features import RECENT_MESSAGES
from models.labels import EMOTION_LABELS, INTENTS
from models.terms import TERMS
from nodes.crisis import WINDOW, CheckCrisis, CrisisReader
from nodes.emotion import RecognizeEmotion
from nodes.intent import SelectIntent
from nodes.reading import TextReader
from tests.fakes import (
    DIMS,
    INTENT_FEATURES,
    FakeEncoder,
    fake_crisis_head,
    fake_head,
    fake_reader,
    hashed_words,
    real_phrases,
)

LONG = "we talked about the garden and the rain all day " * 60


def read_turn(reader: TextReader, *texts: str) -> State:
    """Run the three nodes that read, over one reader, as the graph does."""
    messages: list[AnyMessage] = []
    for text in texts:
        messages += [AIMessage("I'm here."), HumanMessage(text)]
    state = State(messages=messages)
    emotion = RecognizeEmotion(reader, fake_head(EMOTION_LABELS))(state)
    intent = SelectIntent(reader, fake_head(INTENTS, INTENT_FEATURES))(state)
    crisis = CheckCrisis(CrisisReader(reader, fake_crisis_head(), real_phrases()))(state)
    assert emotion["emotion"]["label"] in EMOTION_LABELS
    assert len(intent["intent"]["scores"]) == len(INTENTS)
    return State(messages=messages, crisis=crisis["crisis"])


@pytest.mark.parametrize("messages", [1, 2, RECENT_MESSAGES, WINDOW, WINDOW + 5])
def test_a_turn_calls_the_model_once_and_each_text_passes_once(messages: int) -> None:
    encoder = FakeEncoder()
    person = [f"this is what happened on day {number}" for number in range(messages)]

    state = read_turn(fake_reader(encoder), *person)

    assert state["crisis"]["level"] == "none"
    assert encoder.calls == 1
    read = {*person[-WINDOW:], " [SEP] ".join(person[-RECENT_MESSAGES:])}
    assert encoder.passes == dict.fromkeys(read, 1)


def test_the_next_turn_passes_only_what_is_new() -> None:
    encoder = FakeEncoder()
    reader = fake_reader(encoder)
    read_turn(reader, "my cat ran away")
    before = set(encoder.passes)

    read_turn(reader, "my cat ran away", "she is old and half blind")

    assert encoder.calls == 2
    assert set(encoder.passes.values()) == {1}
    assert set(encoder.passes) - before == {
        "she is old and half blind",
        "my cat ran away [SEP] she is old and half blind",
    }


def test_a_long_message_is_read_whole_for_danger_and_at_its_end_for_the_mood() -> None:
    encoder = FakeEncoder(max_seq_length=4096)

    read_turn(fake_reader(encoder), LONG)

    whole = LONG.strip()
    assert encoder.calls == 1
    assert encoder.passes == {whole: 1, whole[-2000:].strip(): 1}


def test_an_over_long_message_is_not_encoded_but_for_its_end() -> None:
    encoder = FakeEncoder(max_seq_length=4096)
    reader = fake_reader(encoder, max_chars=len(LONG) - 10)

    state = read_turn(reader, "my cat ran away", LONG)

    assert state["crisis"]["level"] == "unknown"
    assert encoder.calls == 1
    end = LONG.strip()[-2000:].strip()
    assert encoder.passes == {"my cat ran away": 1, f"my cat ran away [SEP] {end}": 1}


def test_the_normalised_text_is_what_is_read() -> None:
    encoder = FakeEncoder()
    reader = fake_reader(encoder)

    shouted = reader.message("MY CAT RAN AWAY")
    quiet = reader.message("my cat ran away")

    assert np.array_equal(shouted.vector, quiet.vector)
    assert (shouted.terms != quiet.terms).nnz == 0
    assert encoder.passes == {"my cat ran away": 1}
    assert np.allclose(quiet.vector, [hashed_words("my cat ran away")])
    both = reader.conversation(["MY CAT RAN AWAY", "She is OLD"])
    again = reader.conversation(["my cat ran away", "she is old"])
    assert np.array_equal(both.vector, again.vector)
    assert (both.terms != again.terms).nnz == 0
    assert encoder.passes["my cat ran away [SEP] she is old"] == 1


def test_a_text_of_which_nothing_is_left_is_read_as_it_was_written() -> None:
    encoder = FakeEncoder()
    reader = TextReader(encoder, lambda text: "", 100)

    assert reader.message("~~~").vector.shape == (1, DIMS)
    assert encoder.passes == {"~~~": 1}


def test_a_message_has_a_row_a_window_and_a_conversation_one_unit_vector() -> None:
    reader = fake_reader(FakeEncoder(max_seq_length=66))

    rows, row_terms = reader.message("we went to the market today " * 30)
    whole, terms = reader.conversation(["we went to the market today " * 30])

    assert len(rows) > 3
    assert row_terms.shape == (len(rows), TERMS)
    assert terms.shape == (1, TERMS)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert whole.shape == (DIMS,)
    assert np.linalg.norm(whole) == pytest.approx(1, abs=1e-6)


def test_many_conversations_are_read_ahead_in_one_call() -> None:
    encoder = FakeEncoder()
    reader = fake_reader(encoder, max_chars=40)
    talks = [["one", "two", "three"], ["two"], ["x" * 41]]

    reader.read_ahead(talks, 2, ["Why is that?", "Why is that?"])

    assert encoder.calls == 1
    assert set(encoder.passes.values()) == {1}
    assert set(encoder.passes) == {
        "one [SEP] two [SEP] three",
        reader.normalise("Why is that?"),
        "two",
        "three",
        reader.normalise("x" * 41),
    }
    for talk in talks:
        reader.conversation(talk)
    reader.message("three")
    reader.message("Why is that?")
    assert encoder.calls == 1


def test_nothing_to_read_ahead_costs_no_call() -> None:
    encoder = FakeEncoder()

    fake_reader(encoder).read_ahead([], WINDOW)

    assert encoder.calls == 0
