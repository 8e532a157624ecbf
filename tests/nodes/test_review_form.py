"""Rules of form that look past the wording: retelling, drifting language, quotes, openings."""

from collections.abc import Sequence

import pytest

from nodes.review.reviewer import ReviewContext, Reviewer
from nodes.review.rules import load_review_rules
from nodes.review.sentences import split_sentences

REVIEWER = Reviewer(load_review_rules(), None)
STORY = (
    "My uncle taught me to fish when I was nine. Last week I sold his boat to pay the rent, "
    "and on the way home I pulled over at the lake and shouted at nobody for ten minutes."
)


def faults(draft: str, person: str = "I failed my exam.", replies: Sequence[str] = ()) -> set[str]:
    context = ReviewContext((person,), tuple(replies), ())
    found = REVIEWER.review(split_sentences(draft), context, finished=True)
    return {fault["name"] for fault in found}


@pytest.mark.parametrize(
    ("draft", "echo"),
    [
        (
            "Your uncle taught you to fish when you were nine. Last week you sold his boat to pay "
            "the rent, and on the way home you pulled over at the lake and shouted at nobody.",
            True,
        ),
        (
            "It sounds like your uncle taught you to fish when you were nine. Last week you sold "
            "his boat to pay the rent and pulled over at the lake. I hear you.",
            True,
        ),
        ("You sold his boat to pay the rent, and then you had to shout it out by the lake.", False),
        (
            "Selling the boat he taught you on must have felt like losing him a second time. "
            "No wonder it burst out of you by the water. What do you miss most about those days?",
            False,
        ),
    ],
)
def test_a_message_given_back_with_its_pronouns_turned_is_an_echo(draft: str, echo: bool) -> None:
    assert ("echo" in faults(draft, STORY)) is echo


@pytest.mark.parametrize(
    ("draft", "drifts"),
    [
        ("That is a heavy day. Quel dommage, vous devez être tellement triste.", True),
        ("That is a heavy day. Lo siento mucho, estoy aquí para escuchar.", True),
        ("That is a heavy day. Rasanya manis sekaligus sedih mengingat masa lalu itu.", True),
        ("That is a heavy day. Surowy dzień zostawia czasem bardzo głębokie ślady.", True),
        ("Grief hits hardest after funerals end. Maria de la Cruz meant a great deal.", False),
        ("Exams, bills, deadlines, fever: one week held all four of them.", False),
    ],
)
def test_a_reply_may_not_drift_into_another_language(draft: str, drifts: bool) -> None:
    assert ("wrong language" in faults(draft)) is drifts


def test_the_person_may_be_answered_in_their_language() -> None:
    person = "Estoy muy triste porque mi perro murió y no puedo dormir"
    assert "wrong language" not in faults("Lo siento mucho, perder a un perro duele.", person)


def test_words_of_the_person_may_be_quoted_alone() -> None:
    person = "They gave it to the guy I trained."
    assert faults('"The guy I trained." That stings twice.', person) == set()
    assert "own life story" in faults('"The guy I married." That stings twice.', person)


@pytest.mark.parametrize("opening", ["Hi!", "Okay.", "Well, sure."])
def test_a_greeting_is_no_acknowledgement(opening: str) -> None:
    advice = "Pour out every bottle. That must hurt."
    assert "advice before acknowledgement" in faults(f"{opening} {advice}")
    assert faults(f"{opening} That must hurt. You could rest a little first.") == set()


def test_a_sentence_said_before_in_nearly_the_same_words_is_a_repetition() -> None:
    before = "You have been holding the whole house together since the spring."
    again = "You have been holding this whole house together ever since early spring."
    assert "repetition" in faults(again, replies=[before])
    other = "The spring asked a lot of you, and the house did too."
    assert faults(other, replies=[before]) == set()
