"""The part of a conversation that a prompt has room for, and a summary of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    trim_messages,
)

from knowledge.sentences import split_sentences
from nodes.conversation import clean
from nodes.prompts.content_words import content_words
from nodes.prompts.material import defuse

_SUMMARY_WORDS: Final = 60
_SUMMARY_CHARS: Final = 480
_SENTENCE_WORDS: Final = 24
_SENTENCE_CHARS: Final = 160
"""Characters count too, since not every script puts spaces between words."""

_STATEMENT: Final = 3
"""Content words from which a sentence says something of the situation."""

_LEAST_GAIN: Final = 2
_GAP: Final = " … "


@dataclass(frozen=True)
class History:
    """What goes into the prompt, and what the person wrote that has no room."""

    turns: list[BaseMessage]
    """The latest turns, alternating, the person last."""
    left_out: tuple[str, ...]
    """Texts of the person that were left out, oldest first."""


def bounded_history(
    messages: Sequence[AnyMessage], *, count_tokens: Callable[[str], int], most: int
) -> History:
    """Return the latest turns that fit into `most` tokens, and what the person wrote before."""
    turns = _turns(messages)
    if not turns:
        return History([], ())
    whole = last = str(turns[-1].text)
    while count_tokens(last) > most:
        # The end of a long message tells most; halving keeps the count of calls small.
        last = last[len(last) // 2 :]
    turns[-1] = HumanMessage(last)
    kept = trim_messages(
        turns,
        max_tokens=most,
        token_counter=lambda each: sum(count_tokens(message.text) for message in each),
        strategy="last",
        start_on="human",
    )
    dropped = turns[: len(turns) - len(kept)]
    left_out = [str(turn.text) for turn in dropped if isinstance(turn, HumanMessage)]
    beginning = whole[: len(whole) - len(last)]
    return History(kept, tuple([*left_out, beginning] if beginning else left_out))


def summarize(texts: Sequence[str]) -> str:
    """Return key sentences of `texts`, in their order, in at most 60 words; "" if none says much.

    Extractive, so that nothing is said of a person that they did not write: the first statement of
    the situation, then by turns the sentence that adds most content words (maximum coverage,
    Filatova and Hatzivassiloglou 2004); of two equal ones the later.
    """
    sentences = [
        _shorten(sentence)
        for text in texts
        for line in text.splitlines()
        for sentence in split_sentences(line)
    ]
    content = [content_words(sentence) for sentence in sentences]
    chosen: list[int] = []
    covered: set[str] = set()
    words, chars = _SUMMARY_WORDS, _SUMMARY_CHARS
    best = next(
        (
            place
            for place, each in enumerate(content)
            if len(each) >= _STATEMENT and not sentences[place].endswith("?")
        ),
        None,
    )
    left = set(range(len(sentences)))
    while True:
        if best is not None:
            chosen.append(best)
            covered |= content[best]
            words -= len(sentences[best].split()) + 1  # the gap counts as a word
            chars -= len(sentences[best]) + len(_GAP)
        left = {
            place
            for place in left - set(chosen)
            if len(content[place] - covered) >= _LEAST_GAIN
            and len(sentences[place].split()) <= words
            and len(sentences[place]) <= chars
        }
        if not left:
            return _GAP.join(sentences[place] for place in sorted(chosen))
        best = max(left, key=lambda place: (len(content[place] - covered), place))


def _turns(messages: Sequence[AnyMessage]) -> list[BaseMessage]:
    """Return the person's and the program's turns, alternating, the person last."""
    turns: list[BaseMessage] = []
    for message in messages:
        text = defuse(clean(message.text))
        kind = type(message) if isinstance(message, HumanMessage | AIMessage) else None
        if kind is None or not text:
            continue
        if turns and isinstance(turns[-1], kind):
            # Chat templates want alternating roles; two messages in a row are one turn.
            turns[-1] = kind(f"{turns[-1].text}\n{text}")
        else:
            turns.append(kind(text))
    while turns and isinstance(turns[-1], AIMessage):
        turns.pop()
    return turns


def _shorten(sentence: str) -> str:
    words = " ".join(sentence.split()[:_SENTENCE_WORDS])
    if len(words) <= _SENTENCE_CHARS:
        return words
    whole = words[: _SENTENCE_CHARS + 1].rpartition(" ")[0]
    return whole or words[:_SENTENCE_CHARS]
