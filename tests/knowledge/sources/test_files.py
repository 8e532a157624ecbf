"""What a file really is, whatever its name says; nothing a file holds ends in a traceback."""

import codecs
import gzip
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.sources import Document, SourceProblem, read_source
from knowledge.sources.files import tidy

TEXT = "Slow breathing calms the body. Café, naïve, déjà vu."


def read(path: Path, **options: object) -> list[Document | SourceProblem]:
    return list(read_source(path, collection="notes", **options))  # type: ignore[arg-type]


def only_problem(path: Path, **options: object) -> SourceProblem:
    (problem,) = read(path, **options)
    assert isinstance(problem, SourceProblem)
    return problem


def only_document(path: Path, **options: object) -> Document:
    (document,) = read(path, **options)
    assert isinstance(document, Document)
    return document


def test_a_text_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "breathing.txt"
    path.write_text(f"{TEXT}\r\n\r\n\r\nSecond\u00a0part.\n", encoding="utf-8")

    assert only_document(path, licence="CC0") == Document(
        id="notes/breathing.txt",
        collection="notes",
        title="",
        text=f"{TEXT}\n\nSecond part.",
        source="breathing.txt",
        licence="CC0",
    )


def test_the_caller_can_name_a_file_within_its_source(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT)

    assert only_document(path, name="sub/a.txt").id == "notes/sub/a.txt"


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
    ],
)
def test_encodings_that_can_be_told(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(raw)

    assert only_document(path).text == TEXT


def test_an_older_encoding_is_guessed_when_the_guess_is_sure(tmp_path: Path) -> None:
    text = (
        "Les exercices de respiration aident à se calmer après une journée très éprouvante. " * 20
    )
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode("cp1252"))

    assert only_document(path).text == text.strip()


@pytest.mark.parametrize(
    "raw, problem",
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"good\0text", "holds NUL bytes"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x00", "is damaged"),
        (bytes(range(128, 256)) * 8, "no encoding that can be told"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "a picture (PNG)"),
        (b"\xff\xd8\xff\xe0 JFIF", "a picture (JPEG)"),
        (gzip.compress(b"text", mtime=0), "a gzip archive"),
        (b"{\\rtf1 text}", "RTF"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, raw: bytes, problem: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(raw)

    found = only_problem(path)

    assert problem in found.problem
    assert str(found).startswith(f"{path}: ")


def test_a_zip_named_pdf_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", TEXT)

    assert "ZIP" in only_problem(path).problem


@pytest.mark.parametrize(
    "name, problem",
    [
        ("paper.pdf", "no PDF"),
        ("page.html", "no web page"),
        ("data.xyz", ".xyz files are not read"),
    ],
)
def test_a_wrong_or_unknown_ending_is_a_problem(tmp_path: Path, name: str, problem: str) -> None:
    path = tmp_path / name
    path.write_text(TEXT)

    assert problem in only_problem(path).problem


def test_what_is_not_there_or_no_file_is_a_problem(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")

    assert only_problem(tmp_path / "none.txt").problem == "does not exist"
    assert only_problem(tmp_path).problem == "is not a file"
    assert only_problem(tmp_path / "pipe.txt").problem == "is not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_forbidden_file_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    path.chmod(0)

    assert "cannot be read" in only_problem(path).problem


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)

    assert "is too large" in only_problem(path).problem
    assert "is too large" in only_problem(path, limit=10).problem


def test_invisible_characters_and_entities_are_tidied() -> None:
    assert tidy("be\u200b kind\u202e&amp;\u00a0calm\x07 \ud800") == "be kind& calm"
    assert tidy("a \n \n\n b\u2029c") == "a\n\nb\n\nc"


def test_a_problem_names_its_line() -> None:
    assert str(SourceProblem(Path("a.csv"), "is bad", line=3)) == "a.csv, line 3: is bad"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=400)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    suffix=st.sampled_from([".txt", ".md", ".csv", ".jsonl", ".html", ".pdf", ""]),
)
def test_no_bytes_end_in_a_traceback(tmp_path: Path, raw: bytes, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(raw)

    found = read(path)

    assert found
    for each in found:
        if isinstance(each, Document):
            each.text.encode("utf-8")
            assert each.text.strip() and "\0" not in each.text
