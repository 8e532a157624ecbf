import csv
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from models.labels import EMOTIONS
from training.data import (
    DataError,
    counselling_questions,
    dialogues,
    labelled_replies,
    read_lines,
    sdcnl,
)
from training.public_data import fetch_public_data
from training.public_sets import SETS, PublicSet

TALK = "hit:1_conv:2"


def table(*rows: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def archive() -> bytes:
    header = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n"
    train = (
        f"{TALK},2,sad,My cat ran away_comma_ again.,8,Oh no_comma_ when?,5|5|5_2|2|5,\n"
        f'{TALK},1,sad,My cat ran away_comma_ again.,7,"Tom ran away.,5|5|5_2|2|5,\n'
        f"{TALK},3,sad,My cat ran away_comma_ again.,7,Today.,5|5|5_2|2|5,\n"
        f"{TALK},4,sad,My cat ran away_comma_ again.,8,I see.,5|5|5_2|2|5,\n"
    )
    valid = "hit:3_conv:4,1,proud,I won.,9,I won!,5|5|5_2|2|5,\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in (("train", train), ("valid", valid), ("test", valid)):
            body = (header + text).encode()
            member = tarfile.TarInfo(f"empatheticdialogues/{name}.csv")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return packed.getvalue()


ANNOTATED = ["Dialog_ID", "Type", "Actor", "Text", "Label"]
FILES: dict[str, bytes] = {
    **{f"{emotion}.csv": table(ANNOTATED) for emotion in EMOTIONS},
    "sad.csv": table(
        ANNOTATED,
        [TALK, "situation", "none", "My cat ran away, again.", "devastated"],
        [TALK, "utterance", "speaker", "Tom ran away.", "sad"],
        [TALK, "utterance", "listener", "Oh no, when?", "questioning"],
        [TALK, "utterance", "listener", "These words are nowhere else", "consoling"],
    ),
    "train.txt": b"38 <SEP> why?\n40 <SEP> it is a cat. \n0 <SEP> I heard a noise\n",
    "valid.txt": b"39 <SEP> good luck!\n",
    "empatheticdialogues.tar.gz": archive(),
    "counsel_chat.csv": table(
        ",questionID,questionTitle,questionText,questionLink,topic,therapistInfo,therapistURL,"
        "answerText,upvotes,views,split".split(","),
        ["0", "7", "Why?", "I can't\nsleep", "a/1", "sleep", "x", "y", "Rest.", "2", "9", "train"],
        ["1", "7", "Why?", "I can't\nsleep", "a/1", "sleep", "x", "y", "Walk.", "0", "9", "train"],
    ),
    "training-set.csv": table(
        ["", "title", "selftext", "author", "is_suicide"],
        ["339", "Tired", "So tired.\nReally.", "somebody", "0"],
        ["340", "Done", "", "somebody else", "1"],
    ),
    "users.csv": table(
        ["User", "Post", "Label"],
        ["user-0", repr(["one, two", "it's"]), "Supportive"],
        ["user-1", repr(["x" * 200_000]), "Indicator"],
    ),
}


class Shop:
    """Serves the files above instead of the network, except those that are out."""

    def __init__(self, *out: str) -> None:
        self.out = set(out)
        self.served: list[str] = []

    def __call__(self, url: str, path: Path, *, progress: bool = True) -> None:
        assert not progress
        if path.name in self.out:
            raise DataError(f"{url} cannot be downloaded: no network")
        self.served.append(path.name)
        path.write_bytes(FILES[path.name])


def small(each: PublicSet) -> PublicSet:
    """The real set, but content with a few rows and with this file's archive."""
    sums = {name: hashlib.sha256(FILES[name]).hexdigest() for name in each.sha256}
    return replace(each, outputs=dict.fromkeys(each.outputs, 1), sha256=sums)


SMALL = [small(each) for each in SETS]


def fetch(folder: Path, shop: Shop) -> Path:
    return fetch_public_data(folder, progress=False, sets=SMALL, fetch=shop)


def labels(folder: Path) -> list[tuple[str, str, str]]:
    return list(dialogues(folder, "train")[0].turns)


def test_the_sets_read_back_through_the_readers(tmp_path: Path) -> None:
    folder = fetch(tmp_path / "data", Shop())
    [talk] = dialogues(folder, "train")
    assert (talk.emotion, talk.situation) == ("sad", "My cat ran away, again.")
    assert talk.turns == (
        ("speaker", '"Tom ran away.', "sad"),
        ("listener", "Oh no, when?", "questioning"),
        ("speaker", "Today.", ""),
        ("listener", "I see.", ""),
    )
    assert [talk.emotion for talk in dialogues(folder, "valid")] == ["proud"]
    assert labelled_replies(folder, "train") == [
        ("why?", "questioning"),
        ("it is a cat.", "neutral"),
    ]
    assert labelled_replies(folder, "valid") == [("good luck!", "wishing")]
    assert counselling_questions(folder) == [("Why? I can't\nsleep", "sleep")]
    assert sdcnl(folder) == [("Tired\nSo tired.\nReally.", False), ("Done", True)]
    answers = read_lines(folder / "counsel_chat" / "answers.jsonl.gz")
    assert [(row["id"], row["question_id"], row["upvotes"]) for row in answers] == [
        ("7-0", "7", 2),
        ("7-1", "7", 0),
    ]
    users = read_lines(folder / "crisis" / "cssrs_users.jsonl.gz")
    assert users[0] == {"id": "user-0", "posts": ["one, two", "it's"], "label": "Supportive"}


def test_an_unlabelled_turn_is_null_in_the_file(tmp_path: Path) -> None:
    folder = fetch(tmp_path, Shop())
    [row] = read_lines(folder / "empathetic_dialogues" / "train.jsonl.gz")
    assert [turn["label"] for turn in row["turns"]] == ["sad", "questioning", None, None]


def test_the_test_splits_are_not_kept(tmp_path: Path) -> None:
    fetch(tmp_path, Shop())
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert names == {name for each in SMALL for name in each.outputs}


def test_names_of_authors_stay_out_of_the_converted_files(tmp_path: Path) -> None:
    fetch(tmp_path, Shop())
    [row, _] = read_lines(tmp_path / "crisis" / "sdcnl_train.jsonl.gz")
    assert set(row) == {"text", "suicide"}
    assert not list(tmp_path.rglob("training-set.csv"))


def test_licences_are_told_on_download_and_not_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(tmp_path, Shop())
    told = capsys.readouterr()
    assert told.out == ""
    for each in SETS:
        assert f"Downloading {each.title}. Licence: {each.licence}" in told.err
    assert "CC BY-NC 4.0" in told.err
    shop = Shop()
    fetch(tmp_path, shop)
    assert shop.served == []
    assert capsys.readouterr().err == ""


def test_a_set_that_cannot_be_had_is_named_and_the_others_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(tmp_path, Shop("counsel_chat.csv"))
    assert "Training goes on where it can without: CounselChat" in capsys.readouterr().err
    assert sdcnl(tmp_path)
    with pytest.raises(DataError, match="is missing"):
        counselling_questions(tmp_path)
    shop = Shop()
    fetch(tmp_path, shop)
    assert shop.served == ["counsel_chat.csv"]
    assert counselling_questions(tmp_path)


def test_turns_get_their_labels_once_these_can_be_had(tmp_path: Path) -> None:
    fetch(tmp_path, Shop("train.txt"))
    assert {label for _, _, label in labels(tmp_path)} == {""}
    fetch(tmp_path, Shop())
    assert [label for _, _, label in labels(tmp_path)] == ["sad", "questioning", "", ""]


def test_no_network_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"network.*--data.*EmpatheticDialogues"):
        fetch(tmp_path, Shop(*FILES))


