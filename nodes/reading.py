"""The texts that the heads read, and their vectors: one batched pass for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from models.encoder import Encoder, Vector, pool
from models.features import RECENT_MESSAGES, conversation_text
from models.terms import Features, terms_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_MOOD_CHARS: Final = 2000
"""How much of the end of each message emotion and intent are read from."""


@lru_cache(maxsize=256)
def _terms(texts: tuple[str, ...]) -> csr_matrix:
    # A first message is a conversation too, and earlier messages are read again each turn.
    return terms_of(texts)


@dataclass(frozen=True)
class TextReader:
    """Turns a person's messages into what the heads were trained on.

    Texts are normalised first, so that typing style changes no reading; `encoder` carries the
    adapter. What was read once is found in the encoder's cache.
    """

    encoder: Encoder
    normalise: Callable[[str], str]
    max_chars: int
    """Longer messages are not read: the crisis check reports them as unreadable."""

    def message(self, text: str) -> Features:
        """Return the features of a message, a row for each of its windows."""
        plain = self._plain(text)
        return Features(self.encoder.encode([plain])[0], _terms(tuple(self.encoder.windows(plain))))

    def conversation(self, person: Sequence[str]) -> Features:
        """Return the features of the person's latest messages as one text."""
        return Features(self.conversation_vector(person), _terms((self._conversation(person),)))

    def conversation_vector(self, person: Sequence[str]) -> Vector:
        """Return the unit vector of the person's latest messages: (dimensions,)."""
        return pool(self.encoder.encode([self._conversation(person)])[0])

    def read_ahead(
        self, conversations: Sequence[Sequence[str]], recent: int, replies: Sequence[str] = ()
    ) -> None:
        """Encode in one batch what the readings of these conversations will ask for.

        Args:
            conversations: the person's messages of each, oldest first; none may be empty.
            recent: how many of the latest messages are read one by one.
            replies: further texts that will be read one by one.
        """
        texts = [self._conversation(person) for person in conversations]
        for person in conversations:
            texts += [self._plain(text) for text in person[-recent:] if len(text) <= self.max_chars]
        self.encoder.encode(texts + [self._plain(text) for text in replies])

    def _conversation(self, person: Sequence[str]) -> str:
        recent = person[-RECENT_MESSAGES:]
        return conversation_text([self._plain(text[-_MOOD_CHARS:]) for text in recent])

    def _plain(self, text: str) -> str:
        return self.normalise(text) or text
