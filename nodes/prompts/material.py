"""Text of a person or a document inside a prompt: marked as data, and without control tokens.

Such text can hold instructions (indirect prompt injection, Greshake et al. 2023).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_CONTROL: Final = re.compile(
    r"<(?=<|\||/?s>|/?(?:start|end)_of_turn>)|>(?=>)|\[(?=/?INST\])", re.IGNORECASE
)


def defuse(text: str) -> str:
    """Break up what a chat template or a block of material would read as its own marks.

    Tokenizers turn "<|im_end|>" inside a message into the real token, which would let a message
    end itself and speak as the system. A space after the first character keeps it readable.
    """
    return _CONTROL.sub(lambda match: f"{match[0]} ", text)


def block(heading: str, lines: Iterable[str]) -> str:
    """Return `lines` between the marks of material, under a heading of our own."""
    return "\n".join([heading, "<<<", *(defuse(line) for line in lines), ">>>"])
