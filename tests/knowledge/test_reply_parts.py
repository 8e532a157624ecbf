"""The file of reply parts: what is shipped is whole, and a fault is refused by name."""

from pathlib import Path

import pytest

from knowledge.reply_parts import DEFAULT_PATH, ReplyPartError, load_reply_parts
from models.labels import EMOTIONS


def test_every_emotion_has_its_own_words_where_it_should() -> None:
    parts = load_reply_parts()
    assert {e for g in parts.groups.values() for e in g.emotions} == {*EMOTIONS, "unknown"}
    assert parts.group("no such label") is parts.groups["unknown"]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('tone = "glad"', 'tone = "cheerful"', "groups"),
        ("{feeling}.", "{feelings}.", "naming"),
        ('"Tell me more whenever you are ready."', '"tell me more."', "invitations"),
        ('"What had you hoped for?"', '"What? Why?"', "questions"),
        ('emotions = ["lonely"]', 'emotions = ["lonly"]', "emotion"),
        ("[cues]", '[cues]\nextra = ["x"]', "extra"),
        ("\\\\bpanic(?:king", "\\\\bpanic((?:king", "panic"),
        ('lonely = "lonely"', "", "feelings"),
    ],
)
def test_a_faulty_file_is_refused_by_name(tmp_path: Path, old: str, new: str, place: str) -> None:
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "parts.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ReplyPartError, match=place):
        load_reply_parts(file)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplyPartError, match="cannot be read"):
        load_reply_parts(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[[", encoding="utf-8")
    with pytest.raises(ReplyPartError, match="cannot be read"):
        load_reply_parts(broken)
