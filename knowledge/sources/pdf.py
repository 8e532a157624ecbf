"""PDF: one document a file, its pages joined."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from knowledge.sources.files import Found, SourceFile, tidy

if TYPE_CHECKING:
    from pypdf import PdfReader

_EDGE: Final = 2
"""Lines at the top and bottom of a page that may be its header or footer."""
_FEWEST_PAGES: Final = 3
_SHORT_LINE: Final = 0.8
"""Share of the usual line's length below which a line may be a paragraph's last."""
_HYPHENATED: Final = re.compile(r"(?<=[a-zà-ÿ])[-\u00ad\u2010]$")
_SENTENCE_END: Final = re.compile(r"[.!?…:][\"'”’)\]]*$")
_LIST_MARK: Final = re.compile(r"^(?:[-*•·–▪◦]|\(?\d{1,2}[.)])\s")
_NUMBER: Final = re.compile(r"\d+")
_ENCRYPTED: Final = "is encrypted: save it without a password"


def read_pdf(file: SourceFile) -> Found:
    """Yield the file's text as one document, and a problem for each page that cannot be read."""
    import pypdf
    import pypdf.errors

    try:
        reader = pypdf.PdfReader(file.path)
        # An empty password opens files that only forbid printing.
        if reader.is_encrypted and not reader.decrypt(""):
            yield file.problem(_ENCRYPTED)
            return
        count = len(reader.pages)
    except (pypdf.errors.DependencyError, pypdf.errors.WrongPasswordError):
        yield file.problem(_ENCRYPTED)
        return
    # A damaged file sets off errors of every kind deep inside pypdf.
    except Exception as exc:
        yield file.problem(f"is a damaged PDF ({type(exc).__name__})")
        return
    pages: list[list[str]] = []
    for number in range(count):
        try:
            pages.append(reader.pages[number].extract_text().splitlines())
        except Exception as exc:  # As above.
            yield file.problem(f"page {number + 1} cannot be read ({type(exc).__name__})")
    text = tidy(_join(_without_edges(pages)))
    if text:
        yield file.document(text, title=_title(reader))
    else:
        yield file.problem("is a PDF without text: perhaps scanned pages, which need OCR first")


def _title(reader: PdfReader) -> str:
    try:
        return (reader.metadata and reader.metadata.title) or ""
    except Exception:  # As above; a title is not worth losing the text for.
        return ""


def _without_edges(pages: list[list[str]]) -> list[list[str]]:
    """Leave out the headers and footers: first and last lines that most pages share."""
    pages = [[line.strip() for line in page if line.strip()] for page in pages]
    seen = Counter(key for page in pages for key in {_key(page[at]) for at in _edges(page)})
    often = {key for key, times in seen.items() if times >= max(_FEWEST_PAGES, len(pages) / 2)}
    kept = []
    for page in pages:
        drop = {at for at in _edges(page) if _key(page[at]) in often}
        kept.append([line for at, line in enumerate(page) if at not in drop])
    return kept


def _edges(page: list[str]) -> set[int]:
    return {at for at in range(len(page)) if at < _EDGE or at >= len(page) - _EDGE}


def _key(line: str) -> str:
    # "Page 3 of 9" is the same footer as "Page 4 of 9".
    return _NUMBER.sub("#", line.casefold())


def _join(pages: list[list[str]]) -> str:
    """Join lines into paragraphs, over the pages' ends too; a PDF knows only lines."""
    lines = [line for page in pages for line in page]
    lengths = sorted(map(len, lines))
    usual = lengths[len(lengths) * 3 // 4] if lengths else 0
    parts: list[str] = []
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if _HYPHENATED.search(line) and following[:1].islower():
            parts.append(line[:-1])
        elif _LIST_MARK.match(following):
            parts.append(f"{line}\n")
        elif len(line) < usual * _SHORT_LINE and (
            _SENTENCE_END.search(line) or following[:1].isupper()
        ):
            parts.append(f"{line}\n\n")
        else:
            parts.append(f"{line} ")
    return "".join(parts)
