"""A composed reply in the making: what is said, and what the conversation has heard already."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

MOST_SENTENCES: Final = 5
_SAME: Final = 0.8  # share of words from which two sentences count as one
_WORD: Final = re.compile(r"\w+(?:'\w+)?")


@dataclass
class Draft:
    """A reply in the making, which knows what the conversation has heard."""

    random: Random
    heard: list[frozenset[str]]
    sentences: list[str] = field(default_factory=list)

    @property
    def words(self) -> int:
        """How many words have been said."""
        return sum(len(sentence.split()) for sentence in self.sentences)

    @property
    def room(self) -> int:
        """How many more sentences fit before the ending."""
        return MOST_SENTENCES - 1 - len(self.sentences)

    def last_heard(self, sentence: str) -> int:
        """Return when something like this was last said; -1 for never."""
        words = frozenset(words_of(sentence))
        for place in reversed(range(len(self.heard))):
            if _alike(words, self.heard[place]):
                return place
        return -1

    def say(self, sentence: str) -> None:
        """Add a sentence as it stands."""
        self.sentences.append(sentence)
        self.heard.append(frozenset(words_of(sentence)))

    def add(self, pool: Sequence[str], *, must: bool = False, **slots: str) -> bool:
        """Say a wording that is new to the conversation; failing that, the oldest or nothing."""
        wordings = [wording.format(**slots) for wording in pool]
        ages = [self.last_heard(wording) for wording in wordings]
        oldest = min(ages)
        if oldest >= 0 and not must:
            return False
        choices = [each for each, age in zip(wordings, ages, strict=True) if age == oldest]
        starts = [words_of(sentence)[:2] for sentence in self.sentences]
        varied = [each for each in choices if words_of(each)[:2] not in starts]
        self.say(self.random.choice(varied or choices))
        return True

    def add_first(self, *pools: Sequence[str]) -> None:
        """Say something from the first pool with news in it, and repeat the last if none has."""
        if not any(self.add(pool) for pool in pools):
            self.add(pools[-1], must=True)


def start_draft(replies: Sequence[str], person: Sequence[str]) -> Draft:
    """Return an empty draft that chooses the same words each time for the same conversation."""
    # `hash` differs from run to run; a reply must not.
    seed = zlib.crc32("\x1f".join([str(len(replies)), *replies, *person]).encode(errors="replace"))
    heard = [frozenset(words_of(each)) for reply in replies for each in split_sentences(reply)]
    return Draft(Random(seed), heard)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of reviewed text, each with a mark at its end."""
    parts = re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
    return [part if part[-1] in ".!?" else f"{part}." for part in parts if part]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, for comparison."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def _alike(words: frozenset[str], old: frozenset[str]) -> bool:
    shorter = min(len(words), len(old))
    return words == old or (shorter >= 6 and len(words & old) >= _SAME * shorter)
