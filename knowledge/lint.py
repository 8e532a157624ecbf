"""Checks of coping cards that need more than one field, or more than one card."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from knowledge.cards import DEFAULT_FOLDER, Card, Technique, load_valid_cards
from knowledge.lint_wording import faulty_wording
from knowledge.readability import PLAIN_GRADE, grade
from models.labels import EMOTIONS

CARDS_PER_EMOTION: Final = 4
NEAR_EQUAL: Final = 0.8
"""Jaccard similarity of words from which two situations say the same."""

TOPICS: Final = (
    "addiction",
    "anger-management",
    "anxiety",
    "behavioral-change",
    "children-adolescents",
    "counseling-fundamentals",
    "depression",
    "domestic-violence",
    "eating-disorders",
    "family-conflict",
    "grief-and-loss",
    "human-sexuality",
    "intimacy",
    "legal-regulatory",
    "lgbtq",
    "marriage",
    "military-issues",
    "parenting",
    "professional-ethics",
    "relationship-dissolution",
    "relationships",
    "self-esteem",
    "sleep-improvement",
    "social-relationships",
    "spirituality",
    "stress",
    "substance-abuse",
    "trauma",
    "workplace-relationships",
)
"""What people ask about: the topics of CounselChat (Bertagnolli 2020)."""

RISKY: Final[frozenset[Technique]] = frozenset({"exposure", "communication", "boundaries"})
"""Techniques that can put a person in danger where somebody or something is truly unsafe."""

_DANGER = re.compile(
    r"\b(?:danger\w*|(?:un)?safe(?:ty)?|violen\w+|hurts? you|hits?|threat\w*|scares? you|abus\w+"
    r"|harass\w*|bull(?:y|ied|ying)|stalk\w*|(?:afraid|scared) of|fear for|forces? you"
    r"|harm(?:s|ing|ed)? you|hurting|controls? you|being followed|attack\w*)\b",
    re.I,
)
_SOURCE = re.compile(
    r"\b(?:1[89]|20)\d\d\b"
    r"|\b(?:WHO|NHS|NICE|SAMHSA|APA|CDC|NIH|NIMH|NIAAA|NIDA|NCTSN|mhGAP|Acas|BACP|ACA|VA|988"
    r"|Mind|RAINN|UNICEF|Samaritans|Cochrane|Royal College)\b|#chatsafe|C-SSRS"
)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

# What may stand before the verb of a step: a condition or a time, up to its comma.
_LEAD_IN = re.compile(
    r"(?:if|when\w*|once|while|as|after|before|until|unless|in|on|at|for|with|without|from|during"
    r"|near|by|under|over|next|later|well|right|each|every|to|where\w*|the (?:next|first|last) time"
    r"|this (?:week|evening|morning|afternoon|month))\b[^,]*,\s*",
    re.I,
)
_ADVERB = re.compile(
    r"(?:\w+ly|then|now|also|again|please|today|tonight|tomorrow|afterwards?|later|first|next|once"
    r"|often|maybe|perhaps|instead|and|or|each (?:evening|morning|day|night|time)"
    r"|every (?:evening|morning|day|night|time))\b,?\s+",
    re.I,
)
# Words that cannot be an order: closed classes, and nouns and adjectives that open a step.
_NO_VERB = re.compile(
    r"(?:i|you|he|she|it|we|they|your|my|his|her|its|our|their|this|that|these|those|there|here"
    r"|a|an|the|some|any|no|all|both|most|many|few|several|someone|somebody|people|everyone"
    r"|is|are|was|were|will|would|can|could|may|might|should|must|shall|ought|has|had|does|did"
    r"|who|what|which|why|how|because|although|though|but|so|of|into|about|than|not|never|always"
    r"|if|when|while|in|on|at|for|with|from|to|by|after|before"
    r"|deep|good|bad|small|big|new|old|long|short|important|possible|breaths?|thoughts|feelings"
    r"|(?!(?:br|s|sw|r|str|cl|fl|p|k|spr|w|th)ing\b)\w+ing)\b",
    re.I,
)


@dataclass(frozen=True)
class LintFinding:
    """One thing to mend in the cards."""

    card: str
    """The card's id or file name; "" where it is about all cards together."""
    field: str
    rule: str
    why: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.card or "all cards", self.field) if part)
        return f"{where}: {self.rule}: {self.why}"


def lint(cards: Sequence[Card]) -> list[LintFinding]:
    """Return all that is wrong with `cards`, card by card and then as a collection."""
    return [
        *chain.from_iterable(map(lint_card, cards)),
        *_same_titles(cards),
        *_same_situations(cards),
        *_gaps(cards),
    ]


