"""The public training sets: where they are, their licences, and how each is converted.

Each is pinned: an archive by its checksum, a file on GitHub by its commit.
"""

from __future__ import annotations

import ast
import csv
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from models.labels import EMOTIONS
from training.data import DataError, read_lines

_TURN_LABELS: Final = "empathetic_intents/turns.jsonl.gz"
"""Labels of EmpatheticDialogues' turns, kept apart because they are another set's work."""

_INTENT_IDS: Final = (
    *EMOTIONS,
    *("agreeing", "acknowledging", "encouraging", "consoling", "sympathizing"),
    *("suggesting", "questioning", "wishing", "neutral"),
)
"""Label by number in EmpatheticIntents' `train.txt`; its label list misprints neutral as 38."""

Converted = Iterator[tuple[str, Iterable[dict[str, Any]]]]
"""An output's path below the folder, and its rows."""


@dataclass(frozen=True)
class PublicSet:
    """A public data set: where it is, what it may be used for, how it is converted."""

    title: str
    licence: str
    urls: Mapping[str, str]
    """URL by the name of the downloaded file."""
    outputs: Mapping[str, int]
    """Converted file, and the fewest rows that a whole one has."""
    convert: Callable[[Path, Path], Converted]
    """Yields the outputs' names and rows, given the downloads' folder and the outputs'."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Checksum by the name of the downloaded file, where its URL does not pin it."""
    spoils: tuple[str, ...] = ()
    """Outputs of other sets that were built without this one and must be built again."""

    def ready(self, folder: Path) -> bool:
        """Tell whether every output is there."""
        return all((folder / name).is_file() for name in self.outputs)


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    # All posts of one person stand in one field, far over the default limit.
    csv.field_size_limit(1 << 27)
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, restval="")


def _dialogues(downloads: Path, folder: Path) -> Converted:
    """EmpatheticDialogues: odd utterances are the speaker's, even ones the listener's."""
    labels: dict[str, list[list[str]]] = {}
    if (folder / _TURN_LABELS).is_file():
        labels = {row["id"]: row["turns"] for row in read_lines(folder / _TURN_LABELS)}
    with tarfile.open(downloads / "empatheticdialogues.tar.gz") as archive:
        for split in ("train", "valid"):
            member = archive.extractfile(f"empatheticdialogues/{split}.csv")
            if member is None:
                raise DataError(f"EmpatheticDialogues' archive has no {split}.csv")
            with io.TextIOWrapper(member, encoding="utf-8", newline="") as file:
                # As its authors read it: one line a row, commas escaped, quotes mean nothing.
                rows = list(csv.DictReader(file, restval="", quoting=csv.QUOTE_NONE))
            yield f"empathetic_dialogues/{split}.jsonl.gz", _talks(rows, labels)


def _talks(
    rows: list[dict[str, str]], labels: Mapping[str, list[list[str]]]
) -> Iterator[dict[str, Any]]:
    talks: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        talks.setdefault(row["conv_id"], []).append(row)
    for name, talk in talks.items():
        talk.sort(key=lambda row: int(row["utterance_idx"]))
        known = {_letters(text): label for text, label in labels.get(name, [])}
        turns = []
        for row in talk:
            text = _plain(row["utterance"])
            turns.append(
                {
                    "role": "speaker" if int(row["utterance_idx"]) % 2 else "listener",
                    "text": text,
                    # A label counts only when it was given to these very words.
                    "label": known.get(_letters(text)),
                }
            )
        first = talk[0]
        situation = _plain(first["prompt"])
        yield {"id": name, "emotion": first["context"], "situation": situation, "turns": turns}


def _plain(text: str) -> str:
    return text.replace("_comma_", ",").strip()


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _intents(downloads: Path, folder: Path) -> Converted:
    """EmpatheticIntents: labelled utterances, and labels of EmpatheticDialogues' turns."""
    for split in ("train", "valid"):
        lines = (downloads / f"{split}.txt").read_text(encoding="utf-8").split("\n")
        pairs = [line.split(" <SEP> ", 1) for line in lines if line.strip()]
        rows = [{"label": _INTENT_IDS[int(label)], "text": text.strip()} for label, text in pairs]
        yield f"empathetic_intents/{split}.jsonl.gz", rows
    turns: dict[str, list[list[str]]] = {}
    for emotion in EMOTIONS:
        for row in _csv_rows(downloads / f"{emotion}.csv"):
            if row["Type"] == "utterance":
                turns.setdefault(row["Dialog_ID"], []).append([row["Text"], row["Label"]])
    yield _TURN_LABELS, ({"id": name, "turns": each} for name, each in turns.items())


