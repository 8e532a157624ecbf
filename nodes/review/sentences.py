"""Splits a text into sentences, whole or while it streams in.

A sentence comes without the white space around it, so `" ".join(sentences)` reads well and a
sentence written by somebody else (a composed part) fits between two of a model. Inside, a
sentence keeps its own spacing.
"""

import re
from typing import Final

_PICTURE: Final = (
    r"(?:[\U0001F000-\U0001FAFF\u2190-\u21FF\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\u2764\u2665]"
    r"[\uFE0F\u200D\u20E3\U0001F3FB-\U0001F3FF\u2640\u2642\U0001F000-\U0001FAFF]*+|[:;]-?[()])"
)
_CANDIDATE: Final = re.compile(
    rf"""
      (?P<mark>[.!?…。！？]++)(?P<close>["'”’»)\]*_]*+)(?P<pictures>(?:\s*+{_PICTURE})*+)(?P<gap>\s++)
    | (?<=[a-z]{{2}})(?P<glued>[!?]++|\.)(?=[A-Z][a-z'’ ])
    | (?P<picture>{_PICTURE}++)(?P<after>\s++)(?=["“‘(]?[A-Z])
    | (?P<line>[^\S\n]*+\n\s*+)
    """,
    re.VERBOSE,
)
_FULL_STOP: Final = re.compile(r"""[.!?…。！？:]["'”’»)\]*_]*$""")
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\"“'‘])(?:dr|mr|mrs|ms|mx|prof|sr|jr|st|rev|hon|vs|e\.?g|i\.?e|cf|approx|no|"
    r"nr|fig|vol|al|dept|est|ext|inc|ltd|(?-i:[A-HJ-Z]))$",
    re.IGNORECASE,
)
_OFTEN_LAST: Final = re.compile(r"(?:^|[\s(\"“'‘])no$", re.IGNORECASE)
_MAY_END: Final = re.compile(r"(?:^|[\s(])(?:[ap]\.m|etc|[A-Z](?:\.[A-Z])+|ph\.d)$", re.IGNORECASE)
_LIST_MARK: Final = re.compile(r"^[\s(]*\d{1,2}$")
_WORD: Final = re.compile(r"[^\W_]")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of `text`, without the white space around them."""
    stream = SentenceStream()
    sentences = stream.feed(text)
    rest = stream.flush()
    return [*sentences, rest] if rest else sentences


class SentenceStream:
    """Collects a text that arrives in pieces and gives its sentences as they are completed.

    A sentence is complete once the next one has begun, since only then is it certain that a
    full stop was not an abbreviation, an ellipsis or a speaker's tag after a quotation. The
    pieces may be cut anywhere: the sentences are the same.
    """

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, piece: str) -> list[str]:
        """Take the next piece and return the sentences completed by it."""
        self._buffer += piece
        done: list[str] = []
        while (cut := _first_end(self._buffer)) is not None:
            end, start = cut
            sentence = self._buffer[:end].strip()
            if sentence:
                done.append(sentence)
            self._buffer = self._buffer[start:]
        return done

    def flush(self) -> str:
        """Return the rest, which is at most one sentence, and start afresh."""
        rest, self._buffer = self._buffer.strip(), ""
        return rest


def _first_end(text: str) -> tuple[int, int] | None:
    """Find where the first sentence ends and where the next one starts, if that is certain."""
    for match in _CANDIDATE.finditer(text):
        rest = text[match.end() :]
        # What follows must show a letter or digit: until then an emoji may still join this
        # sentence, and a quotation mark may still open the next one.
        if not _WORD.search(rest):
            return None
        before = text[: match.start()]
        if match["line"] is not None:
            if _ends_at_line(before, match["line"], rest):
                return match.start(), match.end()
        elif match["glued"] is not None:
            if not _inside_address(before):
                return match.end(), match.end()
        elif match["picture"] is not None:
            if _WORD.search(before):
                return match.start("after"), match.end()
        elif _ends_at_mark(before, match, rest):
            return match.start("gap"), match.end()
    return None


def _ends_at_line(before: str, gap: str, rest: str) -> bool:
    if not before.strip():
        return False
    # One line break before a small letter is a wrapped line, not a new sentence.
    return gap.count("\n") > 1 or not rest[0].islower() or bool(_FULL_STOP.search(before))


def _ends_at_mark(before: str, match: re.Match[str], rest: str) -> bool:
    mark, close, gap = match["mark"], match["close"], match["gap"]
    if "\n" in gap:
        return _ends_at_line(before + mark + close, gap, rest)
    if match["pictures"]:
        return True
    following = rest.lstrip("\"'“‘(*_[")[:1]
    if not following:
        return True
    if mark in {"...", "…", "..", "...."}:
        return not following.islower()
    if close and following.islower():  # "Why me?" she asked.
        return False
    if mark != ".":
        return True
    if _LIST_MARK.match(before):
        return False
    if _MAY_END.search(before):
        return following.isupper()
    if _ABBREVIATION.search(before):
        # "No." ends a sentence more often than it shortens "number".
        return bool(_OFTEN_LAST.search(before)) and not following.isdigit()
    return True


def _inside_address(before: str) -> bool:
    token = before.rsplit(None, 1)[-1] if before.strip() else ""
    return "://" in token or "www." in token or "@" in token
