from graph.lines import annotate, replay, review
from graph.session import Session
from tests.fakes import fake_graph, fake_perception, fake_resources


def test_annotate_answers_each_line_in_order_and_goes_on_after_a_bad_one() -> None:
    lines = ['{"text": "I want to die", "id": 7}', "not json", '{"text": "hello there"}']

    first, bad, last = annotate(lines, fake_perception())

    assert first["id"] == 7
    assert first["crisis"]["level"] == "high"
    assert bad == {"error": "not JSON", "line": 2}
    assert last["text"] == "hello there"


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
