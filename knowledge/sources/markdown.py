"""Markdown: a document for each top section, as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own

from knowledge.sources.files import Found, SourceFile, open_text, tidy

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER: Final = re.compile(
    r"\A---[ \t]*\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.S | re.M
)
_MAX_FRONT_MATTER: Final = 1 << 15
_BLOCKS: Final = {"heading_close", "paragraph_close", "fence", "code_block", "tr_close"}


def read_markdown(file: SourceFile) -> Found:
    """Yield the file's sections; front matter gives `title`, `licence` and `source`.

    Raises:
        UnreadableText: its bytes are no text.
        OSError: it cannot be read.
    """
    with open_text(file.path) as lines:
        text = lines.read().replace("\r\n", "\n").replace("\r", "\n")
    fields: dict[str, str] = {}
    if (match := _FRONT_MATTER.match(text)) and len(match["yaml"]) <= _MAX_FRONT_MATTER:
        try:
            fields = _fields(match["yaml"])
        except (yaml.YAMLError, ValueError, RecursionError):
            yield file.problem("its front matter is not valid YAML and was left out", line=1)
        text = text[match.end() :]
    empty = True
    for number, (title, body) in enumerate(_sections(text, fields.get("title", "")), start=1):
        empty = False
        yield file.document(
            body,
            part=f"#{number}",
            title=title,
            source=fields.get("source", ""),
            licence=fields.get("licence") or fields.get("license", ""),
            topics=(fields["topic"],) if "topic" in fields else (),
        )
    if empty:
        yield file.problem("has no text")


def _fields(text: str) -> dict[str, str]:
    # Not the faster C loader: it recurses without a limit, so brackets could end the process.
    fields = yaml.load(text, Loader=yaml.SafeLoader)
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise ValueError("not a mapping")
    return {
        str(key).lower(): str(value)
        for key, value in fields.items()
        if isinstance(value, str | int | float)
    }


def _sections(text: str, title: str) -> Iterator[tuple[str, str]]:
    """Yield title and text of each top section: those under the highest heading that repeats."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    levels = [t.tag for t in tokens if t.type == "heading_open" and t.level == 0]
    top = next((tag for tag in sorted(set(levels)) if levels.count(tag) > 1), "")
    # One heading above all sections is the file's title.
    above = next((tag for tag in sorted(set(levels)) if levels.count(tag) == 1), "")
    heading, section, inside = "", list[Any](), ""
    for token in tokens:
        if token.type == "heading_open" and token.level == 0 and token.tag in {top, above}:
            if token.tag == top or not top:
                yield from _section(title, heading, section)
                heading, section = "", []
            inside = token.tag
        elif token.type == "heading_close" and inside:
            inside = ""
        elif inside and token.type == "inline":
            words = _inline(token)
            if inside == above and (not top or above < top):
                title = title or words
            elif inside == top:
                heading = words
            else:
                section.append(token)
        elif not inside:
            section.append(token)
    yield from _section(title, heading, section)


def _section(title: str, heading: str, tokens: Iterable[Token]) -> Iterator[tuple[str, str]]:
    text = tidy("".join(_plain(tokens)))
    if text:
        yield ": ".join(each for each in (title, heading) if each), text


def _plain(tokens: Iterable[Token]) -> Iterator[str]:
    marks: list[str] = []
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            marks.append("- " if token.type == "bullet_list_open" else "1. ")
        elif token.type in {"bullet_list_close", "ordered_list_close"} and marks:
            marks.pop()
            yield "\n"
        elif token.type == "list_item_open" and marks:
            yield f"{token.info}. " if token.info else marks[-1]
        elif token.type == "inline":
            yield _inline(token)
        elif token.type in {"fence", "code_block"}:
            yield token.content
        elif token.type in {"th_close", "td_close"}:
            yield "; "
        if token.type in _BLOCKS:
            yield "\n" if token.hidden or token.type == "tr_close" else "\n\n"


def _inline(token: Token) -> str:
    parts = []
    for child in token.children or []:
        if child.type in {"softbreak", "hardbreak"}:
            parts.append(" ")
        elif child.type in {"text", "code_inline", "image"}:
            parts.append(child.content)
    return "".join(parts)