def _counselling(downloads: Path, _: Path) -> Converted:
    """CounselChat: a row an answer, its question repeated."""
    rows = list(_csv_rows(downloads / "counsel_chat.csv"))
    yield (
        "counsel_chat/answers.jsonl.gz",
        (
            {
                "id": f"{row['questionID']}-{place}",
                "question_id": row["questionID"],
                "text": row["answerText"],
                "upvotes": int(row["upvotes"]),
                "topic": row["topic"],
            }
            for place, row in enumerate(rows)
        ),
    )
    yield (
        "counsel_chat/questions.jsonl.gz",
        (
            {
                "id": name,
                "title": row["questionTitle"],
                "text": row["questionText"],
                "topic": row["topic"],
                "url": row["questionLink"],
            }
            # Backwards, so that the first row of a question is the one that stays.
            for name, row in {row["questionID"]: row for row in reversed(rows)}.items()
        ),
    )


def _sdcnl(downloads: Path, _: Path) -> Converted:
    """SDCNL: the training part only; the authors' test part stays unseen."""
    rows = _csv_rows(downloads / "training-set.csv")
    yield (
        "crisis/sdcnl_train.jsonl.gz",
        (
            {
                "text": f"{row['title']}\n{row['selftext']}".strip(),
                "suicide": int(row["is_suicide"]),
            }
            for row in rows
        ),
    )


def _cssrs(downloads: Path, _: Path) -> Converted:
    """C-SSRS users: the posts of a person are written as a Python list."""
    yield (
        "crisis/cssrs_users.jsonl.gz",
        (
            {"id": row["User"], "posts": ast.literal_eval(row["Post"]), "label": row["Label"]}
            for row in _csv_rows(downloads / "users.csv")
        ),
    )


_GITHUB: Final = "https://raw.githubusercontent.com"
_INTENTS_URL: Final = (
    f"{_GITHUB}/anuradha1992/EmpatheticIntents/de8dc61e4b260f81b718e0a73e05b3928f620f2d/datasets"
)

SETS: Final = (
    PublicSet(
        # Before EmpatheticDialogues, whose turns it labels.
        title="EmpatheticIntents",
        licence="none stated; made from EmpatheticDialogues; cite Welivita and Pu 2020",
        urls={f"{each}.txt": f"{_INTENTS_URL}/train_data/{each}.txt" for each in ("train", "valid")}
        | {
            f"{each}.csv": f"{_INTENTS_URL}/empatheticdialogues_annotated/{each}.csv"
            for each in EMOTIONS
        },
        outputs={
            "empathetic_intents/train.jsonl.gz": 22_000,
            "empathetic_intents/valid.jsonl.gz": 3_000,
            _TURN_LABELS: 24_000,
        },
        convert=_intents,
        spoils=tuple(f"empathetic_dialogues/{each}.jsonl.gz" for each in ("train", "valid")),
    ),
    PublicSet(
        title="EmpatheticDialogues",
        licence="CC BY-NC 4.0, not for commercial use; cite Rashkin et al. 2019",
        urls={
            "empatheticdialogues.tar.gz": (
                "https://dl.fbaipublicfiles.com/parlai/empatheticdialogues/"
                "empatheticdialogues.tar.gz"
            )
        },
        sha256={
            "empatheticdialogues.tar.gz": (
                "56f234d77b7dd1f005fd365bb17769cfe346c3c84295b69bc069c8ccb83be03d"
            )
        },
        # The paper's sizes of the splits.
        outputs={
            "empathetic_dialogues/train.jsonl.gz": 19_533,
            "empathetic_dialogues/valid.jsonl.gz": 2_770,
        },
        convert=_dialogues,
    ),
    PublicSet(
        title="CounselChat",
        licence="MIT; cite Bertagnolli 2020",
        urls={
            "counsel_chat.csv": (
                f"{_GITHUB}/nbertagnolli/counsel-chat/bc06d4ecfc46021a17e333a5b79e8fce73b48e06"
                "/data/20200325_counsel_chat.csv"
            )
        },
        outputs={"counsel_chat/answers.jsonl.gz": 2_129, "counsel_chat/questions.jsonl.gz": 800},
        convert=_counselling,
    ),
    PublicSet(
        title="SDCNL",
        licence="none stated; cite Haque et al. 2021",
        urls={
            "training-set.csv": (
                f"{_GITHUB}/ayaanzhaque/SDCNL/2e0b2001e60c55d611e4c2616017fe80b054e455"
                "/data/training-set.csv"
            )
        },
        outputs={"crisis/sdcnl_train.jsonl.gz": 1_500},
        convert=_sdcnl,
    ),
    PublicSet(
        title="C-SSRS users",
        licence="CC BY (Zenodo record 2667859); cite Gaur et al. 2019",
        urls={
            "users.csv": (
                f"{_GITHUB}/AmanuelF/Suicide-Risk-Assessment-using-Reddit"
                "/3490323c683e05fed293af746462a78c830557f5"
                "/anonymized_dataset/500_Reddit_users_posts_labels.csv"
            )
        },
        outputs={"crisis/cssrs_users.jsonl.gz": 490},
        convert=_cssrs,
    ),
)
"""The public sets, in the order in which they are made."""
