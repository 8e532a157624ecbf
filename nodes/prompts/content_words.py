"""Which words of a text carry what it is about."""

from __future__ import annotations

import re
from typing import Final

COMMON_WORDS: Final = frozenset(
    """about after again also always anything because been before being cannot come could didn does
    doesn done down even ever every everything feel feeling feels from getting give going gonna have
    here into just keep know like little look made make many maybe mean more most much need never
    nothing only other over people please really right said same should some someone something
    still such sure take tell than thank thanks that their them then there these they thing things
    think this those time today told very wanna want wants were what when where which while will
    with would your yours yourself""".split()
)
"""Words of four letters and more that any message can hold."""

_SHORT_COMMON_WORDS: Final = frozenset(
    """all and any are but can did don for get got had has her him his how its just let lot may
    not now off one our out say see she the too two use was way who why yes you""".split()
)
_LETTERS: Final = re.compile(r"[\W\d_]*(.*?)[\W\d_]*\Z", re.DOTALL)
_STEM: Final = 5


def content_words(text: str) -> set[str]:
    """Return the first letters of each content word, in any script that puts spaces in between."""
    found = set()
    for word in text.casefold().replace("’", "'").split():
        match = _LETTERS.match(word)
        core = match[1].split("'")[0] if match else ""
        if len(core) >= 3 and core not in COMMON_WORDS and core not in _SHORT_COMMON_WORDS:
            found.add(core[:_STEM])
    return found
