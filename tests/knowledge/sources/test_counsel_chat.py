import csv
import gzip
import json
from pathlib import Path

import pytest

from knowledge.sources import Document, SourceProblem
from knowledge.sources.counsel_chat import read_counsel_chat, repair

QUESTION = {
    "id": "3",
    "title": "Why do I feel alone?",
    "text": "I told no one that I feel alone.",
    "topic": "depression",
    "url": "https://counselchat.com/questions/why-alone",
}
ANSWERS = [
    {
        "id": "3-0",
        "question_id": "3",
        "text": "You reached out.That is a start.",
        "topic": "depression",
    },
    {"id": "9-1", "question_id": "9", "text": "Many people feel so.", "topic": "grief"},
]


def write(folder: Path, *, zipped: bool, answers: list[object] | None = None) -> None:
    for name, rows in (("questions", [QUESTION]), ("answers", answers or ANSWERS)):
        content = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
        if zipped:
            (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(content.encode()))
        else:
            (folder / f"{name}.jsonl").write_text(content)


@pytest.mark.parametrize("zipped", [True, False])
def test_each_answer_is_a_document_without_its_question(tmp_path: Path, zipped: bool) -> None:
    write(tmp_path, zipped=zipped)

    assert list(read_counsel_chat(tmp_path)) == [
        Document(
            id="counsel_chat/3-0",
            collection="counsel_chat",
            title="Why do I feel alone?",
            text="You reached out. That is a start.",
            source="CounselChat (Bertagnolli 2020), counselchat.com/questions/why-alone",
            licence="MIT",
            topics=("depression",),
        ),
        Document(
            id="counsel_chat/9-1",
            collection="counsel_chat",
            title="",
            text="Many people feel so.",
            source="CounselChat (Bertagnolli 2020)",
            licence="MIT",
            topics=("grief",),
        ),
    ]


def test_bad_lines_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path, zipped=False, answers=["{broken", {"id": "1", "text": None}, ANSWERS[1]])

    first, second, third = read_counsel_chat(tmp_path)

    assert str(first) == f"{tmp_path / 'answers.jsonl'}, line 1: is not a JSON object"
    assert isinstance(second, SourceProblem) and second.line == 2
    assert isinstance(third, Document)


def test_a_missing_or_damaged_collection_is_a_problem(tmp_path: Path) -> None:
    (missing,) = read_counsel_chat(tmp_path)
    assert "has no questions.jsonl" in str(missing)

    write(tmp_path, zipped=True)
    path = tmp_path / "answers.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-12])
    *_, damaged = read_counsel_chat(tmp_path)
    assert isinstance(damaged, SourceProblem) and "cannot be read" in damaged.problem


def test_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hub.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["questionID", "questionTitle", "questionLink", "topic", "answerText"])
        table.writerow(
            [
                "5",
                "Why <b>me</b>?",
                "http://counselchat.com/q",
                "stress",
                "<p>It is hard.</p><p>Rest &amp; sleep.</p>",
            ]
        )
    asked: list[tuple[str, str, str]] = []

    def hf_hub_download(repository: str, name: str, *, repo_type: str) -> str:
        asked.append((repository, name, repo_type))
        return str(path)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", hf_hub_download)

    (document,) = read_counsel_chat(None)

    assert asked == [("nbertagnolli/counsel-chat", "20220401_counsel_chat.csv", "dataset")]
    assert isinstance(document, Document)
    assert (document.id, document.title) == ("counsel_chat/5-0", "Why me?")
    assert document.text == "It is hard.\n\nRest & sleep."
    assert document.source.endswith("counselchat.com/q")


def test_without_a_network_the_hub_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)

    (problem,) = read_counsel_chat(None)

    assert isinstance(problem, SourceProblem) and "Hugging Face hub" in problem.problem


@pytest.mark.parametrize(
    "raw, repaired",
    [
        (
            "people to hang out with.Seriously, it helps",
            "people to hang out with. Seriously, it helps",
        ),
        ("Are you alone?You can write.", "Are you alone? You can write."),
        ('He said "stay."Then he left', 'He said "stay." Then he left'),
        ("Be well,Robin", "Be well, Robin"),
        ("these tips:Sleep well", "these tips: Sleep well"),
        ("rest and sleepMental health is", "rest and sleep\n\nMental health is"),
        ("in case, e.g.a friend, i.e. someone", "in case, e.g.a friend, i.e. someone"),
        ("rated 3.5 of 5 in the U.S. today", "rated 3.5 of 5 in the U.S. today"),
        ("a YouTube video, the McDonald family", "a YouTube video, the McDonald family"),
        ("see www.Example.org/A.B?c=D.Ef now", "see www.Example.org/A.B?c=D.Ef now"),
        ("a\u00a0 b\u200b", "a b"),
        ("wrapped\nline and\n\na paragraph", "wrapped line and\n\na paragraph"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
    ],
)
def test_lost_spaces_are_put_back(raw: str, repaired: str) -> None:
    assert repair(raw) == repaired
    assert repair(repaired) == repaired


def test_a_translation_with_the_question_in_it_is_left_out() -> None:
    answer = "Feelings are real, and you are not making them up. "
    translation = (
        "¿Son reales mis sentimientos?Cuando salgo con una persona estoy triste. "
        "Los sentimientos son muy reales, y es muy poco probable que los estés inventando."
    )

    assert repair(answer + translation) == answer.strip()
    assert repair(translation).startswith("¿Son reales")
