"""How answers to the crisis protocol are read: help that is denied must never read as reached."""

import re
import tomllib
from pathlib import Path

import pytest

from knowledge.protocol_answers import (
    ANY,
    DEFAULT_PATH,
    Answer,
    ProtocolAnswerError,
    load_protocol_answers,
)
from knowledge.protocol_texts import Audience

ANSWERS = load_protocol_answers()
DATA = tomllib.loads(
    Path(__file__).with_name("data").joinpath("answers_said.toml").read_text(encoding="utf-8")
)
KINDS: dict[Audience, dict[str, list[str]]] = DATA.pop("barriers")
SAID: dict[Answer, list[str]] = DATA


def test_the_examples_in_the_file_are_read_as_their_answer() -> None:
    data = tomllib.loads(DEFAULT_PATH.read_text(encoding="utf-8"))
    for answer in ("reached", "refuses", "safe"):
        assert len(data[answer]["examples"]) >= 3
        for example in data[answer]["examples"]:
            assert ANSWERS.read(example) == answer, example


@pytest.mark.parametrize("answer", SAID)
def test_nine_answers_in_ten_are_read_right(answer: Answer) -> None:
    said = SAID[answer]
    assert len(set(said)) >= 25
    wrong = {each: ANSWERS.read(each) for each in said if ANSWERS.read(each) != answer}
    assert len(wrong) <= len(said) / 10, wrong


def test_nothing_else_is_read_as_reached_or_safe() -> None:
    # These two let the protocol go on to milder steps; the others only choose what is said.
    for answer, said in SAID.items():
        for each in said:
            assert ANSWERS.read(each) in (answer, "other", "refuses"), each
            assert ANSWERS.read(each.replace("'", "’").upper()) == ANSWERS.read(each), each


@pytest.mark.parametrize("end", [". She isn't coming", ". no answer", "\nit went to voicemail"])
def test_a_later_sentence_takes_back_that_help_was_reached(end: str) -> None:
    assert ANSWERS.read("I called my sister") == "reached"
    assert ANSWERS.read(f"I called my sister{end}") != "reached"


def test_what_was_reached_counts_before_the_doubts_beside_it() -> None:
    assert ANSWERS.read("I won't call the line. But my mum is here now.") == "reached"
    assert ANSWERS.read("I'm safe now. I won't call anyone.") == "refuses"


@pytest.mark.parametrize("audience", ["self", "other"])
def test_what_stands_in_the_way_is_read_by_its_kind(audience: Audience) -> None:
    assert list(KINDS[audience]) == ANSWERS.kinds(audience)
    for kind, said in KINDS[audience].items():
        assert len(said) >= 3
        assert {each: ANSWERS.barrier(each, audience) for each in said} == dict.fromkeys(said, kind)


@pytest.mark.parametrize("message", ["", "   ", "it hurts", "no", "i feel so empty", "!?\n.", "🙂"])
def test_what_says_nothing_of_help_is_another_answer(message: str) -> None:
    assert ANSWERS.read(message) == "other"
    assert ANSWERS.barrier(message, "self") == ANSWERS.barrier(message, "other") == ANY


def test_a_very_long_message_is_read_in_time() -> None:
    # Patterns that try every way to split the words would take hours here, and time out.
    assert ANSWERS.read("i called my very very " * 5_000) == "other"
    assert ANSWERS.read("they told him i tried " * 5_000 + ". My mum is here.") == "reached"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("[reached]", "[reached", "at line"),
        ("[reached]", "[arrived]", "reached"),
        ("[refuses]\n", "[refuses]\nalways = 1\n", r"refuses\.always"),
        ("[barriers.self]", "[barriers.mine]", r"barriers\.mine"),
        ('"i put it away"', '""', r"safe\.examples"),
        ('patterns = [\n  "', 'patterns = [\n  "(', "bad pattern"),
        ('patterns = [\n  "', 'patterns = [\n  "%everyone%', "bad pattern: .*everyone"),
        ('they = ["', 'they = ["%they%", "', "bad pattern"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    source = DEFAULT_PATH.read_text(encoding="utf-8")
    assert right in source
    path = tmp_path / "mine.toml"
    path.write_text(source.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(ProtocolAnswerError, match=r"^mine\.toml: ") as caught:
        load_protocol_answers(path)
    assert re.search(told, str(caught.value))


def test_a_missing_file_or_one_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProtocolAnswerError, match=r"none\.toml"):
        load_protocol_answers(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'x = "\xe9"')
    with pytest.raises(ProtocolAnswerError, match=r"latin\.toml"):
        load_protocol_answers(tmp_path / "latin.toml")
