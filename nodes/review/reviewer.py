"""The review of a draft, sentence by sentence or whole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from graph.state import Fault
from nodes.review.contacts import Registry
from nodes.review.draft import Draft, Words
from nodes.review.rules import PhraseRule, ReviewRules
from nodes.review.structure import STRUCTURE
from nodes.review.text import (
    contains_run,
    fold,
    sentences_of,
    stems,
    without_quotes,
    words_of,
)

__all__ = ["Registry", "ReviewContext", "Reviewer"]

_FILLER: Final = re.compile(
    r"^\W*(?:(?:hi|hello|hey|there|okay|ok|sure|alright|all right|right|well|so|yes|certainly"
    r"|absolutely|of course|listen|look|good (?:morning|evening|afternoon))\b\W*)+$"
)


@dataclass(frozen=True)
class ReviewContext:
    """What a draft is judged against."""

    person: tuple[str, ...]
    """The person's messages, oldest first."""
    replies: tuple[str, ...]
    """Earlier replies of the program in this thread, oldest first."""
    strategies: tuple[str, ...]
    """Texts of the strategies offered to the model in this turn."""


@dataclass(frozen=True)
class Reviewer:
    """Judges drafts by rules alone, so that the verdict is quick, repeatable and explained.

    What is judged follows the safe-messaging guidance of WHO (2023) and #chatsafe 2.0, WHO's
    psychological first aid, and the VERA-MH rubric (Spring Care 2025).
    """

    rules: ReviewRules
    registry: Registry | None
    """Help lines that may be named; None allows no number and no address."""

    holding: ClassVar[frozenset[str]] = frozenset({"only a question"})
    """Faults that more text can cure: a guard waits on them instead of stopping."""

    def review(
        self, sentences: Sequence[str], context: ReviewContext, *, finished: bool
    ) -> list[Fault]:
        """Return the faults of the draft so far, each rule once; none means that it may be sent.

        Args:
            sentences: The draft so far.
            context: The conversation around it.
            finished: Whether the draft is the whole reply; if so its end is judged as well.
        """
        draft = self._prepare(sentences, context)
        faults: list[Fault] = []
        last_message = draft.person[-1] if draft.person else ""
        said = stems(word for message in draft.person_words for word in message)
        unquoted = tuple(
            "" if _quotes_person(folded, words, draft.person_words) else without_quotes(folded)
            for folded, words in zip(draft.folded, draft.words, strict=True)
        )
        for rule in self.rules.phrases:
            texts = _scope(rule, draft.folded if rule.quoted else unquoted, finished)
            if any(rule.matches_folded(text, said) for text in texts) and rule.applies_to(
                last_message
            ):
                faults.append({"name": rule.name, "why": rule.why})
        for name, form in STRUCTURE.items():
            if (finished or not form.whole) and form.broken(draft):
                faults.append({"name": name, "why": self.rules.structure[name]})
        return faults

    def _prepare(self, sentences: Sequence[str], context: ReviewContext) -> Draft:
        kept = tuple(sentence for sentence in sentences if sentence.strip())
        folded = tuple(fold(sentence) for sentence in kept)
        person = tuple(fold(message) for message in context.person)
        return Draft(
            sentences=kept,
            folded=folded,
            words=tuple(words_of(sentence) for sentence in folded),
            person=person,
            person_words=tuple(words_of(message) for message in person),
            said=tuple(part for reply in context.replies for part in sentences_of(fold(reply))),
            offered=tuple(words_of(fold(text)) for text in context.strategies),
            registry=self.registry,
        )


def _quotes_person(folded: str, words: Words, person: tuple[Words, ...]) -> bool:
    """Whether a sentence is all quotation, and of what the person wrote."""
    return (
        folded.startswith('"')
        and folded.rstrip(".,!?").endswith('"')
        and any(contains_run(message, words) for message in person)
    )


def _opening(folded: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first sentence that says something; a greeting or "Okay." is no start."""
    said = (index for index, text in enumerate(folded) if not _FILLER.match(text))
    return folded[(start := next(said, 0)) : start + 1]


def _scope(rule: PhraseRule, folded: tuple[str, ...], finished: bool) -> tuple[str, ...]:
    match rule.where:
        case "any":
            return folded
        case "first":
            return _opening(folded)
        case "last":
            return folded[-1:] if finished else ()
