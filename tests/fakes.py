"""Stand-ins for models and stores: deterministic, counting, and strict about surprise calls."""

from __future__ import annotations

import re
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar, Final, cast

import numpy as np
from langchain_core.messages import BaseMessage

from graph.build import build_graph
from graph.resources import Perception, Resources
from graph.settings import Settings
from graph.state import Strategy
from knowledge.contraindications import Contraindications, load_contraindications
from knowledge.helplines import Registry, load_registry
from knowledge.protocol_answers import ProtocolAnswers, load_protocol_answers
from knowledge.protocol_texts import ProtocolTexts, load_protocol_texts
from knowledge.reply_parts import load_reply_parts
from knowledge.search import Found, Query
from models.chat import ChatError
from models.encoder import Encoder, SentenceEncoder, Vector, unit
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS, EMOTION_LABELS, INTENTS
from nodes.compose import Composer
from nodes.crisis import CrisisReader
from nodes.crisis_phrases import CrisisPhrases, load_phrases
from nodes.reading import TextReader
from nodes.review.reviewer import Reviewer
from nodes.review.rules import load_review_rules

DIMS: Final = 32
INTENT_FEATURES: Final = DIMS + 5 + 2 * (len(INTENTS) + 1)
"""What `models.features.intent_features` makes of vectors with `DIMS` dimensions."""


def hashed_words(text: str, dims: int = DIMS) -> Vector:
    """Return the unit vector of a bag of hashed words; never zero."""
    vector = np.zeros(dims, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()) or [text]:
        vector[zlib.crc32(word.encode(errors="replace")) % dims] += 1
    return unit(vector)


class FakeSentenceModel:
    """What `SentenceEncoder` uses of a sentence-transformers model, counted.

    A token is up to twelve letters or digits, or one other character.
    """

    def __init__(self, dims: int, max_seq_length: int, error: Exception | None) -> None:
        self.dims, self.max_seq_length, self.error = dims, max_seq_length, error
        self.passes: Counter[str] = Counter()
        self.calls = 0

    def encode(self, texts: list[str], **_: Any) -> Vector:
        if self.error is not None:
            raise self.error
        self.calls += 1
        self.passes.update(texts)
        return np.stack([hashed_words(text, self.dims) for text in texts])

    def tokenizer(self, text: str, **_: Any) -> dict[str, list[tuple[int, int]]]:
        return {"offset_mapping": [m.span() for m in re.finditer(r"\w{1,12}|[^\w\s]", text)]}


class FakeEncoder(SentenceEncoder):
    """The real encoder's windows and cache over a hashed bag of words."""

    def __init__(
        self, *, dims: int = DIMS, max_seq_length: int = 256, error: Exception | None = None
    ) -> None:
        self.fake = FakeSentenceModel(dims, max_seq_length, error)
        self.passes = self.fake.passes
        """How often each text, or window of one, went through the model."""
        super().__init__(cast(Any, self.fake), "fake-encoder")

    @property
    def calls(self) -> int:
        """How often the model was called, with one text or a batch."""
        return self.fake.calls


def fake_head(
    labels: Sequence[str],
    dims: int = DIMS,
    *,
    cues: Mapping[str, str] | None = None,
    lean: str | None = None,
    thresholds: Sequence[float] = (),
) -> LinearHead:
    """Build a head that answers `lean`, unless a text shares the words of a label's cue.

    Without either it has fixed arbitrary weights, so that its answer depends on the text.
    """
    weight = np.zeros((len(labels), dims), dtype=np.float32)
    bias = np.zeros(len(labels), dtype=np.float32)
    if cues is None and lean is None:
        weight = np.random.default_rng(7).normal(0, 3, weight.shape).astype(np.float32)
    for label, words in (cues or {}).items():
        weight[labels.index(label)] = 40 * hashed_words(words, dims)
    if lean is not None:
        bias[labels.index(lean)] = 8
    return LinearHead(tuple(labels), weight, bias, tuple(thresholds))


