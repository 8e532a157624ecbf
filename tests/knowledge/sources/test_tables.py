import json
from pathlib import Path

import pytest

from knowledge.sources import Document, SourceProblem, read_source


def read(path: Path) -> list[Document | SourceProblem]:
    return list(read_source(path, collection="notes", licence="CC0"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_rows_are_documents_whatever_the_delimiter(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "cards.csv"
    rows = [
        ["id", "Title", "ANSWER", "topic", "source", "licence", "url"],
        [
            "7",
            "Walk",
            '"Go out, and\nwalk; slowly | now."',
            "sadness",
            "Doe 2020",
            "MIT",
            "https://x.org/7",
        ],
        ["", "", '"Call a friend, one you trust."', "", "", "", ""],
    ]
    path.write_text("\n".join(delimiter.join(row) for row in rows))

    assert read(path) == [
        Document(
            id="notes/7",
            collection="notes",
            title="Walk",
            text="Go out, and\nwalk; slowly | now.",
            source="Doe 2020, https://x.org/7",
            licence="MIT",
            topics=("sadness",),
        ),
        Document(
            id="notes/cards.csv#4",
            collection="notes",
            title="",
            text="Call a friend, one you trust.",
            source="cards.csv",
            licence="CC0",
        ),
    ]


def test_a_bad_row_is_left_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "cards.csv"
    path.write_text("id,text\n1,one,two\n2,\n\n3,Walk slowly.\n")

    too_many, empty, good = read(path)

    assert str(too_many) == f"{path}, line 2: has more fields than the header row"
    assert isinstance(empty, SourceProblem) and empty.line == 3
    assert isinstance(good, Document) and good.id == "notes/3"


def test_a_long_field_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cards.csv"
    path.write_text(f'text\n"{"walk " * 60_000}"\n')

    (document,) = read(path)

    assert isinstance(document, Document) and len(document.text) > 200_000


@pytest.mark.parametrize(
    "content, problem",
    [
        ("", "is empty"),
        ("\n\n", "empty table"),
        ("a,b\n1,2\n", "no header row with a column text, content, answer or body"),
    ],
)
def test_a_table_without_texts_is_a_problem(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "cards.csv"
    path.write_text(content)

    (found,) = read(path)

    assert isinstance(found, SourceProblem) and problem in found.problem


def test_json_lines_go_on_after_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "cards.jsonl"
    lines = [
        json.dumps({"id": 1, "text": "Walk slowly.", "topics": ["sadness", "sleep"], "url": "u"}),
        "{broken",
        "[1]",
        "",
        json.dumps({"title": "No text"}),
        "[" * 100_000,
        json.dumps({"body": "Call a friend. \ud800", "license": "MIT"}),
    ]
    path.write_text("\n".join(lines))

    found = read(path)

    documents = [each for each in found if isinstance(each, Document)]
    problems = [each for each in found if isinstance(each, SourceProblem)]
    assert [each.id for each in documents] == ["notes/1", "notes/cards.jsonl#7"]
    assert documents[0].topics == ("sadness", "sleep")
    assert documents[0].source == "cards.jsonl, u"
    assert (documents[1].text, documents[1].licence) == ("Call a friend.", "MIT")
    assert [each.line for each in problems] == [2, 3, 5, 6]
    assert "Walk" not in "".join(map(str, problems))
