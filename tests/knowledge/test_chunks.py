import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.chunks import split
from knowledge.sentences import split_sentences
from knowledge.sources import Document


def document(text: str) -> Document:
    return Document("notes/a", "notes", "", text, "a", "CC0")


def words(text: str) -> int:
    return len(text.split())


def test_a_short_text_is_one_chunk() -> None:
    assert split(document("One paragraph.\n\nAnother one."), words) == [
        "One paragraph.\n\nAnother one."
    ]


def test_paragraphs_stay_whole_where_they_fit() -> None:
    text = "One two three.\n\nFour five six.\n\nSeven eight nine ten."

    assert split(document(text), words, 6) == [
        "One two three.\n\nFour five six.",
        "Seven eight nine ten.",
    ]


def test_a_long_paragraph_is_split_along_its_sentences() -> None:
    text = "Dr. Lee walks daily. It helps, e.g. with sleep. Try it!\n\nEnd."

    assert split(document(text), words, 5) == [
        "Dr. Lee walks daily.",
        "It helps, e.g. with sleep.",
        "Try it!",
        "End.",
    ]


def test_a_long_sentence_is_split_along_its_words_and_a_long_word_along_its_letters() -> None:
    assert split(document("one two three four five"), words, 2) == ["one two", "three four", "five"]
    assert split(document("abcdefg hi"), len, 3) == ["abc", "def", "g", "hi"]


def test_a_huge_word_is_split_in_a_short_time() -> None:
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return len(text) // 4

    chunks = split(document("x" * 200_000), count, 200)

    assert "".join(chunks) == "x" * 200_000
    assert counted < 200_000 * 200


def test_nothing_makes_no_chunk_and_no_room_is_an_error() -> None:
    assert split(document(" \n\n "), words) == []
    with pytest.raises(ValueError, match="at least one token"):
        split(document("a"), words, 0)


@given(st.text(st.sampled_from("ab .!?\nÄ🙂1"), max_size=120), st.integers(1, 12))
def test_chunks_fit_are_never_empty_and_lose_nothing(text: str, most: int) -> None:
    for count in (words, len):
        chunks = split(document(text), count, most)

        assert all(chunk.strip() for chunk in chunks)
        assert all(count(chunk) <= most for chunk in chunks)
        assert "".join("".join(chunks).split()) == "".join(text.split())


@given(st.text(max_size=200))
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(split_sentences(text)) == text


def test_sentences_end_where_a_reader_ends_them() -> None:
    text = (
        'Dr. J. Doe left at 3.5 p.m. today. "Why me?" she asked. Well... maybe. '
        "See https://a.org/b.c It works! 1. Breathe. 2. Rest\n- one\n- two\n\nEnd"
    )

    assert [each.strip() for each in split_sentences(text)] == [
        "Dr. J. Doe left at 3.5 p.m. today.",
        '"Why me?" she asked.',
        "Well... maybe.",
        "See https://a.org/b.c",
        "It works!",
        "1. Breathe.",
        "2. Rest",
        "- one",
        "- two",
        "End",
    ]
