"""Rules of form on the text itself: layout, length, an end, words at all."""

import re
from typing import Final

from nodes.review.draft import Draft

WORD_LIMIT: Final = 160
"""Longest reply; a person in distress reads little at once."""

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
