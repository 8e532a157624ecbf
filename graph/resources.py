"""Loads what the graph needs: models, stores and texts.

A part that cannot be loaded is left out and named in `Resources.problems`; the nodes then follow
their failure row: without the crisis head every message escalates, without the chat model replies
are composed. `empathy doctor` shows the problems.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from graph.environment import quiet_environment
from graph.retrieval import Retrieval
from graph.settings import Settings
from graph.threads import NamedThreads
from handover.audit import AuditLog
from handover.dispatch import Dispatcher, Sink
from knowledge.cards import CardError
from knowledge.contraindications import Contraindications, load_contraindications
from knowledge.helplines import DEFAULT_PATH as HELPLINES_FILE
from knowledge.helplines import Registry, load_registry
from knowledge.protocol_answers import ProtocolAnswers, load_protocol_answers
from knowledge.protocol_texts import ProtocolTexts, load_protocol_texts
from knowledge.reply_parts import load_reply_parts
from models.adapter import load_adapted
from models.encoder import SentenceEncoder, load_encoder
from models.heads import HeadName, LinearHead, load_head
from nodes.compose import Composer
from nodes.crisis import CrisisReader
from nodes.crisis_phrases import load_phrases
from nodes.reading import TextReader
from nodes.review.reviewer import Reviewer
from nodes.review.rules import load_review_rules

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from knowledge.search import SearchCollection
    from knowledge.store import Store
    from models.chat import ChatModel

logger = logging.getLogger(__name__)

Part = TypeVar("Part")


@dataclass(frozen=True)
class Perception:
    """The encoder and what reads from it."""

    encoder: SentenceEncoder | None
    """The plain encoder."""
    reader: TextReader | None
    """Texts as the heads read them, through the encoder with its adapter."""
    emotion_head: LinearHead | None
    intent_head: LinearHead | None
    reply_intent_head: LinearHead | None
    crisis_reader: CrisisReader | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resources:
    """Everything a graph is bound to when it is built."""

    settings: Settings
    perception: Perception
    composer: Composer
    reviewer: Reviewer | None = None
    registry: Registry | None = None
    protocol_texts: ProtocolTexts | None = None
    protocol_answers: ProtocolAnswers | None = None
    retrieval: Retrieval | None = None
    contraindications: Contraindications | None = None
    store: Store | None = None
    chat: ChatModel | None = None
    dispatcher: Dispatcher | None = None
    """Tells people of escalations; none where no sink is set."""
    threads: BaseCheckpointSaver[Any] | None = field(default_factory=NamedThreads)
    problems: tuple[str, ...] = ()


class _Loader:
    """Loads parts one by one and remembers what went wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def __call__(self, name: str, load: Callable[[], Part]) -> Part | None:
        try:
            return load()
        # Whatever is wrong with one part, the others still give a safe reply.
        except Exception as exc:
            self.problems.append(f"{name}: {exc}")
            logger.error("%s could not be loaded: %s", name, exc)
            return None


def load_resources(settings: Settings | None = None, *, progress: bool = False) -> Resources:
    """Load everything that `settings` ask for.

    Args:
        settings: read from the environment when left out.
        progress: show bars for slow steps (building the index, converting weights).
    """
    settings = settings or Settings()
    perception = load_perception(settings)
    load = _Loader()
    retrieval = load("retrieval adapter", lambda: load_retrieval(settings, perception))
    registry = load("helplines", lambda: load_registry(settings.helplines_file or HELPLINES_FILE))
    rules = load("review rules", load_review_rules)

    def open_chat() -> ChatModel | None:
        from models.chat import load_chat

        return load_chat(settings, progress=progress)

    return Resources(
        settings=settings,
        perception=perception,
        composer=Composer(load_reply_parts()),
        reviewer=Reviewer(rules, registry) if rules else None,
        registry=registry,
        protocol_texts=load("protocol texts", load_protocol_texts),
        protocol_answers=load("protocol answers", load_protocol_answers),
        retrieval=retrieval,
        contraindications=load("contraindications", load_contraindications),
        store=load_store(settings, retrieval, load, progress=progress),
        chat=load("chat model", open_chat),
        dispatcher=_open_dispatcher(settings, load),
        problems=(*perception.problems, *load.problems),
    )


def load_retrieval(settings: Settings, perception: Perception) -> Retrieval | None:
    """Load the encoder for retrieval, on the plain one that is loaded already.

    Raises:
        WeightsError: the adapter or the bank of questions is missing or damaged.
    """
    if perception.encoder is None:
        return None
    retrieval = Retrieval.of(settings, perception.encoder)
    # At the start, not in the first person's turn.
    _ = retrieval.encoder.model
    return retrieval


def _open_dispatcher(settings: Settings, load: _Loader) -> Dispatcher | None:
    """Open the sinks of escalation events; one that cannot be opened is named, the rest work."""

    def webhook() -> Sink:
        from handover.webhook import Webhook

        secret = settings.webhook_secret.get_secret_value()
        return Webhook(settings.webhook_url, secret, settings.data_dir / "webhook_outbox.db")

    opened = [
        load("audit log", lambda: AuditLog(settings.data_dir / "escalations.jsonl"))
        if settings.audit
        else None,
        load("webhook", webhook) if settings.webhook_url else None,
    ]
    sinks = [sink for sink in opened if sink is not None]
    if not sinks:
        return None
    dispatcher = Dispatcher(sinks)
    atexit.register(dispatcher.close)
    return dispatcher


def load_perception(settings: Settings) -> Perception:
    """Load the encoder and the heads only."""
    quiet_environment(settings)
    load = _Loader()
    device = None if settings.device == "auto" else settings.device
    encoder = load("encoder", lambda: load_encoder(settings.encoder, device=device))

    phrases = load("crisis phrases", load_phrases)
    adapted = encoder and load("adapter", lambda: load_adapted(encoder, settings.weights_dir))

    def head(name: HeadName) -> LinearHead | None:
        if adapted is None:
            return None
        return load(f"{name} head", lambda: load_head(name, adapted.id, settings.weights_dir))

    reader = None
    if adapted and phrases:
        reader = TextReader(adapted, phrases.normalise, settings.max_message_chars)
    crisis_head = head("crisis")
    return Perception(
        encoder=encoder,
        reader=reader,
        emotion_head=head("emotion"),
        intent_head=head("intent"),
        reply_intent_head=head("reply_intent"),
        crisis_reader=CrisisReader(reader, crisis_head, phrases)
        if reader and crisis_head and phrases
        else None,
        problems=tuple(load.problems),
    )


def load_store(
    settings: Settings,
    retrieval: Retrieval | None,
    load: _Loader | None = None,
    *,
    progress: bool = False,
) -> Store | None:
    """Open the collections that `settings` name, building the index of one that has none."""
    if retrieval is None:
        return None
    load = load or _Loader()
    from knowledge.store import Store

    def left_out(error: CardError) -> None:
        load.problems.append(f"strategies: left out: {error}")
        logger.error("a card is left out: %s", error)

    def opening(name: str, weight: float) -> Callable[[], SearchCollection]:
        return lambda: retrieval.open(name, weight=weight, progress=progress, left_out=left_out)

    opened = [load(name, opening(name, weight)) for name, weight in settings.collections.items()]
    found = [each for each in opened if each is not None]
    return Store(found) if found else None
