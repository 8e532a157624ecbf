"""Rules of form: what no pattern can say. Small pure functions over a prepared draft."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nodes.review.contacts import Registry, unknown_contact
from nodes.review.language import unreadable
from nodes.review.text import contains_run, without_quotes

WORD_LIMIT: Final = 160
"""Longest reply; a person in distress reads little at once."""
OVERLAP_LIMIT: Final = 0.8
"""Share of words (Dice coefficient) from which two sentences count as the same."""
COPIED_RUN: Final = 12
"""Words in a row from the person that make a copy out of a mirror."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """A draft prepared for the rules: each sentence raw, folded and as words."""

    sentences: tuple[str, ...]
    folded: tuple[str, ...]
    words: tuple[Words, ...]
    person: tuple[str, ...]
    """The person's messages, folded, oldest first."""
    person_words: tuple[Words, ...]
    said: tuple[Words, ...]
    """The sentences of earlier replies."""
    offered: tuple[Words, ...]
    """The strategies offered to the model in this turn."""
    registry: Registry | None


@dataclass(frozen=True)
class StructureRule:
    """A rule of form and when it can be judged."""

    broken: Callable[[Draft], bool]
    whole: bool = False
    """True when only a finished reply can be judged."""


# --- Form ---------------------------------------------------------------------------------------

_FORMAT: Final = re.compile(
    r"^\s*(?:\#{1,6}\s*\w|[-*•●▪·]\s+\S|[–—]\s+(?=[A-Z]).*:|\d{1,2}[.)]\s+\S|\|.*\||>\s)"
    r"|^\s*(?:\*\*|__)[^*_]{1,60}(?::\s*(?:\*\*|__)|(?:\*\*|__)\s*:)"
    r"|^\s*(?:\*\*|__)[^*_]{1,60}(?:\*\*|__)\s*$"
    r"|```|</?[a-z][a-z0-9]*\s*/?>|\[[^\]]+\]\([^)]+\)"
    r"|(?<!\*)\*(?!\*)[^*]{0,20}\b(?:nods?|smiles?|hugs?|sighs?|pauses?|leans?|listens?|gently|softly"
    r"|takes?|holds?|offers?|pats?|sits?|looks?|warmly|whispers?|reaches)\b[^*]{0,40}\*(?!\*)"
    r"|^\s*\((?:nods?|smil\w+|hugs?|sighs?|paus\w+|lean\w+|gently|softly|warmly)\b[^)]*\)"
    r"|\b1[.)]\s.*\b2[.)]\s|\(1\).*\(2\)",
    re.IGNORECASE,
)
_END: Final = re.compile(
    r"""[.!?…。！？]["'”’»)\]*_]*\s*$|[.!?…。！？]?["'”’»)\]*_]*\s*"""
    r"""(?:[\U0001F000-\U0001FAFF\u2600-\u27BF\u2B00-\u2BFF\u2764\uFE0F\u200D]|[:;]-?[()])+\s*$"""
)
_SAME_LETTER: Final = re.compile(r"([^\W\d_])\1{7,}|(?:[^\w\s.!?*_~-])\W{9,}|\ufffd|\w{41,}")
_VOWELLESS: Final = re.compile(r"\b[bcdfghjklmnpqrstvwxz]{4,}\b")


def format_leak(draft: Draft) -> bool:
    """Headings, lists, tables, code, links or stage directions."""
    return any(_FORMAT.search(sentence) for sentence in draft.sentences)


def empty(draft: Draft) -> bool:
    """No words at all."""
    return not any(draft.words)


def not_finished(draft: Draft) -> bool:
    """The last sentence lacks an end mark."""
    return any(draft.words) and not _END.search(draft.sentences[-1])


def too_long(draft: Draft) -> bool:
    """More words than a person in distress will read."""
    return sum(len(words) for words in draft.words) > WORD_LIMIT


def gibberish(draft: Draft) -> bool:
    """Words repeated without end, mostly symbols, or letters that make no words."""
    text = " ".join(draft.folded)
    visible = [char for char in text if not char.isspace()]
    letters = sum(char.isalnum() for char in visible)
    return (
        _stutters([word for words in draft.words for word in words])
        or bool(_SAME_LETTER.search(text))
        or (len(visible) >= 8 and letters > 0 and letters < len(visible) / 2)
        or len(_VOWELLESS.findall(text)) >= 2
    )


