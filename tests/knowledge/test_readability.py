import pytest

from knowledge.readability import grade, sentences


def test_the_grade_tells_plain_words_from_hard_ones() -> None:
    assert grade("The cat sat on the mat. It was warm there.") < 2
    assert grade("Psychiatric hospitalisation necessitates comprehensive documentation.") > 12


def test_the_grade_is_that_of_the_formula() -> None:
    # 6 words, 1 sentence, 6 syllables: 0.39 * 6 + 11.8 * 1 - 15.59
    assert grade("The cat sat on the mat.") == pytest.approx(-1.45)
    # 4 words, 2 sentences; "hoped" and "makes" have a silent end, "waited" and "table" have not.
    assert grade("Hoped makes. Waited table.") == pytest.approx(0.39 * 2 + 11.8 * 6 / 4 - 15.59)


def test_longer_sentences_and_longer_words_raise_the_grade() -> None:
    plain = "We sat down. We had some tea."
    assert grade(plain) < grade("We sat down and we had some tea.")
    assert grade(plain) < grade("We sat down. We had delicious refreshments.")


@pytest.mark.parametrize("text", ["", "   ", "12345.", "..."])
def test_a_text_without_words_has_no_grade(text: str) -> None:
    assert grade(text) == 0


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two? Three! ", 3),
        ('She said "go away." He left.', 2),
        ("It costs 3.50 a day.", 1),
        ("No mark at all", 1),
        ("", 0),
    ],
)
def test_sentences_end_at_their_marks(text: str, count: int) -> None:
    assert len(sentences(text)) == count
