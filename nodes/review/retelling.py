"""Tells a reply that only retells the person's message from a mirror that adds something.

A reflection is shorter than what it reflects and goes beyond it (Miller and Rollnick,
Motivational Interviewing); a message given back with its pronouns turned is neither.
"""

from difflib import SequenceMatcher
from typing import Final

from nodes.review.draft import Words

_LEAST: Final = 10
"""Telling words from which a retelling counts; a short mirror is what a listener does."""
_SHARE: Final = 0.7
"""Share of a reply's telling words that stand in the person's message in the same order."""
_RECENT: Final = 3
"""How many of the person's latest messages a reply may retell."""
_TURNING: Final = frozenset(
    """
    a am an and are as at be been but by did do does feel for from had has have he he's hear her
    him his i i'd i'll i'm i've in is it it's its just like me mine my myself of on or our out
    really she she's so sorry sounds that that's the their them then there they they're this to
    up us was we we're were when with you you'd you'll you're you've your yours yourself
    """.split()
)
"""Words that change when the speaker changes, or that any sentence holds."""


def retells(reply: tuple[Words, ...], person: tuple[Words, ...]) -> bool:
    """Whether the reply is mostly the telling words of one message, in the same order."""
    told = [word for words in reply for word in words if word not in _TURNING]
    if len(told) < _LEAST:
        return False
    return any(_follows(told, message) for message in person[-_RECENT:])


def _follows(told: list[str], message: Words) -> bool:
    source = [word for word in message if word not in _TURNING]
    least = max(_LEAST, _SHARE * len(told))
    if sum(word in set(source) for word in told) < least:
        return False  # spares the comparison, which is quadratic
    matcher = SequenceMatcher(None, told, source, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) >= least
