from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from knowledge.sources import Document, SourceProblem, read_source


def write_pdf(path: Path, *pages: list[str], title: str = "", password: str | None = None) -> None:
    """Write a PDF with lines of text on its pages."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        content = "BT /F1 12 Tf 14 TL 50 800 Td " + " ".join(f"({line}) Tj T*" for line in lines)
        stream = DecodedStreamObject()
        stream.set_data(f"{content} ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title})
    if password is not None:
        writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    writer.write(path)


def read(path: Path) -> list[Document | SourceProblem]:
    return list(read_source(path, collection="notes"))


def test_pages_are_joined_without_headers_footers_and_hyphens(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    pages = [
        [
            "Journal of Calm",
            f"When worries come at night, way {'abc'[number - 1]} is to write them down, breath-",
            f"ing slowly all the while and {'xyz'[number - 1]} too.",
            f"Page {number} of 3",
        ]
        for number in (1, 2, 3)
    ]
    pages[0][2] = "ing slowly, and the sentence then goes on over the end of this first page"
    write_pdf(path, *pages, title="On worry")

    (document,) = read(path)

    assert isinstance(document, Document)
    assert (document.id, document.title) == ("notes/paper.pdf", "On worry")
    assert "breathing slowly all the while and z too." in document.text
    assert "this first page When worries" in document.text
    assert "Journal" not in document.text and "Page" not in document.text


def test_lists_keep_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.pdf"
    write_pdf(
        path,
        ["Three things can help on such an evening, in any order:", "- a walk", "- a call"],
    )

    (document,) = read(path)

    assert isinstance(document, Document)
    assert "\n- a walk\n- a call" in document.text


def test_a_pdf_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "paper.txt"
    write_pdf(path, ["Breathe out slowly."])

    (document,) = read(path)

    assert isinstance(document, Document) and document.text == "Breathe out slowly."


def test_an_encrypted_pdf_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    write_pdf(path, ["Secret words."], password="secret")

    (problem,) = read(path)

    assert isinstance(problem, SourceProblem) and "encrypted" in problem.problem


def test_a_pdf_that_only_forbids_printing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    write_pdf(path, ["Breathe out slowly."], password="")

    (document,) = read(path)

    assert isinstance(document, Document) and document.text == "Breathe out slowly."


def test_a_pdf_without_text_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    write_pdf(path, [])

    (problem,) = read(path)

    assert isinstance(problem, SourceProblem) and "without text" in problem.problem


@pytest.mark.parametrize("keep", [20, 200, -60])
def test_a_broken_pdf_never_ends_in_a_traceback(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "paper.pdf"
    write_pdf(path, ["Breathe out slowly."])
    path.write_bytes(path.read_bytes()[:keep])

    found = read(path)

    assert found
    assert all(isinstance(each, SourceProblem) or "Breathe" in each.text for each in found)
