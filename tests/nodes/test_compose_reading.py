"""What a message calls for: its register, grief, and what is about the program itself."""

import pytest

from tests.nodes.composing import COMPOSER, compose


@pytest.mark.parametrize(
    "text",
    [
        "my phone died",
        "I almost died laughing",
        "my battery is dead",
        "my son passed in math this year",
        "he helped to calm me down",
    ],
)
def test_a_figure_of_speech_is_no_grief(text: str) -> None:
    assert not COMPOSER.parts.cues.grief.search(text)
    assert COMPOSER.parts.cues.grief.search("my friend died")


@pytest.mark.parametrize(
    ("message", "frustrated"),
    [
        ("you're not helping", True),
        ("You\u2019re not listening to me", True),
        ("stop asking questions", True),
        ("that's useless", True),
        ("you should help me out, rather you are crying with me", True),
        ("I told my mom you're not listening", False),
        ("My teacher said that's useless", False),
        ("I feel useless", False),
        ("You already asked that", True),
        ("You said that you were envious too", False),
        ("I can't stop asking myself why", False),
    ],
)
def test_frustration_with_the_program(message: str, frustrated: bool) -> None:
    sentences = compose(message, emotion="annoyed", intent="acknowledging")
    assert (sentences[0] in COMPOSER.parts.registers.frustrated) is frustrated


@pytest.mark.parametrize(
    ("message", "about"),
    [
        ("how does this work?", True),
        ("who are you", True),
        ("am I talking to a bot?", True),
        ("thanks, what are you studying", False),
        ("My boss asked me how I work", False),
    ],
)
def test_questions_about_the_program_get_an_honest_answer(message: str, about: bool) -> None:
    sentences = compose(message, emotion="surprised")
    assert bool({*sentences} & {*COMPOSER.parts.registers.identity}) is about


def test_thanks_with_a_but_is_not_a_farewell() -> None:
    text = " ".join(compose("thanks but I still feel awful"))
    assert not any(each in text for each in COMPOSER.parts.registers.door)
    assert any(each in " ".join(compose("thanks!")) for each in COMPOSER.parts.registers.door)


def test_curly_quotes_are_read_as_straight_ones() -> None:
    curly, straight = "I can\u2019t sleep", "I can't sleep"
    assert "your sleep" in compose(curly)[0]
    assert "your sleep" in compose(straight)[0]
