"""Tables with a text in each row: CSV with a header, and JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import IO, Any, Final

from knowledge.sources.files import Found, SourceFile, open_text, tidy

TEXT_COLUMNS: Final = ("text", "content", "answer", "body")
_WITH_A_TEXT: Final = f"a column {', '.join(TEXT_COLUMNS[:-1])} or {TEXT_COLUMNS[-1]}"
_SNIFFED: Final = 1 << 16
_DELIMITERS: Final = ",;\t|"
_FIELD_LIMIT: Final = 1 << 24


def read_csv(file: SourceFile) -> Found:
    """Yield a document for each row with a text; `id`, `title`, `topic` and the like are kept.

    Raises:
        UnreadableText: its bytes are no text.
        OSError: it cannot be read.
    """
    # The limit is the whole process's, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _FIELD_LIMIT))
    with open_text(file.path) as lines:
        rows = csv.reader(lines, delimiter=_delimiter(lines))
        try:
            header = [name.strip().lower() for name in next(rows, [])]
            if not any(header):
                yield file.problem("is an empty table")
                return
            if not any(name in header for name in TEXT_COLUMNS):
                yield file.problem(f"has no header row with {_WITH_A_TEXT}", line=1)
                return
            for row in rows:
                if not any(row):
                    continue
                if len(row) > len(header):
                    yield file.problem("has more fields than the header row", rows.line_num)
                    continue
                yield _row(file, dict(zip(header, row, strict=False)), rows.line_num)
        except csv.Error as exc:
            yield file.problem(f"is not a valid table from here on: {exc}", rows.line_num)


def _delimiter(lines: IO[str]) -> str:
    sample = lines.read(_SNIFFED)
    lines.seek(0)
    header = sample.partition("\n")[0]
    # The header tells it more surely than the rows, whose texts are full of commas. A sniffer
    # is only asked when the header has several of the signs.
    found = [sign for sign in _DELIMITERS if sign in header]
    if len(found) > 1:
        try:
            return csv.Sniffer().sniff(header, _DELIMITERS).delimiter
        except csv.Error:
            return max(found, key=header.count)
    return found[0] if found else ","


def read_json_lines(file: SourceFile) -> Found:
    """Yield a document for each line with a text; a bad line is a problem and the rest goes on.

    Raises:
        UnreadableText: its bytes are no text.
        OSError: it cannot be read.
    """
    empty = True
    with open_text(file.path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            empty = False
            try:
                row = json.loads(line)
            # Python's parser recurses: a line of brackets ends in a RecursionError.
            except (ValueError, RecursionError):
                yield file.problem("is not valid JSON", number)
                continue
            if isinstance(row, dict):
                yield _row(file, {str(key).lower(): row[key] for key in row}, number)
            else:
                yield file.problem("is not a JSON object", number)
    if empty:
        yield file.problem("is empty")


def _row(file: SourceFile, row: Mapping[str, Any], line: int) -> Any:
    text = next((tidy(each) for name in TEXT_COLUMNS if isinstance(each := row.get(name), str)), "")
    if not text:
        return file.problem(f"has no text: it needs {_WITH_A_TEXT}", line)
    values = {
        name: str(value).strip()
        for name, value in row.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
    topics = row.get("topics")
    source, url = values.get("source", ""), values.get("url", "")
    return file.document(
        text,
        part=f"#{line}",
        own_id=values.get("id", ""),
        title=values.get("title", ""),
        source=", ".join(each for each in (source or (url and file.name), url) if each),
        licence=values.get("licence") or values.get("license", ""),
        topics=(
            tuple(each for each in topics if isinstance(each, str))
            if isinstance(topics, list)
            else (values.get("topic", ""),)
        ),
    )