def _stutters(words: list[str]) -> bool:
    """Whether a word, or a phrase of up to four words, stands four times in a row."""
    for size in range(1, 5):
        run = 0
        for word, earlier in zip(words[size:], words, strict=False):
            run = run + 1 if word == earlier else 0
            if run >= 3 * size:
                return True
    return False


def wrong_language(draft: Draft) -> bool:
    """A script or a language that this review cannot read."""
    return unreadable(draft.folded, draft.words, draft.person_words)


def unknown_number(draft: Draft) -> bool:
    """A phone number or an address that the registry lacks."""
    return any(unknown_contact(folded, draft.registry) for folded in draft.folded)


# --- Said before --------------------------------------------------------------------------------


def repetition(draft: Draft) -> bool:
    """A sentence of an earlier reply, or of this one, again.

    A strategy that is offered in this turn may be said again: the person may have asked for it.
    """
    for index, sentence in enumerate(draft.words):
        if any(_same(sentence, earlier) for earlier in draft.words[:index]):
            return True
        if any(_same(sentence, earlier) for earlier in draft.said) and not any(
            contains_run(offer, sentence) for offer in draft.offered
        ):
            return True
    return False


def _same(one: Words, other: Words) -> bool:
    if one == other:
        return len(one) >= 3  # "Yes." and "I see." may come again
    if min(len(one), len(other)) < 6:
        return False
    total = len(one) + len(other)
    if 2 * min(len(one), len(other)) < OVERLAP_LIMIT * total:
        return False
    return 2 * (Counter(one) & Counter(other)).total() >= OVERLAP_LIMIT * total


def echo(draft: Draft) -> bool:
    """The person's own words at length."""
    copied = _runs(tuple(word for words in draft.words for word in words))
    for message in draft.person_words:
        if any(len(words) >= 8 and contains_run(message, words) for words in draft.words):
            return True
        if not copied.isdisjoint(_runs(message)):
            return True
    return False


def _runs(words: Words) -> frozenset[Words]:
    last = len(words) - COPIED_RUN
    return frozenset(words[start : start + COPIED_RUN] for start in range(last + 1))


# --- Who speaks ---------------------------------------------------------------------------------

_ATTRIBUTED: Final = re.compile(
    r"\b(?:you(?:'ve)? (?:said|say|wrote|told|mentioned|keep|feel|think|tell yourself)|thoughts?"
    r"|thinking|voice|saying|says|like|such as|could (?:say|tell|write)|words)\b"
)
_LIGHT: Final = frozenset(
    [
        "am",
        "was",
        "will",
        "would",
        "could",
        "can",
        "can't",
        "cannot",
        "couldn't",
        "do",
        "don't",
        "did",
        "didn't",
        "have",
        "had",
        "haven't",
        "just",
        "really",
        "also",
        "know",
        "think",
        "feel",
        "want",
        "wanted",
        "hope",
        "wish",
        "see",
        "hear",
        "understand",
        "need",
        "mean",
        "guess",
        "wonder",
        "like",
        "love",
        "thought",
        "am",
        "sorry",
        "i'd",
        "i'll",
        "to",
        "be",
        "should",
        "shouldn't",
        "might",
        "may",
        "must",
        "never",
        "always",
        "still",
        "believe",
        "appreciate",
        "care",
        "say",
        "said",
        "get",
        "won't",
        "wouldn't",
        "not",
        "so",
        "notice",
        "imagine",
        "ask",
    ]
)
_PROGRAM_HAS: Final = frozenset(
    [
        "suggestion",
        "suggestions",
        "question",
        "questions",
        "words",
        "reply",
        "replies",
        "answer",
        "answers",
        "apologies",
        "apology",
        "mistake",
        "bad",
        "heart",
        "thoughts",
        "thought",
        "intention",
        "aim",
        "purpose",
        "role",
        "limits",
        "limit",
        "understanding",
        "point",
        "sense",
        "guess",
        "concern",
        "best",
        "part",
        "side",
        "help",
        "way",
        "goal",
        "worry",
        "wish",
        "hope",
        "hopes",
        "condolences",
        "sympathies",
        "sympathy",
        "attention",
        "own",
        "last",
        "first",
        "previous",
        "earlier",
        "goodness",
        "god",
        "gosh",
        "dear",
        "friend",
        "message",
        "job",
        "work",
        "knowledge",
        "offer",
        "idea",
        "ideas",
        "turn",
        "fault",
        "pleasure",
        "full",
        "sincere",
        "deepest",
    ]
)