def lint_folder(path: Path = DEFAULT_FOLDER) -> list[LintFinding]:
    """Return what is wrong with the cards of `path`, broken files included.

    As in use, they stand beside the shipped cards and take the place of those with the same id; so
    they may not repeat one of them, and need not serve every emotion and topic on their own.
    """
    own, errors = load_valid_cards(path)
    names = {card.id for card in own} | {""}
    cards = {card.id: card for card in load_valid_cards(DEFAULT_FOLDER)[0]}
    cards |= {card.id: card for card in own}
    shipped = [card for card in cards.values() if card.id not in names]
    broken = [
        LintFinding(error.path.name, error.field, "invalid", error.problem) for error in errors
    ]
    # Their own cards last: of two that say the same, the later one is named.
    return broken + [each for each in lint([*shipped, *own]) if each.card in names]


def lint_card(card: Card) -> list[LintFinding]:
    """Return what is wrong with one card by itself."""
    return [
        LintFinding(card.id, field, rule, why)
        for check in (_hard_words, _steps, _wording, _source, _danger)
        for field, rule, why in check(card)
    ]


Found = Iterator[tuple[str, str, str]]


def _texts(card: Card) -> dict[str, tuple[str, ...]]:
    return {
        "steps": card.steps,
        "short": (card.short,),
        "when_not": card.when_not,
        "body": (card.body,),
    }


def _hard_words(card: Card) -> Found:
    for field, texts in _texts(card).items():
        # A step without a full stop still ends.
        found = grade("\n".join(text if text[-1] in ".?!\"'" else f"{text}." for text in texts))
        if found > PLAIN_GRADE:
            yield field, "grade", f"reads at grade {found:.1f}; {PLAIN_GRADE:.0f} is the most"


def _steps(card: Card) -> Found:
    for number, step in enumerate(card.steps, start=1):
        if not begins_with_a_verb(step):
            why = f"step {number} does not begin with what to do"
            yield "steps", "verb", why


def begins_with_a_verb(step: str) -> bool:
    """Tell whether `step` says what to do, after at most a condition or a time and an adverb."""
    rest = step.strip(" \"'")
    if lead_in := _LEAD_IN.match(rest):
        rest = rest[lead_in.end() :]
    while adverb := _ADVERB.match(rest):
        rest = rest[adverb.end() :]
    return bool(_WORD.match(rest)) and not _NO_VERB.match(rest)


def _wording(card: Card) -> Found:
    for field, texts in {"title": (card.title,), **_texts(card)}.items():
        rules = chain.from_iterable(
            faulty_wording(text, condition=field == "when_not") for text in texts
        )
        for rule in dict.fromkeys(rules):
            yield field, rule.name, rule.why


def _source(card: Card) -> Found:
    if not _SOURCE.search(card.source):
        yield "source", "source", "names neither a year nor a known guideline"


def _danger(card: Card) -> Found:
    if card.technique in RISKY and not any(map(_DANGER.search, card.when_not)):
        yield "when_not", "danger", f"{card.technique} without a word about danger or violence"


def _plain_words(text: str) -> frozenset[str]:
    straight = text.casefold().replace("’", "'").replace("'", "")
    return frozenset(_WORD.findall(straight))


def _same_titles(cards: Sequence[Card]) -> Iterator[LintFinding]:
    first: dict[frozenset[str], str] = {}
    for card in cards:
        other = first.setdefault(_plain_words(card.title), card.id)
        if other != card.id:
            yield LintFinding(card.id, "title", "same-title", f"is also the title of {other}")


def _same_situations(cards: Sequence[Card]) -> Iterator[LintFinding]:
    earlier: list[tuple[str, frozenset[str]]] = []
    # Only those that share a word can be near-equal.
    having: defaultdict[str, list[int]] = defaultdict(list)
    for card in cards:
        for number, text in enumerate(card.situations, start=1):
            words = _plain_words(text)
            near = sorted(set(chain.from_iterable(having[word] for word in words)))
            same = [earlier[i][0] for i in near if _jaccard(words, earlier[i][1]) >= NEAR_EQUAL]
            if same:
                why = f"number {number} is almost the same as one of {same[0]}"
                yield LintFinding(card.id, "situations", "same-situation", why)
            for word in words:
                having[word].append(len(earlier))
            earlier.append((card.id, words))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _gaps(cards: Sequence[Card]) -> Iterator[LintFinding]:
    emotions = Counter(chain.from_iterable(set(card.emotions) for card in cards))
    for emotion in EMOTIONS:
        if emotions[emotion] < CARDS_PER_EMOTION:
            why = f"{emotion} has {emotions[emotion]} cards; {CARDS_PER_EMOTION} is the least"
            yield LintFinding("", "emotions", "emotion-served", why)
    served = {topic.replace(" ", "-") for card in cards for topic in card.topics}
    for topic in TOPICS:
        if topic not in served:
            yield LintFinding("", "topics", "topic-served", f"no card is about {topic}")
