"""What is composed around others' words: continuations, endings, and no words at all."""

from graph.state import Intent
from tests.nodes.composing import (
    COMPOSER,
    INTENTS,
    STEP,
    STEP_SENTENCES,
    STRATEGIES,
    assert_reads_well,
    compose,
)


def test_empty_message_gets_a_warm_and_honest_answer() -> None:
    replies: list[str] = []
    for _ in range(12):
        sentences = COMPOSER.no_words(replies=replies)
        assert_reads_well(sentences)
        assert set(sentences) & set(COMPOSER.parts.registers.identity)
        assert not any(each in " ".join(replies) for each in sentences)
        replies.append(" ".join(sentences))
    assert compose("  ") == COMPOSER.no_words(replies=())
    assert compose() == COMPOSER.no_words(replies=())


def test_ending_asks_only_when_nothing_was_asked() -> None:
    kinds = set()
    replies: list[str] = []
    for _ in range(25):
        said = ["That sounds hard."]
        ending = COMPOSER.ending(replies=replies, said=said)
        kinds.add(ending[-1])
        assert not any(ending in reply for reply in replies)
        replies.append(f"{said[0]} {ending}")
        assert "?" not in COMPOSER.ending(replies=replies, said=["What happened?"])
    assert kinds == {".", "?"}


def test_continuation_finishes_without_a_second_acknowledgement() -> None:
    parts = COMPOSER.parts
    acknowledgements = {
        *parts.tones["hard"].mirror,
        *parts.groups["fear"].perspective,
        *parts.tones["hard"].perspective,
    }
    said = ["It sounds like the exam scared you."]

    def rest_of(shown: list[str], intent: Intent) -> list[str]:
        return COMPOSER.continuation(
            shown,
            emotion="afraid",
            confidence=0.7,
            intent=intent,
            person=["I failed my exam"],
            replies=[],
            strategies=STRATEGIES,
        )

    for intent in INTENTS:
        rest = rest_of(said, intent)
        assert 1 <= len(rest) <= 4 and not set(rest) & acknowledgements
        assert not any("afraid" in each or "scared" in each for each in rest)
        assert (STEP in rest) is (intent in {"suggesting", "encouraging", "consoling"})
        asked = rest_of(["Okay.", "What happened?"], intent)
        assert "?" not in " ".join(asked) and STEP not in asked
        given = rest_of(["I hear you.", STEP], intent)
        assert given and not {*STEP_SENTENCES} & set(given)


def test_continuation_of_nothing_is_a_whole_reply() -> None:
    whole = COMPOSER.continuation(
        [],
        emotion="sad",
        confidence=0.6,
        intent="neutral",
        person=["I am down today"],
        replies=[],
        strategies=[],
    )
    assert whole == compose("I am down today", intent="neutral", strategies=[])
