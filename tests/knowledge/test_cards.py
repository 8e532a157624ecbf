import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.cards import (
    DEFAULT_FOLDER,
    CardError,
    content_hash,
    load_card,
    load_cards,
    load_valid_cards,
    parse_card,
)
from tests.knowledge.fakes import CARD_TEXT, make_card, write_card


def test_every_shipped_card_is_valid() -> None:
    cards = load_cards()
    assert len(cards) == len(list(DEFAULT_FOLDER.glob("*.md"))) > 0
    assert [card.id for card in cards] == sorted(card.id for card in cards)


def test_a_card_is_read_whole(tmp_path: Path) -> None:
    card = load_card(write_card(tmp_path, "grounding"))
    assert card.id == "grounding"
    assert card.emotions == ("anxious", "afraid")
    assert card.technique == "grounding"
    assert card.source.endswith(": Grounding")
    assert card.body == "It brings attention back to the present."
    assert card.documents == (
        "Ground yourself. You could slowly name five things that you can see.",
        "My heart is racing and I can't calm down",
        "Everything feels unreal",
        "I keep spiralling",
    )


@pytest.mark.parametrize("encode", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_files_of_other_editors_are_read(tmp_path: Path, encode: object) -> None:
    path = write_card(tmp_path, "grounding")
    assert callable(encode)
    path.write_bytes(encode(path.read_text()).encode())
    assert load_card(path).id == "grounding"


@pytest.mark.parametrize(
    ("old", "new", "field", "line", "problem"),
    [
        ("[anxious, afraid]", "[anxious, panicked]", "emotions.1", 4, "'panicked' is not one of"),
        ("[anxious, afraid]", "[]", "emotions", 4, "at least 1"),
        ("[anxious, afraid]", "anxious", "emotions", 4, "tuple"),
        ("[anxiety]", "[no]", "topics.0", 5, "valid string"),
        ("technique: grounding", "technique: hypnosis", "technique", 6, "'breathing'"),
        ("technique: grounding\n", "", "technique", 0, "required"),
        ("evidence: moderate", "evidence: weak", "evidence", 19, "'strong'"),
        ("title: Ground yourself\n", "", "title", 0, "required"),
        ("title: Ground yourself", "title: ' '", "title", 3, "at least 1"),
        ("topics:", "topic:", "topics", 0, "(also wrong: topic)"),
        ("evidence:", "mood: x\nevidence:", "mood", 19, "not permitted"),
        ("topics:", "title: again\ntopics:", "title", 5, "given twice"),
        ("topics:", "body: again\ntopics:", "body", 5, "below the front matter"),
        ("topics:", "3: again\ntopics:", "", 5, "not a word"),
        ("  - I keep spiralling\n", "", "situations", 7, "at least 3"),
        ("id: {id}", "id: Other", "id", 2, "pattern"),
        ("id: {id}", "id: other", "id", 0, "file's name"),
        ("that you can see.", "that you can see?", "short", 15, "question"),
        ("that you can see.", "word " * 45, "short", 15, "51 words"),
        ("that you can see.", "or call +1 (555) 010-0199.", "short", 15, "phone number"),
        ("name five things.", "read www.example.org.", "steps.0", 11, "web address"),
        ("title: Ground yourself", "title: [Ground", "", 4, "invalid YAML"),
        ("title: Ground yourself", "title: Ground: yourself", "", 3, "invalid YAML"),
        ("title: Ground yourself", "title: 2020-13-45", "", 0, "invalid YAML: ValueError"),
        ("title: Ground yourself", "title: !!python/object:os.x {}", "", 3, "invalid YAML"),
        ("title: Ground yourself", "title: " + "[" * 50_000, "", 3, "nested too deeply"),
        ("It brings attention back to the present.", "", "body", 0, "at least 1"),
        ("---\nid", "id", "", 0, "front matter"),
    ],
)
def test_a_broken_card_names_file_line_and_field(
    tmp_path: Path, old: str, new: str, field: str, line: int, problem: str
) -> None:
    path = write_card(tmp_path, "grounding", old, new)
    with pytest.raises(CardError, match=re.escape(problem)) as caught:
        load_card(path)
    error = caught.value
    assert (error.path, error.field, error.line) == (path, field, line)
    assert str(path) in str(error)
    assert not line or f"line {line}" in str(error)


def test_numbers_of_an_exercise_are_no_phone_number() -> None:
    short = "You could breathe in 4-7-8 time, or count down from 100 by 7."
    assert make_card("counting", short=short).short == short


@pytest.mark.parametrize("text", ["", "# Title\n", "---\n- a\n- b\n---\nbody\n", "---\n---\nbody"])
def test_text_that_is_no_card(text: str) -> None:
    with pytest.raises(CardError, match="front matter"):
        parse_card(text, Path("x.md"))


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200))
def test_no_front_matter_gets_past_the_card_error(text: str) -> None:
    with pytest.raises(CardError):
        parse_card(f"---\n{text}\n---\nbody", Path("x.md"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(CARD_TEXT.replace("five", "\xe9").encode("latin-1"))
    with pytest.raises(CardError, match="UTF-8"):
        load_card(tmp_path / "latin.md")
    with pytest.raises(CardError, match="No such file"):
        load_card(tmp_path / "gone.md")


def test_one_bad_card_does_not_take_the_others_down(tmp_path: Path) -> None:
    for card_id in ("b-card", "a-card"):
        write_card(tmp_path, card_id)
    bad = write_card(tmp_path, "c-card", "evidence: moderate", "evidence: none")
    (tmp_path / ".draft.md").write_text("left behind")
    cards, errors = load_valid_cards(tmp_path)
    assert [card.id for card in cards] == ["a-card", "b-card"]
    assert [error.path for error in errors] == [bad]
    with pytest.raises(CardError, match="c-card"):
        load_cards(tmp_path)


def test_a_later_folder_wins(tmp_path: Path) -> None:
    write_card(tmp_path / "ours", "one")
    write_card(tmp_path / "ours", "two")
    write_card(tmp_path / "own", "two", "Ground yourself", "My own way")
    cards, errors = load_valid_cards(tmp_path / "ours", tmp_path / "own")
    assert [(card.id, card.title) for card in cards] == [
        ("one", "Ground yourself"),
        ("two", "My own way"),
    ]
    assert errors == []


def test_a_folder_without_cards_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="holds no cards"):
        load_cards(tmp_path)
    with pytest.raises(CardError, match="not a folder"):
        load_cards(tmp_path / "nowhere")


def test_the_hash_follows_content_and_not_order() -> None:
    one, two = make_card("one"), make_card("two")
    assert content_hash([one, two]) == content_hash([two, one])
    assert content_hash([one, two]) != content_hash([one])
    assert content_hash([one]) != content_hash([make_card("one", when_not=["Never."])])


def test_cards_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(make_card("one"), "title", "other")  # noqa: B010
