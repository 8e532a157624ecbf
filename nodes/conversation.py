"""What nodes need to know of the messages, read in one place."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage


@dataclass(frozen=True)
class Conversation:
    """The texts of a conversation, cleaned, oldest first."""

    person: tuple[str, ...]
    """What the person wrote; messages without words are left out."""
    replies: tuple[str, ...]
    """What was answered before."""
    answered: tuple[int, ...]
    """For each message of the person, how many replies came before it."""
    readable: bool
    """False when the latest message holds something other than text, such as a picture."""
    spoken: bool
    """Whether the latest message of the person has any words."""

    def before(self, message: int) -> str:
        """Return the latest reply before a message of the person; empty where there was none."""
        count = self.answered[message]
        return self.replies[count - 1] if count else ""


def read_conversation(messages: Sequence[AnyMessage]) -> Conversation:
    """Read the person's and the program's texts from messages in any order and of any role."""
    person: list[str] = []
    replies: list[str] = []
    answered: list[int] = []
    readable, spoken = True, False
    for message in messages:
        text = clean(message.text)
        if isinstance(message, HumanMessage):
            readable = _is_text(message)
            spoken = bool(text)
            if text:
                person.append(text)
                answered.append(len(replies))
        elif isinstance(message, AIMessage) and text:
            replies.append(text)
    return Conversation(tuple(person), tuple(replies), tuple(answered), readable, spoken)


def clean(text: str) -> str:
    """Drop what no reader can see: control characters, lone surrogates, doubled spaces.

    Zero-width characters can hide a word from every later reading, so they go too; joiners stay,
    since Hindi, Nepali and emoji are spelled with them.
    """
    kept = text.translate(_VISIBLE)
    # Composed last: an accent may have been split from its letter by what is gone now.
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFC", kept).splitlines())
    return "\n".join(line for line in lines if line).strip("\u200c\u200d \n")


class _Visible(dict[int, int | None]):
    """A table for `str.translate` that is filled in as characters come up.

    Every node reads the whole conversation, so a look at each character must cost little.
    """

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        seen = character.isspace() or unicodedata.category(character) not in _UNSEEN
        return self.setdefault(code, code if seen or character in "\u200c\u200d" else None)


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_VISIBLE: Final = _Visible()


def _is_text(message: HumanMessage) -> bool:
    if isinstance(message.content, str):
        return True
    return all(isinstance(block, str) or block.get("type") == "text" for block in message.content)