def fake_crisis_head(cues: Mapping[str, str] | None = None, dims: int = DIMS) -> LinearHead:
    """Build a crisis head that sees danger only in the words of `cues` (level to words)."""
    return fake_head(CRISIS_LEVELS, dims, cues=cues, lean="none", thresholds=(0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Hang:
    """A reply that writes `text` and then nothing until `FakeChat.released` is set."""

    text: str = ""


@dataclass(frozen=True)
class Fail:
    """A reply that writes `text` and then raises."""

    error: BaseException
    text: str = ""


class FakeChat:
    """A chat model with queued replies, streamed in small pieces.

    One call too many raises. Nodes survive any exception of a model, so it is also noted in
    `surplus`, where a fixture of every test looks.
    """

    surplus: ClassVar[list[str]] = []
    name, engine, device = "fake", "openai", "cpu"

    def __init__(self, *replies: str | Hang | Fail, piece: int = 4) -> None:
        self.replies = list(replies)
        self.piece = piece
        self.prompts: list[list[BaseMessage]] = []
        self.options: list[dict[str, float]] = []
        self.released = threading.Event()
        self._lock = threading.Lock()

    @property
    def calls(self) -> int:
        return len(self.prompts)

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def stream(
        self,
        messages: Sequence[BaseMessage],
        *,
        max_new_tokens: int,
        temperature: float,
        timeout: float,
    ) -> Iterator[str]:
        with self._lock:
            self.prompts.append(list(messages))
            self.options.append(
                {"max_new_tokens": max_new_tokens, "temperature": temperature, "timeout": timeout}
            )
            if not self.replies:
                problem = f"FakeChat was called {self.calls} times, which is once too often"
                self.surplus.append(problem)
                raise AssertionError(problem)
            reply = self.replies.pop(0)
        text = reply if isinstance(reply, str) else reply.text
        for start in range(0, len(text), self.piece):
            yield text[start : start + self.piece]
        if isinstance(reply, Fail):
            raise reply.error
        if isinstance(reply, Hang) and not self.released.wait(timeout):
            raise ChatError("the chat model took too long")


GROUNDING: Final[Strategy] = {
    "id": "five-senses",
    "title": "Five senses",
    "text": "You could slowly name five things that you can see around you.",
    "source": "WHO (2020), Doing What Matters in Times of Stress",
    "score": 0.7,
}
WALK: Final[Strategy] = {
    "id": "short-walk",
    "title": "A short walk",
    "text": "You could walk around the block once and notice what you hear.",
    "source": "NHS, Five steps to mental wellbeing",
    "score": 0.6,
}


@dataclass
class FakeStore:
    """Coping strategies in a fixed order; remembers what it was asked."""

    strategies: list[Strategy] = field(default_factory=lambda: [GROUNDING, WALK])
    error: Exception | None = None
    searches: list[tuple[Query, int]] = field(default_factory=list)

    def search(self, query: Query, *, k: int = 3, collection: str = "") -> list[Found]:
        self.searches.append((query, k))
        if self.error is not None:
            raise self.error
        return [
            Found(each, collection or "strategies", each["text"], (), np.zeros(DIMS, np.float32))
            for each in self.strategies
            if each["id"] not in query.exclude
        ][:k]


def fake_settings(**values: Any) -> Settings:
    """Build settings that no file of this machine can change."""
    defaults: dict[str, Any] = {"_env_file": None, "chat_model": "none", "generation_timeout": 5}
    return Settings(**defaults | values)


@cache
def real_contraindications() -> Contraindications:
    return load_contraindications()


@cache
def real_registry() -> Registry:
    return load_registry()


@cache
def real_phrases() -> CrisisPhrases:
    return load_phrases()


@cache
def real_protocol_texts() -> ProtocolTexts:
    return load_protocol_texts()


@cache
def real_protocol_answers() -> ProtocolAnswers:
    return load_protocol_answers()


@cache
def real_composer() -> Composer:
    return Composer(load_reply_parts())


@cache
def real_reviewer() -> Reviewer:
    return Reviewer(load_review_rules(), real_registry())


def fake_reader(encoder: Encoder | None = None, max_chars: int = 20_000) -> TextReader:
    """Build a reader on `encoder`, or on a `FakeEncoder`, that normalises as the real one."""
    return TextReader(encoder or FakeEncoder(), real_phrases().normalise, max_chars)


def fake_perception(**overrides: Any) -> Perception:
    """Build a perception on `FakeEncoder`; `crisis_head` may stand for `crisis_reader`.

    As when loading: without an encoder there is no reader, without a reader no crisis reader.
    """
    encoder = overrides.setdefault("encoder", FakeEncoder())
    reader = overrides.setdefault("reader", fake_reader(encoder) if encoder else None)
    head = overrides.pop("crisis_head", fake_crisis_head())
    whole = Perception(
        encoder=encoder,
        reader=reader,
        emotion_head=fake_head(EMOTION_LABELS),
        intent_head=fake_head(INTENTS, INTENT_FEATURES),
        reply_intent_head=fake_head(INTENTS),
        crisis_reader=CrisisReader(reader, head, real_phrases()) if reader and head else None,
    )
    return replace(whole, **overrides)


def fake_retrieval(encoder: Any) -> Any:
    """Stand for `graph.retrieval.Retrieval` on an encoder that is loaded."""
    return SimpleNamespace(encoder=SimpleNamespace(model=encoder, id=encoder.id), bank=None)


def fake_resources(**overrides: Any) -> Resources:
    """Build resources with the real texts, rules and registry, and fakes for the rest.

    Any field of `Resources` or `Perception` can be given, and `crisis_head`. The chat model
    allows no call unless one with replies is given.
    """
    names = {part.name for part in fields(Perception)} - {"problems"} | {"crisis_head"}
    seen = {name: overrides.pop(name) for name in names & overrides.keys()}
    perception = fake_perception(**seen)
    whole = Resources(
        settings=fake_settings(),
        perception=perception,
        composer=real_composer(),
        reviewer=real_reviewer(),
        registry=real_registry(),
        protocol_texts=real_protocol_texts(),
        protocol_answers=real_protocol_answers(),
        retrieval=fake_retrieval(perception.encoder) if perception.encoder else None,
        contraindications=real_contraindications(),
        store=cast(Any, FakeStore()),
        chat=cast(Any, FakeChat()),
    )
    return replace(whole, **overrides)


def fake_graph(*, checkpointer: Any = None, **overrides: Any) -> Any:
    """Build the graph of `fake_resources`; untyped, so that a test may send it anything."""
    return build_graph(fake_resources(**overrides), checkpointer=checkpointer)