def speaks_as_person(draft: Draft) -> bool:
    """The draft tells the person's story in the first person.

    Found by what it shares with the person's words after "I" and "my".
    """
    for folded, words in zip(draft.folded, draft.words, strict=True):
        if "i" not in words and "my" not in words and "i'm" not in words:
            continue
        if without_quotes(folded) != folded or _ATTRIBUTED.search(folded):
            continue
        if any(_borrowed(words, message) for message in draft.person_words):
            return True
    return False


def _borrowed(words: Words, message: Words) -> bool:
    if len(words) >= 4 and words[0] in {"i", "i'm", "my", "i've"} and contains_run(message, words):
        return True
    for start, word in enumerate(words[:-1]):
        following = words[start + 1]
        if word == "my" and following not in _PROGRAM_HAS:
            if contains_run(message, ("my", following)):
                return True
        elif word == "i" and following not in _LIGHT:
            if len(words) > start + 2 and contains_run(message, words[start : start + 3]):
                return True
        if word in {"i", "i'm", "i've", "my"} and len(words) >= start + 5:
            if contains_run(message, words[start : start + 5]):
                return True
    return False


# --- Questions ----------------------------------------------------------------------------------

_QUESTION: Final = re.compile(r"""\?[!?]*["')\]]*(?=\s|$)""")
_RHETORICAL: Final = re.compile(
    r"^(?:and |but |well,? )?(?:who wouldn't|who could blame|how could you not|why wouldn't you|"
    r"or\b|or,)|^\W*(?:(?:oh|ugh|wow|ouch|again|really|seriously|right|okay|yes|yeah|no|huh|did you|have you|is it|are"
    r" you|was it|do you),?\s?)+\?|^what\?!"
)
_ASKS: Final = re.compile(
    r"^(?:and |but |so |oh,? (?:no,? )?|well,? |okay,? |ok,? |hi,? |hello,? |hey,? |sure,? |now,? |yes,? "
    r"|please |then,? )*(?:what|how|why|when|where|who|which|whose|are|is|was|were|am|do|does|did|have"
    r"|has|had|can|could|would|will|should|may|might|shall|isn't|aren't|don't|didn't|haven't|want|care"
    r"|any|anything|anyone|ever|in what|for how|since when|tell me|share|let me know|say more|go on"
    r"|feel free|if you(?:'d)? (?:like|want))\b"
)
_GREETING: Final = re.compile(
    r"^\W*(?:(?:oh|hi|hello|hey|hi there|hello there|hey there|greetings|good (?:morning|evening"
    r"|afternoon)|welcome|okay|ok|i see|sure|of course|certainly|yes|no|right|well|hmm|alright|sorry|there"
    r"|thanks|thank you|thank you for (?:reaching out|your message|sharing)|thanks for (?:reaching out"
    r"|sharing|your message)|nice to meet you)\b\W*)+$"
)
_OFFER: Final = re.compile(
    r"^\W*(?:and |so )?(?:i'm|i am) (?:always |right |just )?(?:here|happy|glad|ready|listening|all ears"
    r"|an? \w+)(?: (?:to|for|and) (?:help|listen|assist|support|you|chat|talk)\w*(?: (?:you|to you|and"
    r"|with|listen|help|support|anything|today))*)?\W*$"
)
_INVITES: Final = re.compile(
    r"^(?:please |so |okay,? )*(?:tell me|go on|let me know|say more|feel free to|share)\b"
)


def is_question(folded: str) -> bool:
    """Whether a folded sentence asks the person something."""
    return bool(_QUESTION.search(without_quotes(folded))) and not _RHETORICAL.search(folded)


def many_questions(draft: Draft) -> bool:
    """A second question; "Or is it home?" belongs to the one before."""
    return sum(is_question(folded) for folded in draft.folded) > 1


def only_question(draft: Draft) -> bool:
    """Nothing but a question, perhaps after a greeting or an offer to help."""
    asked = False
    greeted = bool(draft.person) and bool(_GREETING.match(draft.person[-1]))
    for folded in draft.folded:
        if _GREETING.match(folded):
            continue
        if _OFFER.match(folded) and not greeted:
            continue
        if _INVITES.match(folded) or (_QUESTION.search(folded) and not _mirrors_first(folded)):
            asked = True
            continue
        return False
    return asked


def _mirrors_first(folded: str) -> bool:
    """Whether a question holds an acknowledgement: "That hurts, what did he say?"."""
    if not _ASKS.match(folded):
        return len(folded.split()) >= 6
    lead, comma, _ = folded.rpartition(",")
    return bool(comma) and not _ASKS.match(lead) and len(lead.split()) >= 3


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
