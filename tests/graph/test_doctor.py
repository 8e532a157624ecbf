"""The doctor: every part is looked at, and what is wrong is named with what follows from it."""

import shutil
from collections import namedtuple
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, cast

import pytest

from graph import doctor
from graph.doctor import Check, examine, report
from graph.resources import Resources
from tests.fakes import FakeChat, FakeStore, fake_resources, fake_settings

PARTS = [
    "encoder",
    "adapter",
    "emotion head",
    "intent head",
    "crisis head",
    "retrieval adapter",
    "contraindications",
    "strategies",
    "helplines",
    "review rules",
    "protocol texts",
    "chat model",
]


@dataclass
class CountedStore(FakeStore):
    """A store that can also say what it holds."""

    holds: tuple[str, ...] = ("strategies",)

    def info(self) -> list[dict[str, Any]]:
        return [{"collection": each, "entries": 2, "passages": 9} for each in self.holds]


def whole(**parts: Any) -> Resources:
    return fake_resources(**{"store": cast(Any, CountedStore())} | parts)


def checks_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: Resources
) -> dict[str, Check]:
    """Examine a machine on which `found` is what could be loaded."""
    monkeypatch.setattr(doctor, "load_resources", lambda settings, progress: found)
    settings = fake_settings(data_dir=tmp_path / "not" / "yet", cache_dir=tmp_path)
    return {check.name: check for check in examine(settings)}


def test_a_sound_machine_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_LEAST_DISK", 0)
    settings = fake_settings(chat_model="o/m")
    found = whole(settings=settings, chat=FakeChat())
    checks = checks_of(monkeypatch, tmp_path, found)

    assert [name for name, check in checks.items() if not check.ok] == []
    assert {"python", "torch", "data folder", "cache folder", *PARTS} <= checks.keys()
    assert checks["encoder"].said == "fake-encoder"
    assert found.perception.emotion_head
    labels = len(found.perception.emotion_head.labels)
    assert checks["emotion head"].said == f"{labels} labels"
    assert checks["intent head"].said == "9 labels"
    assert checks["retrieval adapter"].said == "fake-encoder"
    assert checks["strategies"].said == "2 entries, 9 passages"
    assert checks["chat model"].said == "fake on cpu, engine openai"
    assert "all is well" in report([*checks.values()])


@pytest.mark.parametrize(
    ("name", "parts", "follows"),
    [
        ("encoder", {"encoder": None}, "every message escalates"),
        ("adapter", {"reader": None}, "every message escalates"),
        ("emotion head", {"emotion_head": None}, "emotion stays unknown"),
        ("intent head", {"intent_head": None}, "replies acknowledge only"),
        ("crisis head", {"crisis_reader": None}, "every message escalates"),
        ("retrieval adapter", {"retrieval": None}, "replies offer no strategy"),
        ("contraindications", {"contraindications": None}, "replies offer no strategy"),
        ("strategies", {"store": None}, "replies offer no coping card"),
        (
            "strategies",
            {"store": CountedStore(holds=("counsel_chat",))},
            "replies offer no coping card",
        ),
        ("helplines", {"registry": None}, "escalation names findahelpline.com only"),
        ("review rules", {"reviewer": None}, "replies are composed"),
        ("protocol texts", {"protocol_texts": None}, "escalation gives one constant reply"),
    ],
)
def test_a_part_that_is_missing_is_named_with_what_follows(
    name: str,
    parts: dict[str, Any],
    follows: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    found = whole(**parts)
    silent = checks_of(monkeypatch, tmp_path, found)[name]
    assert silent == Check(name, False, f"not loaded — {follows}")

    why = whole(**parts, problems=(f"{name}: the file: is gone",))
    assert checks_of(monkeypatch, tmp_path, why)[name] == Check(
        name, False, f"the file: is gone — {follows}"
    )


def test_a_problem_counts_even_where_something_was_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = whole(problems=("strategies: left out: a card", "crisis phrases: not TOML"))
    checks = checks_of(monkeypatch, tmp_path, found)

    assert checks["strategies"] == Check(
        "strategies", False, "left out: a card — replies offer no coping card"
    )
    # Not a part of its own in the list, yet not lost.
    assert checks["crisis phrases"] == Check("crisis phrases", False, "not TOML")


def test_every_problem_of_a_part_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = whole(problems=("strategies: left out: one", "strategies: left out: another"))

    said = checks_of(monkeypatch, tmp_path, found)["strategies"].said

    assert said == "left out: one; left out: another — replies offer no coping card"


def test_each_collection_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = whole(
        store=CountedStore(holds=("strategies", "counsel_chat")),
        problems=("notes: there is no collection 'notes'",),
    )
    checks = checks_of(monkeypatch, tmp_path, found)

    assert checks["strategies"] == Check("strategies", True, "2 entries, 9 passages")
    assert checks["counsel_chat"] == Check("counsel_chat", True, "2 entries, 9 passages")
    assert checks["notes"] == Check("notes", False, "there is no collection 'notes'")


def test_no_chat_model_is_fine_only_when_none_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = whole(chat=None, settings=fake_settings(chat_model="o/m"))
    none = whole(chat=None, settings=fake_settings(chat_model="none"))

    assert checks_of(monkeypatch, tmp_path, asked)["chat model"] == Check(
        "chat model", False, "not loaded — replies are composed"
    )
    assert checks_of(monkeypatch, tmp_path, none)["chat model"] == Check(
        "chat model", True, "none, by setting: replies are composed"
    )


def test_a_package_that_is_missing_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def version(name: str) -> str:
        if name in ("torch", "llama-cpp-python"):
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(doctor, "version", version)
    checks = checks_of(monkeypatch, tmp_path, whole())

    assert checks["torch"] == Check("torch", False, "not installed; run `make install`")
    # An extra may be left out.
    assert checks["llama-cpp-python"] == Check(
        "llama-cpp-python", True, "not installed; make fast adds it"
    )
    assert checks["langgraph"] == Check("langgraph", True, "1.2.3")


@pytest.mark.parametrize(("free", "enough"), [(10 * 1024**3, True), (1024**3, False)])
def test_a_folder_needs_room_and_need_not_exist_yet(
    free: int, enough: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = namedtuple("usage", "total used free")
    asked: list[Path] = []

    def disk_usage(path: Path) -> Any:
        asked.append(path)
        return usage(free, 0, free)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    checks = checks_of(monkeypatch, tmp_path, whole())

    said = f"{tmp_path / 'not' / 'yet'}, {free / 1024**3:.0f} GB free"
    assert checks["data folder"] == Check("data folder", enough, said)
    assert checks["cache folder"].ok is enough
    assert asked == [tmp_path, tmp_path]


def test_the_report_marks_and_counts_what_is_wrong() -> None:
    checks = [Check("a", True, "fine"), Check("longer", False, "gone"), Check("b", False, "too")]

    assert report(checks).splitlines() == [
        "ok  a       fine",
        "!!  longer  gone",
        "!!  b       too",
        "",
        "2 to mend, marked !!",
    ]
