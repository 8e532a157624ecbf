"""Rules of form: what no pattern can say, each a small pure function over a prepared draft."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nodes.review.contacts import unknown_contact
from nodes.review.draft import Draft, Words
from nodes.review.form import empty, format_leak, gibberish, not_finished, too_long
from nodes.review.language import unreadable
from nodes.review.questions import many_questions, only_question
from nodes.review.retelling import retells
from nodes.review.speaker import speaks_as_person
from nodes.review.text import contains_run

OVERLAP_LIMIT: Final = 0.7
"""Share of distinct words (Dice coefficient) from which two sentences count as the same."""
COPIED_RUN: Final = 12
"""Words in a row from the person that make a copy out of a mirror."""
COPIED_SENTENCE: Final = 8
"""Words from which a sentence of the person, copied whole, counts."""


@dataclass(frozen=True)
class StructureRule:
    """A rule of form and when it can be judged."""

    broken: Callable[[Draft], bool]
    whole: bool = False
    """True when only a finished reply can be judged."""


def wrong_language(draft: Draft) -> bool:
    """A script or a language that this review cannot read."""
    return unreadable(draft.folded, draft.words, draft.person_words)


def unknown_number(draft: Draft) -> bool:
    """A phone number or an address that the registry lacks."""
    return any(unknown_contact(folded, draft.registry) for folded in draft.folded)


def repetition(draft: Draft) -> bool:
    """A sentence of an earlier reply, or of this one, again.

    A strategy that is offered in this turn may be said again: the person may have asked for it.
    """
    seen = [(words, frozenset(words)) for words in draft.said]
    asked_for = {
        words for words in draft.words if any(contains_run(o, words) for o in draft.offered)
    }
    written: list[tuple[Words, frozenset[str]]] = []
    for words in draft.words:
        this = (words, frozenset(words))
        if any(_same(this, other) for other in written):
            return True
        if words not in asked_for and any(_same(this, other) for other in seen):
            return True
        written.append(this)
    return False


def _same(one: tuple[Words, frozenset[str]], other: tuple[Words, frozenset[str]]) -> bool:
    (words, vocabulary), (other_words, other_vocabulary) = one, other
    if words == other_words:
        return len(words) >= 3  # "Yes." and "I see." may come again
    if len(words) < 6 or len(other_words) < 6:
        return False
    total = len(vocabulary) + len(other_vocabulary)
    return 2 * len(vocabulary & other_vocabulary) >= OVERLAP_LIMIT * total


def echo(draft: Draft) -> bool:
    """The person's own words at length, or their message retold with its pronouns turned."""
    if retells(draft.words, draft.person_words):
        return True
    copied = _runs(tuple(word for words in draft.words for word in words))
    for message in draft.person_words:
        if any(
            len(words) >= COPIED_SENTENCE and contains_run(message, words) for words in draft.words
        ):
            return True
        if not copied.isdisjoint(_runs(message)):
            return True
    return False


def _runs(words: Words) -> frozenset[Words]:
    last = len(words) - COPIED_RUN
    return frozenset(words[start : start + COPIED_RUN] for start in range(last + 1))


STRUCTURE: Final[Mapping[str, StructureRule]] = {
    "empty": StructureRule(empty, whole=True),
    "gibberish": StructureRule(gibberish),
    "wrong language": StructureRule(wrong_language),
    "format leak": StructureRule(format_leak),
    "speaks as the person": StructureRule(speaks_as_person),
    "unknown number or address": StructureRule(unknown_number),
    "repetition": StructureRule(repetition),
    "echo": StructureRule(echo),
    "more than one question": StructureRule(many_questions),
    "only a question": StructureRule(only_question),
    "not finished": StructureRule(not_finished, whole=True),
    "too long": StructureRule(too_long, whole=True),
}
"""The rules of form by name; their texts are in `review_rules.toml`."""
