"""The work behind the commands that take JSON lines: a bad line is answered, the rest goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, convert_to_messages

from graph.resources import Perception, Resources
from graph.session import Session
from graph.settings import Settings
from graph.state import State
from models.encoder import pool
from models.labels import EMOTION_LABELS
from nodes.conversation import Conversation, read_conversation
from nodes.crisis import WINDOW, CheckCrisis
from nodes.emotion import read_emotion
from nodes.intent import predict_intent
from nodes.reading import TextReader
from nodes.review.context import review_context

if TYPE_CHECKING:
    from graph.build import Graph

Record = dict[str, Any]
BATCH = 64
_READ_REPLIES: Final = 2
"""The listener's latest replies, whose intents the prediction of the next one looks at."""

_NO_INTENT: Final[Record] = {"label": "acknowledging", "scores": {}}


class LineError(ValueError):
    """A line is not what the command reads; the message says why, without quoting it."""


def parse(line: str) -> Record:
    """Read one JSON object.

    Raises:
        LineError: it is none.
    """
    try:
        record = json.loads(line)
    except ValueError as exc:
        raise LineError("not JSON") from exc
    if not isinstance(record, dict):
        raise LineError("not a JSON object")
    return record


def each_line(lines: Iterable[str], answer: Callable[[Record], Record]) -> Iterator[Record]:
    """Answer each line in order; a line that cannot be answered gives `error` and `line`."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield answer(parse(line))
        except LineError as exc:
            yield {"error": str(exc), "line": number}


def messages_of(record: Record) -> list[AnyMessage]:
    """Read the conversation of a record: `text`, or `messages` with roles and contents.

    Raises:
        LineError: it has neither, or they are not of the expected form.
    """
    if "text" in record:
        if not isinstance(record["text"], str):
            raise LineError('"text" is not a string')
        return [HumanMessage(record["text"])]
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages:
        raise LineError('neither "text" nor a list of "messages"')
    for message in messages:
        if not (isinstance(message, dict) and isinstance(message.get("content"), str)):
            raise LineError('a message needs "role" and "content", both strings')
    try:
        return list(convert_to_messages(messages))  # type: ignore[arg-type]
    except (ValueError, NotImplementedError, KeyError) as exc:
        raise LineError("a message has an unknown role") from exc


@contextmanager
def all_cores(settings: Settings) -> Iterator[None]:
    """Read a batch on every core, unless the settings say how many threads to use."""
    import torch

    before = torch.get_num_threads()
    if "threads" not in settings.model_fields_set:
        torch.set_num_threads(os.cpu_count() or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def annotate(lines: Iterable[str], seen: Perception) -> Iterator[Record]:
    """Read emotion, intent and danger of each line; texts are encoded in batches.

    The intent is what a good listener would do next; where the last message is the listener's,
    it is what that reply does.
    """
    numbered = enumerate(lines, start=1)
    while chunk := list(islice(numbered, BATCH)):
        parsed: list[tuple[int, Record | None, list[AnyMessage], str]] = []
        for number, line in chunk:
            if not line.strip():
                continue
            try:
                record = parse(line)
                parsed.append((number, record, messages_of(record), ""))
            except LineError as exc:
                parsed.append((number, None, [], str(exc)))
        if seen.reader:
            talks = [read_conversation(messages) for _, _, messages, _ in parsed]
            # One batched pass; the readings below find their vectors in the encoder's cache.
            seen.reader.read_ahead(
                [talk.person for talk in talks if talk.person],
                WINDOW,
                [reply for talk in talks for reply in talk.replies[-_READ_REPLIES:]],
            )
        for number, maybe, messages, error in parsed:
            if maybe is None:
                yield {"error": error, "line": number}
            else:
                yield maybe | read_all(messages, seen)


def read_all(messages: list[AnyMessage], seen: Perception) -> Record:
    """Return the three readings of one conversation, with the scores of every label."""
    talk = read_conversation(messages)
    emotion: Record = {"label": "unknown", "scores": {}}
    intent = _NO_INTENT
    if talk.person and seen.reader and seen.emotion_head:
        emotion = dict(
            read_emotion(seen.reader, seen.emotion_head, talk.person, top=len(EMOTION_LABELS))
        )
    if seen.reader:
        intent = _intent(messages, talk, seen.reader, seen)
    crisis = CheckCrisis(seen.crisis_reader)(State(messages=messages))["crisis"]
    return {"emotion": emotion, "intent": intent, "crisis": crisis}


def _intent(
    messages: list[AnyMessage], talk: Conversation, reader: TextReader, seen: Perception
) -> Record:
    head = seen.reply_intent_head
    done = (
        [head.scores(pool(reader.message(reply).vector)) for reply in talk.replies[-_READ_REPLIES:]]
        if head
        else []
    )
    if messages and isinstance(messages[-1], AIMessage) and talk.replies:
        if not done:
            return _NO_INTENT
        scores = done[-1]
    elif talk.person and seen.intent_head:
        earlier = [next(iter(each)) for each in done]
        scores = predict_intent(reader, seen.intent_head, talk.person, earlier)
    else:
        return _NO_INTENT
    return {"label": next(iter(scores)), "scores": scores}


def review(lines: Iterable[str], resources: Resources) -> Iterator[Record]:
    """Review drafts of any model: `messages` and `reply` in, `passed` and `faults` added."""
    from nodes.review.sentences import split_sentences

    reviewer = resources.reviewer
    if reviewer is None:
        raise RuntimeError("the review rules could not be loaded; see `empathy doctor`")

    def answer(record: Record) -> Record:
        if not isinstance(record.get("reply"), str):
            raise LineError('"reply" is not a string')
        context = review_context(State(messages=messages_of(record)))
        faults = reviewer.review(split_sentences(record["reply"]), context, finished=True)
        return record | {"passed": not faults, "faults": faults}

    return each_line(lines, answer)


def replay(lines: Iterable[str], graph: Graph, country: str) -> Iterator[Record]:
    """Play the user turns of transcripts through the graph, one thread a transcript."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = parse(line)
            turns = _user_turns(record)
        except LineError as exc:
            yield {"error": str(exc), "line": number}
            continue
        session = Session(graph, country=country)
        for index, text in turns:
            turn = session.ask(text)
            level = turn.state["crisis"]["level"]
            yield {
                "id": record.get("id"),
                "turn": index,
                "level": level,
                "route": "escalate" if turn.state["reply_source"] == "protocol" else "support",
                "reply_source": turn.state["reply_source"],
                "reply": turn.reply,
                "ms": round(turn.seconds * 1000, 1),
            }


def _user_turns(record: Record) -> list[tuple[int, str]]:
    turns = record.get("turns")
    if not isinstance(turns, list):
        raise LineError('no list of "turns"')
    for turn in turns:
        if not (isinstance(turn, dict) and isinstance(turn.get("text"), str)):
            raise LineError('a turn needs "role" and "text", both strings')
    return [(i, turn["text"]) for i, turn in enumerate(turns) if turn.get("role") == "user"]
