"""CounselChat as a benchmark of retrieval: ingested answers, and the held-out questions."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from knowledge.cleaning.personal_data import remove_personal_data
from knowledge.contents import library_passages
from knowledge.gather import COUNSEL_CHAT
from knowledge.index.passages import Passages
from knowledge.ingest import ChunkEncoder, IngestReport, ingest
from knowledge.library import FILE_NAME, Library
from knowledge.sources import Document
from knowledge.sources.counsel_chat import COLLECTION, read_counsel_chat
from knowledge.store import IndexPlace
from knowledge.update import fingerprint
from models.query_bank import QueryBank
from training.data import DataError
from training.question_pairs import answers, questions


@dataclass(frozen=True)
class Asked:
    """A held-out question."""

    whole: str
    """Title and text."""
    text: str
    topic: str
    relevant: frozenset[str]
    """Ids of the documents that answer it, at least one."""
    seen: bool
    """Whether an answer was given to a question, too, that was trained on."""


@dataclass(frozen=True)
class Benchmark:
    """What is searched, and what is asked."""

    passages: Passages
    """The chunks of the documents, as they were ingested."""
    documents: Mapping[str, str] = field(repr=False)
    """The whole texts by id, cleaned."""
    topics: Mapping[str, frozenset[str]] = field(repr=False)
    """Ids of documents by topic."""
    asked: Sequence[Asked] = field(repr=False)
    trained: Sequence[str] = field(repr=False)
    """The questions that were trained on."""
    counts: Mapping[str, int]

    def about(self, question: Asked) -> frozenset[str]:
        """Return the ids of the documents on the topic of a question."""
        # A document that answers several questions has the topic of the first.
        return self.topics.get(question.topic, frozenset()) | question.relevant


def load_benchmark(
    data: Path, encoder: ChunkEncoder, bank: QueryBank | None, place: IndexPlace
) -> Benchmark:
    """Ingest CounselChat's answers into a library of their own, and read the held-out questions.

    Args:
        data: folder of the training data.
        encoder: makes the vectors of the chunks.
        bank: the questions that correct for hubs.
        place: where the index goes, with the library beside it.

    Raises:
        DataError: the data is missing, or no held-out question has an answer.
    """
    held_out, trained = (questions(data, held_out=each) for each in (True, False))
    rows = answers(data)
    source = data / "counsel_chat"
    with Library.open(place.directory.with_name(FILE_NAME)) as library:
        report = ingest(
            [COUNSEL_CHAT],
            library,
            encoder,
            place,
            bank=bank,
            counsel_chat=source,
            progress=sys.stderr.isatty(),
        )
        if report.problems and not report.added:
            raise DataError(str(report.problems[0]))
        kept = {each.document.id: each.document for each in library.entries(COLLECTION)}
        passages = library_passages(library, COLLECTION, encoder.id, bank) if kept else None
    same = _kept_duplicates(report, kept, source)
    given: dict[str, set[str]] = {}
    for id, question, _, _ in rows:
        document = same.get(name := f"{COLLECTION}/{id}", name)
        if document in kept:
            given.setdefault(question, set()).add(document)
    taught = set().union(*(given.get(each.id, ()) for each in trained))
    asked = [
        Asked(each.whole, each.text, each.topic, relevant, not relevant.isdisjoint(taught))
        for each in held_out
        if (relevant := frozenset(given.get(each.id, ())))
    ]
    if passages is None or not asked:
        raise DataError(f"no held-out question in {source} has an answer that ingestion keeps")
    topics: dict[str, set[str]] = {}
    for document_id, document_kept in kept.items():
        for topic in document_kept.topics:
            topics.setdefault(topic, set()).add(document_id)
    return Benchmark(
        passages,
        {id: each.text for id, each in kept.items()},
        {topic: frozenset(ids) for topic, ids in topics.items()},
        asked,
        [each.whole for each in trained],
        {
            "held_out": len(held_out),
            "counted": len(asked),
            "without_answers": len(held_out) - len(asked),
            "seen": sum(each.seen for each in asked),
            "answers_left_out": len(report.left_out),
            "answers_duplicate": len(report.duplicates),
        },
    )


def _kept_duplicates(
    report: IngestReport, kept: Mapping[str, Document], source: Path
) -> dict[str, str]:
    """Return the id of the kept document that says the same, by the id of each duplicate.

    Therapists gave the same answer to several questions; it is one document, and answers all.
    """
    raw = {each.id: each.text for each in read_counsel_chat(source) if isinstance(each, Document)}
    first = {fingerprint(raw[id]): id for id in kept}
    first |= {fingerprint(each.text): id for id, each in kept.items()}
    found: dict[str, str] = {}
    for id in report.duplicates:
        for text in (raw[id], remove_personal_data(raw[id])[0]):
            if (document := first.get(fingerprint(text))) is not None:
                found[id] = document
    return found
