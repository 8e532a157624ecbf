"""What the commands share: JSON lines in and out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def input_lines(file: str) -> Iterator[str]:
    """Read lines as UTF-8, replacing what is not; a missing file is a clear error."""
    if file == "-":
        if sys.stdin.isatty():
            typer.echo("Reading from standard input; Ctrl-D ends it.", err=True)
        yield from (line.decode("utf-8", errors="replace") for line in sys.stdin.buffer)
        return
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as lines:
            yield from lines
    except OSError as exc:
        raise typer.BadParameter(f"{file}: {exc.strerror}") from exc


def print_lines(records: Iterable[Any]) -> None:
    """Print a line of JSON for each; exits 1 at the end if one tells of a bad input line."""
    bad = False
    for record in records:
        bad = bad or (isinstance(record, dict) and "error" in record and "line" in record)
        typer.echo(json.dumps(record, ensure_ascii=False))
    if bad:
        raise typer.Exit(1)
