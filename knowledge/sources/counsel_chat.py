"""CounselChat: answers of licensed therapists to people's questions.

Bertagnolli 2020, Counsel Chat: bootstrapping high-quality therapy data.
"""

from __future__ import annotations

import csv
import gzip
import html.parser
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from knowledge.sentences import split_sentences
from knowledge.sources.document import Document, SourceProblem
from knowledge.sources.files import tidy

COLLECTION: Final = "counsel_chat"
LICENCE: Final = "MIT"
CITATION: Final = "CounselChat (Bertagnolli 2020)"
REPOSITORY: Final = "nbertagnolli/counsel-chat"
_HUB_FILE: Final = "20220401_counsel_chat.csv"
_FIELD_LIMIT: Final = 1 << 24

_TAG: Final = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.I)
_BLOCKS: Final = {"p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "blockquote", "tr"}
_ADDRESS: Final = re.compile(
    r"\S*(?:https?://|www\.)[^\s¿]*|\S+@\S+|\b[\w-]+\.(?:com|org|net|ca)\b\S*"
)
_BEFORE_ADDRESS: Final = re.compile(r"(?<=[^\s/(\[])(?=https?://|www\.)")
_GLUED_ADDRESS: Final = re.compile(r"(?:/|\.html?|\.org|\.com|[a-z]{3})(?=[A-Z][a-z]*[,']?\Z)")
_GLUED: Final = re.compile(
    # The paragraphs' ends were lost when the answers were collected: "hang out with.Seriously".
    r"(?<=[a-zà-ÿ0-9)\]\"”'’%])(?P<mark>[.!?…]+[\"”’)]*)(?=[\"“‘(]?[A-Z¿¡][A-Za-zà-ÿ'’]*[-\s,.!?:;'’])"
    r"|(?<=[a-z)\"”’])(?P<question>[!?]+|\.{2,})(?=[A-Za-z0-9¿¡])"
    r"|(?<=[a-z]{3})(?P<stop>[.:])(?=[a-z]{2,}\s|\d{1,2}[.)]\s|[•·#“])"
    r"|(?<=[a-z]{2})(?P<colon>[:;])(?=[A-Z])"
    r"|(?<=[a-z]{2})(?P<comma>,)(?=[A-Z])"
    r"|(?<=[a-z]{3})(?P<close>[.!?]?[)\"”])(?=[A-Z])"
)
_LOST_BREAK: Final = re.compile(
    r"(?P<last>\b[a-z]{3,})(?=[A-Z][a-z']*(?:\s|/[A-Z]))|(?<=[A-Z]{3})(?=P\.S\.)"
)
_LIST_MARK: Final = r"(?:[-*•·]|\(?\d{1,2}[.)])\s"
_WRAPPED: Final = re.compile(rf"(?<!\n)\n(?!\n|{_LIST_MARK})")
_RULE: Final = re.compile(r"[-_=*]{5,}")
_SPANISH: Final = frozenset(
    "a al como con cuando de del el ella en es esta está este esto están ha hace la las le lo los "
    "me mi mis más muy no nos o para pero por puede puedes que qué se ser si sin sobre son su sus "
    "te tu tus un una y ya yo".split()
)
_PERHAPS_SPANISH: Final = re.compile(r"¿|\b(?:de|del|el|en|la|los|que|una|mi|es)\b", re.I)
"""In any two sentences of Spanish; a sentence counts only with several such words."""
_WORDS: Final = re.compile(r"[^\W\d_]+")


class _Unreadable(ValueError):
    """The collection is not laid out as expected; the message names no text."""


def read_counsel_chat(folder: Path | None) -> Iterator[Document | SourceProblem]:
    """Yield each answer of CounselChat as a document; the question is only its title.

    Args:
        folder: holds `answers.jsonl` and `questions.jsonl`, gzipped or not. None: the collection
            is downloaded from the Hugging Face hub, or taken from its cache.
    """
    place = folder or Path(REPOSITORY)
    try:
        if folder is None:
            yield from _from_table(_download())
        else:
            yield from _from_folder(folder)
    except _Unreadable as exc:
        yield SourceProblem(place, str(exc))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as exc:
        yield SourceProblem(place, f"cannot be read ({type(exc).__name__})")


def _download() -> Path:
    from httpx import HTTPError
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(hf_hub_download(REPOSITORY, _HUB_FILE, repo_type="dataset"))
    except (OSError, HTTPError, HFValidationError) as exc:
        raise _Unreadable(
            f"cannot be downloaded from the Hugging Face hub ({type(exc).__name__}). Is there a "
            "network? Otherwise name a folder with answers.jsonl and questions.jsonl"
        ) from exc


def _from_table(path: Path) -> Iterator[Document | SourceProblem]:
    csv.field_size_limit(max(csv.field_size_limit(), _FIELD_LIMIT))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, restval="")
        if not {"questionID", "answerText"} <= set(rows.fieldnames or ()):
            raise _Unreadable("lacks the columns questionID and answerText")
        for place, row in enumerate(rows):
            answer = {
                "id": f"{row['questionID']}-{place}",
                "text": row["answerText"],
                "topic": row.get("topic") or "",
            }
            question = {
                "title": row.get("questionTitle") or "",
                "url": row.get("questionLink") or "",
            }
            yield _document(answer, question, path, rows.line_num)


