"""What every source yields: documents, and problems where something had to be left out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Document:
    """One text of a source: an answer, a page, a row, a file."""

    id: str
    """The collection, a slash and the source's own id, such as `my_notes/guide.md#2`."""
    collection: str
    """3 to 60 characters of [a-z0-9_-]."""
    title: str
    """Empty when the source has none."""
    text: str
    source: str
    """Where it comes from, readable: a work with its authors, or the file's name."""
    licence: str
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceProblem:
    """Why a file, a page, a row or a line was left out."""

    path: Path
    problem: str
    """What is wrong, without the text that was read."""
    line: int = 0
    """0 when it is not about one line."""

    def __str__(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line else str(self.path)
        return f"{where}: {self.problem}"
