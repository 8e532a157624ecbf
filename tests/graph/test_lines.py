"""The commands over JSON lines: a bad line is answered, and texts are encoded together."""

import json
from typing import Any

import pytest

from graph.lines import BATCH, annotate, replay, review
from graph.session import Session
from models.labels import EMOTION_LABELS, INTENTS
from tests.fakes import FakeEncoder, fake_graph, fake_head, fake_perception, fake_resources


def test_annotate_answers_each_line_in_order_and_goes_on_after_a_bad_one() -> None:
    lines = ['{"text": "I want to die", "id": 7}', "not json", '{"text": "hello there"}']

    first, bad, last = annotate(lines, fake_perception())

    assert first["id"] == 7
    assert first["crisis"]["level"] == "high"
    assert bad == {"error": "not JSON", "line": 2}
    assert last["text"] == "hello there"


def test_annotate_gives_the_scores_of_every_label() -> None:
    [read] = annotate(['{"text": "nobody calls me"}'], fake_perception())

    assert set(read["emotion"]["scores"]) == set(EMOTION_LABELS)
    assert set(read["intent"]["scores"]) == set(INTENTS)
    assert read["emotion"]["label"] == next(iter(read["emotion"]["scores"]))
    assert read["intent"]["label"] == next(iter(read["intent"]["scores"]))


@pytest.mark.parametrize(("lines", "calls"), [(1, 1), (BATCH, 1), (BATCH + 1, 2)])
def test_annotate_encodes_a_chunk_of_lines_in_one_call(lines: int, calls: int) -> None:
    encoder = FakeEncoder()
    texts = [f"this is what happened on day {number}" for number in range(lines)]
    talk = {"messages": [{"role": "user", "content": text} for text in texts[:9]]}
    records = [*({"text": text} for text in texts[1:]), talk]

    read = list(annotate(map(json.dumps, records), fake_perception(encoder=encoder)))

    assert all(each["crisis"]["level"] == "none" for each in read)
    assert encoder.calls == calls
    assert set(encoder.passes.values()) == {1}


def test_annotate_reads_what_a_reply_does_where_the_listener_spoke_last() -> None:
    messages: list[dict[str, str]] = [
        {"role": "user", "content": "nobody calls me"},
        {"role": "assistant", "content": "Since when is that?"},
    ]
    encoder = FakeEncoder()
    seen = fake_perception(encoder=encoder, intent_head=None)

    [after] = annotate([json.dumps({"messages": messages})], seen)
    # The reply is encoded with the rest, not on its own.
    assert encoder.calls == 1
    [before] = annotate([json.dumps({"messages": messages[:1]})], seen)

    assert set(after["intent"]["scores"]) == set(INTENTS)
    assert before["intent"] == {"label": "acknowledging", "scores": {}}
    assert after["emotion"] == before["emotion"]


def test_what_the_listener_did_before_reaches_the_next_intent() -> None:
    said = [
        {"role": "user", "content": "nobody calls me"},
        {"role": "assistant", "content": "Since when is that?"},
        {"role": "user", "content": "since may"},
    ]
    line = json.dumps({"messages": said})

    def scores(doing: str | None) -> dict[str, float]:
        head = fake_head(INTENTS, lean=doing) if doing else None
        [read] = annotate([line], fake_perception(reply_intent_head=head))
        return dict(read["intent"]["scores"])

    assert scores("questioning") != scores("wishing")
    assert set(scores(None)) == set(INTENTS)


@pytest.mark.parametrize("missing", ["encoder", "reader"])
def test_annotate_without_a_reader_claims_nothing(missing: str) -> None:
    parts: dict[str, Any] = {missing: None}

    [read] = annotate(['{"text": "hello there"}'], fake_perception(**parts))

    assert read["emotion"] == {"label": "unknown", "scores": {}}
    assert read["intent"]["scores"] == {}
    assert read["crisis"]["level"] == "unknown"


def test_review_passes_good_and_stops_bad_drafts() -> None:
    line = '{"messages": [{"role": "user", "content": "I lost my job"}], "reply": "%s"}'
    [bad] = review([line % "You have depression."], fake_resources())

    assert not bad["passed"]
    assert bad["faults"][0]["name"]


def test_replay_escalates_and_names_the_turn() -> None:
    lines = ['{"id": "a", "turns": [{"role": "user", "text": "I want to kill myself"}]}', "[]"]

    played, bad = replay(lines, fake_graph(), "NP")

    assert (played["id"], played["turn"], played["route"]) == ("a", 0, "escalate")
    assert bad == {"error": "not a JSON object", "line": 2}


def test_a_session_gives_the_reply_in_the_end() -> None:
    turn = Session(fake_graph()).ask("I want to kill myself")

    assert turn.public()["reply_source"] == "protocol"
    assert turn.reply
