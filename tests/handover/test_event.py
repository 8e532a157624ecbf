import re
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from handover.event import EscalationEvent
from tests.handover.receiver import WORDS, escalation


def test_every_event_has_an_id_of_its_own_and_the_time_in_utc():
    first, second = escalation(), escalation()
    assert re.fullmatch("[0-9a-f]{32}", first.id)
    assert first.id != second.id
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.time)
    age = datetime.now(UTC) - datetime.fromisoformat(first.time)
    assert timedelta(seconds=-1) < age < timedelta(minutes=1)


def test_what_was_written_is_not_in_it_unless_asked_for():
    assert escalation().text is None
    assert escalation(text=WORDS).text == WORDS


@pytest.mark.parametrize("show", [repr, str])
def test_what_was_written_is_not_shown_where_the_event_is(show):
    shown = show(escalation(text=WORDS))
    assert "zanzibar" not in shown
    assert "active thoughts" in shown


def test_what_was_written_is_not_quoted_by_an_error():
    with pytest.raises(ValidationError) as caught:
        escalation(text=[WORDS])
    assert "zanzibar" not in str(caught.value)


def test_it_cannot_be_changed():
    with pytest.raises(ValidationError):
        escalation().level = "none"


@pytest.mark.parametrize("wrong", [{"level": "mild"}, {"name": "Asha"}, {"score": "much"}])
def test_unknown_levels_and_fields_are_refused(wrong):
    with pytest.raises(ValidationError):
        escalation(**wrong)


@pytest.mark.parametrize(
    "text", ["two\nlines", "नमस्ते", "half an emoji \ud83d", "line\u2028separator", '"quoted"', ""]
)
def test_it_reads_back_from_one_line_of_json(text):
    event = escalation(text=text, thread=text)
    line = event.model_dump_json()
    assert "\n" not in line
    line.encode()
    assert EscalationEvent.model_validate_json(line) == event


def test_a_score_that_is_no_number_reads_back():
    line = escalation(score=float("nan")).model_dump_json()
    assert EscalationEvent.model_validate_json(line).score != 0.9
