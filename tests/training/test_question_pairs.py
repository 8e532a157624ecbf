"""The pairs that retrieval learns from: every answer, and nothing that is kept for measuring."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.counselling import lines, row
from training.data import DataError, read_lines
from training.question_pairs import (
    WRITTEN,
    Pair,
    answers,
    bank_questions,
    question_pairs,
    questions,
)

HELD_OUT = {"0", "5", "10"}
LONG = " ".join(f"word{number}" for number in range(200))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return lines(tmp_path / "written.jsonl", [row("3")])


def test_every_fifth_question_is_held_out(counsel_chat: Path) -> None:
    held_out, trained = (questions(counsel_chat, held_out=each) for each in (True, False))

    assert {each.id for each in held_out} == HELD_OUT
    assert {each.id for each in (*held_out, *trained)} == {str(i) for i in range(12)}
    assert trained[0].whole == "Title 1\nQuestion 1"
    assert len(answers(counsel_chat)) == 36


def test_a_held_out_question_is_in_no_pair_and_not_in_the_bank(
    counsel_chat: Path, written: Path
) -> None:
    pairs, bank = question_pairs(counsel_chat, written), bank_questions(counsel_chat, written)

    kept = questions(counsel_chat, held_out=True)
    assert {pair.group for pair in pairs} == {str(i) for i in range(12)} - HELD_OUT
    asked = {pair.question for pair in pairs} | {pair.title for pair in pairs}
    for each in kept:
        assert {each.text, each.title}.isdisjoint(asked)
        assert not any(each.title in question.splitlines() for question in bank)
    # Nor is it learnt what its answers are.
    assert not any(pair.answer.startswith("Answer 5") for pair in pairs)
    assert bank == [
        *(f"Title {i}\nQuestion {i}" for i in range(12) if str(i) not in HELD_OUT),
        "Mine\nMy question",
    ]


def test_a_question_is_paired_with_each_of_its_answers(counsel_chat: Path, written: Path) -> None:
    pairs = [pair for pair in question_pairs(counsel_chat, written) if pair.group == "4"]

    assert pairs == [
        Pair("4", "topic 0", "Question 4", "Answer 4" + " more" * n, "Title 4") for n in range(3)
    ]


def test_a_written_question_is_paired_with_its_longest_answers(
    counsel_chat: Path, written: Path
) -> None:
    pairs = [
        pair for pair in question_pairs(counsel_chat, written) if pair.question.lower()[:2] == "my"
    ]

    assert pairs == [
        Pair("3", "topic 1", "My question", "Answer 3 more more", "Mine"),
        Pair("3", "topic 1", "My question", "Answer 3 more", "Mine"),
        Pair("3", "topic 1", "my message", "Answer 3"),
    ]


@pytest.mark.parametrize("group", [5, "99"], ids=["held out", "unknown"])
def test_a_question_written_for_one_that_is_held_out_or_unknown_is_refused(
    counsel_chat: Path, tmp_path: Path, group: int | str
) -> None:
    written = lines(tmp_path / "w.jsonl", [row("3"), row(group)])

    with pytest.raises(DataError, match=rf"w\.jsonl names a question .* held out .*: {group}"):
        question_pairs(counsel_chat, written)


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"answers\.jsonl\.gz is missing"):
        question_pairs(tmp_path)
    with pytest.raises(DataError, match=r"questions\.jsonl\.gz is missing"):
        bank_questions(tmp_path)


# --- What an epoch shows ------------------------------------------------------------------------


def test_an_epoch_shows_titles_texts_and_parts_and_keeps_the_rest() -> None:
    pair = Pair("1", "sleep", "Text", LONG, "Title")
    varied = [pair.varied(np.random.default_rng(seed), 100) for seed in range(200)]

    shown = [each.question for each in varied]
    assert set(shown) == {"Title\nText", "Text", "Title"}
    assert shown.count("Title\nText") > 80
    assert {(each.group, each.topic, each.title) for each in varied} == {("1", "sleep", "")}
    whole = [each.answer for each in varied if each.answer == LONG]
    parts = [each.answer for each in varied if each.answer != LONG]
    assert 60 < len(whole) < 140
    assert all(LONG.endswith(part) and len(part.split()) > 100 for part in parts)
    assert len(set(parts)) > 20


@pytest.mark.parametrize("words", [1, 130])
def test_a_short_answer_and_a_question_without_title_stay_whole(words: int) -> None:
    pair = Pair("1", "sleep", "Text", " ".join(["word"] * words))

    assert {pair.varied(np.random.default_rng(seed), 100) for seed in range(50)} == {pair}


# --- Our own questions --------------------------------------------------------------------------


def test_our_own_questions_are_whole_and_said_safely() -> None:
    rows = read_lines(WRITTEN)

    assert len(rows) > 250
    assert len({each["group"] for each in rows}) == len(rows)
    for each in rows:
        assert all(each[name].strip() for name in ("title", "text", "chat")), each["group"]
        said = f"{each['title']} {each['text']} {each['chat']}".lower()
        assert "committed suicide" not in said, each["group"]
