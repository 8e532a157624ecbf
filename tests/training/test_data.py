import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from models.labels import CRISIS_LEVELS
from training import data, public_data
from training.data import (
    DataError,
    crisis_examples,
    data_folder,
    dialogues,
    labelled_replies,
    neutral_examples,
    read_lines,
    sdcnl,
)


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def turn(role: str, text: str, label: str | None) -> dict[str, str | None]:
    return {"role": role, "text": text, "label": label}


def never(*_: object, **__: object) -> Path:
    raise AssertionError("downloads although the data is there")


def test_the_named_folder_is_used_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPATHY_TRAINING_DATA", str(tmp_path))
    monkeypatch.setattr(public_data, "fetch_public_data", never)
    assert data_folder() == tmp_path


def test_the_folder_beside_the_checkout_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "DEFAULT_FOLDER", tmp_path)
    monkeypatch.setattr(public_data, "fetch_public_data", never)
    assert data_folder() == tmp_path


@pytest.mark.parametrize("named", [True, False])
def test_without_a_folder_the_public_sets_are_fetched_into_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(data, "PUBLIC_FOLDER", cache)
    monkeypatch.setattr(data, "DEFAULT_FOLDER", tmp_path / "absent")
    if named:
        monkeypatch.setenv("EMPATHY_TRAINING_DATA", str(tmp_path / "absent too"))
    fetched: list[Path] = []

    def fetch(folder: Path) -> Path:
        fetched.append(folder)
        return folder

    monkeypatch.setattr(public_data, "fetch_public_data", fetch)
    assert data_folder() == cache
    assert fetched == [cache]


def test_a_missing_file_and_a_damaged_one_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        read_lines(tmp_path / "none.jsonl")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="not JSON lines"):
        read_lines(bad)


def test_each_message_is_a_point_and_a_missing_label_breaks_nothing(tmp_path: Path) -> None:
    row = {
        "id": "1",
        "emotion": "sad",
        "situation": "My cat ran away.",
        "turns": [
            turn("speaker", "My cat ran away.", None),
            turn("listener", "Oh no.", None),
            turn("speaker", "Yes.", "agreeing"),
            turn("listener", "When was that?", "questioning"),
        ],
    }
    write(tmp_path / "empathetic_dialogues" / "train.jsonl.gz", row)
    [talk] = dialogues(tmp_path, "train")
    assert talk.speaker == ["My cat ran away.", "Yes."]
    assert list(talk.points()) == [
        (["My cat ran away."], [], ""),
        (["My cat ran away.", "Yes."], [""], "questioning"),
    ]


def test_the_last_message_is_a_point_that_nothing_follows() -> None:
    talk = data.Dialogue(
        "sad",
        "My cat ran away.",
        (
            ("speaker", "My cat ran away.", "sad"),
            ("listener", "Oh no.", "sympathizing"),
            ("speaker", "She is old,", "sad"),
            ("speaker", "and half blind.", ""),
        ),
    )
    one, two, three = talk.points()
    assert one == (["My cat ran away."], [], "sympathizing")
    # Another message of the person follows, whose label is no intent of a listener.
    assert two == (["My cat ran away.", "She is old,"], ["sympathizing"], "")
    assert three == ([*two[0], "and half blind."], ["sympathizing"], "")


def test_only_intents_are_read_as_labelled_replies(tmp_path: Path) -> None:
    write(
        tmp_path / "empathetic_intents" / "valid.jsonl.gz",
        {"text": "Why?", "label": "questioning"},
        {"text": "I lost my keys.", "label": "annoyed"},
    )
    assert labelled_replies(tmp_path, "valid") == [("Why?", "questioning")]


def test_sdcnl_gives_texts_and_booleans(tmp_path: Path) -> None:
    write(
        tmp_path / "crisis" / "sdcnl_train.jsonl.gz",
        {"text": "one", "suicide": 1},
        {"text": "two", "suicide": 0},
    )
    found = sdcnl(tmp_path)
    assert found == [("one", True), ("two", False)]
    assert all(type(label) is bool for _, label in found)


def test_every_fifth_post_of_sdcnl_is_held_out(tmp_path: Path) -> None:
    path = tmp_path / "crisis" / "sdcnl_train.jsonl.gz"
    write(path, *({"text": str(i), "suicide": i % 2} for i in range(12)))

    held = [text for text, _ in sdcnl(tmp_path, held_out=True)]

    assert held == ["4", "9"]
    assert [t for t, _ in sdcnl(tmp_path)] == [str(i) for i in range(12) if str(i) not in held]


def test_neutral_examples_need_no_level(tmp_path: Path) -> None:
    path = write(tmp_path / "calm.jsonl", {"text": "brb", "kind": "logistics"})
    assert neutral_examples(path) == ["brb"]


def test_crisis_examples_join_the_files_beside_and_drop_exact_duplicates(tmp_path: Path) -> None:
    first = write(
        tmp_path / "crisis_chat.jsonl",
        {"text": "hello", "level": "none"},
        {"text": "I'd rather not be here", "level": "concern"},
    )
    write(
        tmp_path / "crisis_hard_negatives.jsonl",
        {"text": "hello", "level": "none", "kind": "greeting"},
        {"text": "that joke killed me", "level": "none", "kind": "idiom"},
    )
    write(tmp_path / "distress_safe.jsonl", {"text": "the exam broke me", "level": "none"})
    write(tmp_path / "unrelated.jsonl", {"text": "not read", "level": "none"})
    assert crisis_examples(first) == [
        ("hello", "none"),
        ("I'd rather not be here", "concern"),
        ("that joke killed me", "none"),
        ("the exam broke me", "none"),
    ]


def test_crisis_examples_need_the_first_file(tmp_path: Path) -> None:
    write(tmp_path / "distress_safe.jsonl", {"text": "the exam broke me", "level": "none"})
    with pytest.raises(DataError, match=r"crisis_chat\.jsonl is missing"):
        crisis_examples(tmp_path / "crisis_chat.jsonl")


def test_our_own_examples_cover_every_level_without_a_duplicate() -> None:
    found = crisis_examples()
    assert {level for _, level in found} == set(CRISIS_LEVELS)
    assert len(found) == len(set(found))
