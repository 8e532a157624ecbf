"""generate_reply: a draft by the language model, of which only reviewed sentences are kept."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from graph.state import Fault, ReplySource, State
from nodes.compose import Composer
from nodes.conversation import read_conversation
from nodes.prompts import build_prompt, strategy_names
from nodes.prompts.content_words import COMMON_WORDS
from nodes.review.context import review_context
from nodes.review.reviewer import ReviewContext, Reviewer
from nodes.review.sentences import SentenceStream
from nodes.streaming import release

logger = logging.getLogger(__name__)

UNRELATED: Final[Fault] = {
    "name": "unrelated",
    "why": "The draft did not pick up anything that the person said.",
}

_MOST_SENTENCES: Final = 4
"""What the prompt asks for; small models would otherwise run on until they lose the thread."""

_HELD_SENTENCES: Final = 2
"""Sentences within which a draft has to pick up what the person said."""

_LEAST_STEMS: Final = 2
_YOU: Final = re.compile(r"\byou", re.IGNORECASE)


class Chats(Protocol):
    """What this node needs of a chat model."""

    def count_tokens(self, text: str, /) -> int:
        """Count the tokens of a text."""

    def stream(
        self,
        messages: Sequence[BaseMessage],
        *,
        max_new_tokens: int,
        temperature: float,
        timeout: float,
    ) -> Iterator[str]:
        """Yield pieces of the reply."""


class GenerateUpdate(TypedDict):
    """What this node writes."""

    draft: list[str]
    draft_source: ReplySource
    attempts: int
    faults: list[Fault]


@dataclass(frozen=True)
class Draft:
    """The sentences of a draft that passed review, and why it stopped, if it did."""

    sentences: list[str]
    faults: list[Fault]


@dataclass(frozen=True)
class GenerateReply:
    """Write a draft; without a working model, compose one from reviewed parts."""

    chat: Chats | None
    reviewer: Reviewer | None
    composer: Composer
    max_new_tokens: int
    temperature: float
    timeout: float
    history_tokens: int
    prompting: str

    def __post_init__(self) -> None:
        if self.prompting not in strategy_names():
            raise ValueError(f"prompting must be one of {', '.join(strategy_names())}")

    def __call__(self, state: State, config: RunnableConfig) -> GenerateUpdate:
        """Write the reviewed sentences of the draft, and the faults that ended it."""
        talk = read_conversation(state["messages"])
        attempts = state.get("attempts", 0) + 1
        if not talk.spoken:
            sentences = self.composer.no_words(replies=talk.replies)
            release(sentences)
            return _composed(sentences, attempts)
        # Without review nothing that a model wrote may leave, so no model is asked.
        if self.chat is None or self.reviewer is None:
            sentences = compose(self.composer, state)
            release(sentences)
            return _composed(sentences, attempts)
        context = review_context(state)
        draft = guard(self._pieces(state, config), self.reviewer, context)
        return {
            "draft": draft.sentences,
            "draft_source": "model",
            "attempts": attempts,
            "faults": draft.faults,
        }

    def _pieces(self, state: State, config: RunnableConfig) -> Iterator[str]:
        assert self.chat is not None
        parts = self.composer.parts
        person = read_conversation(state["messages"]).person
        prompt = build_prompt(
            state["messages"],
            strategy=self._prompting(config),
            emotion=state["emotion"],
            intent=state["intent"],
            strategies=state.get("strategies", []),
            faults=state.get("faults", []) if state.get("attempts", 0) else [],
            count_tokens=self.chat.count_tokens,
            history_tokens=self.history_tokens,
            asks=bool(parts.cues.asks.search(person[-1])),
            offered=state.get("offered", []),
            feelings=parts.feelings,
        )
        try:
            yield from self.chat.stream(
                prompt,
                max_new_tokens=self.max_new_tokens,
                temperature=self.temperature,
                timeout=self.timeout,
            )
        except Exception as exc:  # Any engine may fail in its own way; the person gets a reply.
            logger.error("generate_reply: the model failed: %s", type(exc).__name__)

    def _prompting(self, config: RunnableConfig) -> str:
        options: dict[str, Any] = config.get("configurable", {})
        chosen = options.get("prompting") or self.prompting
        if chosen in strategy_names():
            return str(chosen)
        # The service refuses such a call; from Python, the person still waits for a reply.
        logger.warning("generate_reply: unknown prompting strategy; taking the default")
        return self.prompting


def guard(pieces: Iterator[str], reviewer: Reviewer, context: ReviewContext) -> Draft:
    """Release each sentence once the draft up to it has passed review; stop at a fault.

    A fault that more text can cure, and a draft that has not yet picked up what the person said,
    are held back until more text cures them; what is still held at the end is dropped. So the draft
    is exactly what has been released.
    """
    sentences: list[str] = []
    released = 0
    faults: list[Fault] = []
    for sentence in _sentences(pieces):
        sentences.append(sentence)
        faults = reviewer.review(sentences, context, finished=False)
        if any(fault["name"] not in reviewer.holding for fault in faults):
            break
        if not faults and mirrors(sentences, context):
            release(sentences[released:])
            released = len(sentences)
        if len(sentences) >= (_MOST_SENTENCES if released else _HELD_SENTENCES):
            break
    if not released and not faults and sentences:
        faults = [UNRELATED]
    return Draft(sentences[:released], faults)


def mirrors(sentences: Sequence[str], context: ReviewContext) -> bool:
    """Tell whether a draft speaks to the person about what they said (EMPATHY: Mirroring).

    It has to hold "you" and a word of the last message. Words count by their first letters, so
    that "lonelier" answers "lonely". A message of few words leaves nothing to pick up.
    """
    said = _stems(context.person[-1]) if context.person else set()
    if len(said) < _LEAST_STEMS:
        return True
    draft = " ".join(sentences)
    return bool(_YOU.search(draft)) and not said.isdisjoint(_stems(draft))


def _stems(text: str) -> set[str]:
    words = re.findall(r"[a-z]{4,}", text.lower())
    return {word[:5] for word in words if word not in COMMON_WORDS}


def _sentences(pieces: Iterator[str]) -> Iterator[str]:
    stream = SentenceStream()
    for piece in pieces:
        yield from (sentence.strip() for sentence in stream.feed(piece))
    # What follows the last full stop was cut off in the middle and is dropped, unless it ends.
    rest = stream.flush().strip()
    if rest.endswith((".", "!", "?", "…")):
        yield rest


def compose(composer: Composer, state: State) -> list[str]:
    """Compose a whole reply from reviewed parts."""
    talk = read_conversation(state["messages"])
    emotion = state["emotion"]
    return composer.reply(
        emotion=emotion["label"],
        confidence=emotion["scores"].get(emotion["label"], 0.0),
        intent=state["intent"]["label"],
        person=talk.person,
        replies=talk.replies,
        strategies=state.get("strategies", []),
    )


def _composed(sentences: list[str], attempts: int) -> GenerateUpdate:
    return {"draft": sentences, "draft_source": "composed", "attempts": attempts, "faults": []}
