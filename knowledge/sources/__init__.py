"""Sources of knowledge: files of several formats, and public collections, read as documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from knowledge.sources.document import Document, SourceProblem
from knowledge.sources.files import Found, SourceFile, UnreadableText, not_readable
from knowledge.sources.html import read_html
from knowledge.sources.markdown import read_markdown
from knowledge.sources.pdf import read_pdf
from knowledge.sources.tables import read_csv, read_json_lines
from knowledge.sources.text import read_plain_text

__all__ = ["MAX_BYTES", "Document", "SourceProblem", "read_source"]

MAX_BYTES: Final = 64 * 1024 * 1024
_HEAD: Final = 2048
_PDF_HEAD: Final = 1024
"""Within so many bytes a PDF's mark may stand (ISO 32000-1, implementation note)."""

_Reader = Callable[[SourceFile], Found]
_READERS: Final[dict[str, _Reader]] = {
    "": read_plain_text,
    ".txt": read_plain_text,
    ".text": read_plain_text,
    ".rst": read_plain_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_lines,
}
_MAY_BE_HTML: Final = {"", ".txt", ".text", ".html", ".htm", ".xhtml"}


def read_source(
    path: Path,
    *,
    collection: str,
    licence: str = "unknown",
    name: str = "",
    limit: int = MAX_BYTES,
) -> Found:
    """Yield the documents of one file by what it really is, and what had to be left out.

    Args:
        path: a Markdown, text, PDF, HTML, CSV or JSON Lines file.
        collection: which collection the documents belong to.
        licence: of the documents that do not name their own.
        name: of the file within its source, when files of several folders are read; the
            documents' ids begin with it. The path's last part when left out.
        limit: bytes above which a file is refused.
    """
    file = SourceFile(path, name or path.name, collection, licence)
    try:
        reader = _reader(file, limit)
        yield from [reader] if isinstance(reader, SourceProblem) else reader(file)
    except UnreadableText as exc:
        yield file.problem(str(exc))
    except OSError as exc:
        yield file.problem(f"cannot be read: {exc.strerror or type(exc).__name__}")


def _reader(file: SourceFile, limit: int) -> _Reader | SourceProblem:
    if not file.path.is_file():  # Not a pipe or a device either, which might never end.
        return file.problem("is not a file" if file.path.exists() else "does not exist")
    size = file.path.stat().st_size
    if not size:
        return file.problem("is empty")
    if size > limit:
        megabytes = f"{size / 2**20:.1f} MB; {limit / 2**20:g} MB"
        return file.problem(f"is too large: {megabytes} is the most that is read")
    with file.path.open("rb") as opened:
        head = opened.read(_HEAD)
    suffix = file.path.suffix.lower()
    if b"%PDF-" in head[:_PDF_HEAD]:
        return read_pdf
    if what := not_readable(head):
        return file.problem(f"is {what}, which is not read")
    if suffix == ".pdf":
        return file.problem("is named .pdf but is no PDF")
    if suffix in _MAY_BE_HTML and _looks_like_html(head):
        return read_html
    if suffix in {".html", ".htm", ".xhtml"}:
        return file.problem(f"is named {suffix} but is no web page")
    if suffix not in _READERS:
        return file.problem(
            f"{suffix} files are not read; Markdown, text, PDF, HTML, CSV and JSON Lines are"
        )
    return _READERS[suffix]


def _looks_like_html(head: bytes) -> bool:
    # Without NULs a page in UTF-16 looks like one in ASCII.
    start = head.replace(b"\0", b"").lower()
    begins = start.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<")
    return begins and any(tag in start for tag in (b"<!doctype html", b"<html", b"<head", b"<body"))
