"""Saved web pages: their main text, without menus and advertisements (trafilatura)."""

from __future__ import annotations

from knowledge.sources.files import Found, SourceFile, tidy


def read_html(file: SourceFile) -> Found:
    """Yield the page's main text as one document.

    Barbaresi 2021, Trafilatura: a web scraping library for text discovery and extraction.

    Raises:
        OSError: it cannot be read.
    """
    import trafilatura

    # As bytes: the page itself says which encoding it is in.
    page = file.path.read_bytes()
    try:
        found = trafilatura.bare_extraction(
            page, with_metadata=True, include_comments=False, include_images=False
        )
    # lxml and the extraction heuristics fail in many ways on broken pages.
    except Exception as exc:
        yield file.problem(f"is a web page that cannot be read ({type(exc).__name__})")
        return
    if found is None or isinstance(found, dict) or not (text := tidy(found.text or "")):
        yield file.problem("is a web page without a main text")
        return
    yield file.document(text, title=found.title or "", licence=found.license or "")
