"""Sentences of a whole text and of a stream, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.review.sentences import SentenceStream, split_sentences


@pytest.mark.parametrize(
    "text",  # a bar where the text is to be cut
    [
        "I see. | Go on!",
        "Dr. Lee said 3.5 hours, e.g. at 5 p.m. today. | Ok?",
        "It was 5 p.m. | You left.",
        "No. 5 is fine. | No. | It hurts.",
        "So do I. | You know.",
        "I... don't know… really. | Yes... | It is.",
        "Why me?! | That hurts.",
        '"Why me?" she asked. | "No." | You left.',
        "So sorry! 😢 | That hurts 💛 | What now?",
        "Try this:\n| 1. Breathe.\n| 2. Rest",
        "It is a\nwrapped line.\n\n| new one",
        "Sorry.|What now?|Tell me",
        "See findahelpline.com for more. | Ok.",
    ],
)
def test_split_sentences(text: str) -> None:
    assert split_sentences(text.replace("|", "")) == [part.strip() for part in text.split("|")]


@given(
    st.lists(st.sampled_from([*"aIZ.?!…:\n 1\"'’)*-", "💛", "Dr.", "e.g.", " You ", "no. "]))
    | st.lists(st.text(max_size=3)),
    st.data(),
)
def test_sentences_do_not_depend_on_how_a_text_is_cut(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    stream = SentenceStream()
    streamed: list[str] = []
    while text:
        size = data.draw(st.integers(1, len(text)))
        streamed += stream.feed(text[:size])
        text = text[size:]
    streamed += filter(None, [stream.flush()])
    assert streamed == split_sentences("".join(parts))
    assert stream.flush() == ""