def _from_folder(folder: Path) -> Iterator[Document | SourceProblem]:
    questions: dict[str, dict[str, Any]] = {}
    for row in _lines(folder, "questions"):
        if isinstance(row, SourceProblem):
            yield row
        else:
            questions[str(row[1].get("id"))] = row[1]
    path = _file(folder, "answers")
    for row in _lines(folder, "answers"):
        if isinstance(row, SourceProblem):
            yield row
        else:
            number, answer = row
            question = questions.get(str(answer.get("question_id")), {})
            yield _document(answer, question, path, number)


def _file(folder: Path, name: str) -> Path:
    paths = [folder / f"{name}{suffix}" for suffix in (".jsonl", ".jsonl.gz")]
    path = next((each for each in paths if each.is_file()), None)
    if path is None:
        raise _Unreadable(f"has no {name}.jsonl and no {name}.jsonl.gz")
    return path


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _lines(folder: Path, name: str) -> Iterator[tuple[int, dict[str, Any]] | SourceProblem]:
    path = _file(folder, name)
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                yield number, row
            else:
                yield SourceProblem(path, "is not a JSON object", number)


def _document(
    answer: dict[str, Any], question: dict[str, Any], path: Path, line: int
) -> Document | SourceProblem:
    text = answer.get("text")
    repaired = repair(text) if isinstance(text, str) else ""
    if not repaired or not answer.get("id"):
        return SourceProblem(path, "has no text or no id", line)
    url = str(question.get("url") or "").removeprefix("https://").removeprefix("http://")
    topic = str(answer.get("topic") or "").strip()
    return Document(
        id=f"{COLLECTION}/{answer['id']}",
        collection=COLLECTION,
        title=" ".join(_without_tags(str(question.get("title") or "")).split()),
        text=repaired,
        source=f"{CITATION}, {url}" if url else CITATION,
        licence=LICENCE,
        topics=(topic,) if topic else (),
    )


def repair(text: str) -> str:
    """Return an answer's text without markup, with the spaces that its collecting lost.

    A few answers are followed by their translation into Spanish, which repeats the person's own
    question; it is left out.
    """
    text = _RULE.sub("\n\n", tidy(_without_tags(text)))
    text = _BEFORE_ADDRESS.sub(" ", _WRAPPED.sub(" ", tidy(text)))
    parts = []
    start = 0
    for match in _ADDRESS.finditer(text):
        address = _GLUED_ADDRESS.sub(lambda found: f"{found[0]}\n\n", match[0])
        parts += [_with_spaces(text[start : match.start()]), address]
        start = match.end()
    parts.append(_with_spaces(text[start:]))
    return _without_translation(tidy("".join(parts)))


def _with_spaces(text: str) -> str:
    # A heading or item of a list, whose line was lost too: "sleepMental health".
    text = _LOST_BREAK.sub(lambda match: f"{match[0]}\n\n", text)
    return _GLUED.sub(lambda match: f"{match[0]} ", text)


def _without_tags(text: str) -> str:
    if not _TAG.search(text):
        return text
    parser = _Text()
    parser.feed(text)
    parser.close()
    return "".join(parser.parts)


class _Text(html.parser.HTMLParser):
    """Collects the text of some HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n\n")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS - {"br"}:
            self.parts.append("\n\n")


def _without_translation(text: str) -> str:
    # Cutting into sentences is slow, and hardly any text has a word of Spanish.
    if not _PERHAPS_SPANISH.search(text):
        return text
    sentences = split_sentences(text)
    spanish = [_is_spanish(sentence) for sentence in sentences]
    if not any(spanish) or spanish[0]:
        return text
    first = spanish.index(True)
    # From here on to the end it is all Spanish, but for short sentences that cannot be told.
    if sum(spanish[first:]) * 2 < len(spanish) - first:
        return text
    return "".join(sentences[:first]).strip()


def _is_spanish(sentence: str) -> bool:
    words = _WORDS.findall(sentence.lower())
    hits = sum(word in _SPANISH for word in words)
    return "¿" in sentence or (len(words) > 2 and hits > 1 and hits * 4 > len(words))