def test_an_interrupted_run_goes_on_with_the_files_it_has(tmp_path: Path) -> None:
    class Stopped(Shop):
        def __call__(self, url: str, path: Path, *, progress: bool = True) -> None:
            if len(self.served) == 5:
                raise KeyboardInterrupt
            super().__call__(url, path, progress=progress)

    first, second = Stopped(), Shop()
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, first)
    fetch(tmp_path, second)
    assert len(first.served) == 5
    assert set(first.served).isdisjoint(second.served)
    assert labels(tmp_path)[0][2] == "sad"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("training-set.csv", table(["title", "text"], ["a", "b"])),
        ("training-set.csv", b"\xff\xfe"),
        ("users.csv", table(["User", "Post", "Label"], ["user-0", "a secret post", "Attempt"])),
        ("empatheticdialogues.tar.gz", b"<html>moved</html>"),
    ],
)
def test_a_changed_file_is_a_fault_of_its_set_that_quotes_nobody(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    body: bytes,
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(FILES, name, body)
        fetch(tmp_path, Shop())
    told = capsys.readouterr().err
    title = next(each.title for each in SETS if name in each.urls)
    assert f"without: {title} (" in told
    assert "secret" not in told
    assert not list(tmp_path.rglob("*.part"))
    shop = Shop()
    fetch(tmp_path, shop)
    assert shop.served == [name]


def test_too_few_rows_are_not_taken_for_the_whole_set(tmp_path: Path) -> None:
    [each] = [each for each in SMALL if each.title == "SDCNL"]
    strict = replace(each, outputs=dict.fromkeys(each.outputs, 3))
    with pytest.raises(DataError, match="2 rows of at least 3"):
        fetch_public_data(tmp_path, progress=False, sets=[strict], fetch=Shop())
    assert not list(tmp_path.rglob("*.gz"))
    assert not list(tmp_path.rglob("*.part"))


def test_an_archive_that_was_changed_is_refused_though_it_reads_well(tmp_path: Path) -> None:
    [each] = [each for each in SETS if each.title == "EmpatheticDialogues"]
    lax = replace(each, outputs=dict.fromkeys(each.outputs, 1))
    with pytest.raises(DataError, match="damaged or has changed"):
        fetch_public_data(tmp_path, progress=False, sets=[lax], fetch=Shop())
    assert not list(tmp_path.rglob("*.gz"))


def test_every_source_is_pinned() -> None:
    for each in SETS:
        for name, url in each.urls.items():
            assert url.startswith("https://")
            commits = [part for part in url.split("/") if len(part) == 40]
            assert commits or name in each.sha256
