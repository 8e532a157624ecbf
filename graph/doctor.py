"""What `empathy doctor` says: what is installed and used, and what to do about what is wrong."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, NamedTuple

from graph.resources import Resources, load_resources
from graph.settings import Settings

if TYPE_CHECKING:
    from knowledge.store import CollectionInfo

_PACKAGES: Final = (
    "torch",
    "transformers",
    "sentence-transformers",
    "langgraph",
    "langchain-huggingface",
    "chromadb",
    "langserve",
)
_EXTRAS: Final = {
    "llama-cpp-python": "make fast",
    "langchain-openai": "pip install 'empathy-graph[openai]'",
    "langgraph-cli": "pip install 'empathy-graph[studio]'",
}
_LEAST_DISK: Final = 2 * 1024**3


class Check(NamedTuple):
    """One thing looked at."""

    name: str
    ok: bool
    said: str


def examine(settings: Settings) -> list[Check]:
    """Load everything as a conversation would and say how it went."""
    resources = load_resources(settings, progress=sys.stderr.isatty())
    return [*_installation(settings), *_loaded(resources)]


def report(checks: list[Check]) -> str:
    """Lay the checks out for reading."""
    width = max(len(check.name) for check in checks)
    lines = [f"{'ok ' if c.ok else '!! '} {c.name:<{width}}  {c.said}" for c in checks]
    wrong = sum(not check.ok for check in checks)
    verdict = f"{wrong} to mend, marked !!" if wrong else "all is well"
    return "\n".join([*lines, "", verdict])


def _installation(settings: Settings) -> list[Check]:
    python = platform.python_version()
    checks = [Check("python", sys.version_info >= (3, 11), f"{python} on {platform.system()}")]
    checks += [_package(name, "run `make install`", needed=True) for name in _PACKAGES]
    checks += [_package(name, how, needed=False) for name, how in _EXTRAS.items()]
    for name, folder in (("data", settings.data_dir), ("cache", settings.cache_dir)):
        parent = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(parent).free
        said = f"{folder}, {free / 1024**3:.0f} GB free"
        checks.append(Check(f"{name} folder", free > _LEAST_DISK, said))
    return checks


def _package(name: str, how: str, *, needed: bool) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, not needed, f"not installed; {how}" + ("" if needed else " adds it"))


def _loaded(resources: Resources) -> list[Check]:
    seen, chat, store = resources.perception, resources.chat, resources.store
    problems: dict[str, str] = {}
    for problem in resources.problems:
        name, why = problem.split(": ", 1)
        problems[name] = f"{problems[name]}; {why}" if name in problems else why

    def check(name: str, said: str | None, without: str) -> Check:
        why = problems.pop(name, None)
        if why is not None:
            return Check(name, False, f"{why} — {without}")
        return Check(name, said is not None, said or f"not loaded — {without}")

    encoder = seen.encoder
    registry = resources.registry
    index = store.info() if store else []
    none_asked = resources.settings.chat_model == "none"
    written = f"{chat.name} on {chat.device}, engine {chat.engine}" if chat else None
    if none_asked:
        written = "none, by setting: replies are composed"
    checks = [
        check("encoder", encoder.id if encoder else None, "every message escalates"),
        check("adapter", "loaded" if seen.reader else None, "every message escalates"),
        check("emotion head", _labels(seen.emotion_head), "emotion stays unknown"),
        check("intent head", _labels(seen.intent_head), "replies acknowledge only"),
        check("crisis head", "loaded" if seen.crisis_reader else None, "every message escalates"),
        check(
            "retrieval adapter",
            resources.retrieval.encoder.id if resources.retrieval else None,
            "replies offer no strategy",
        ),
        check(
            "contraindications",
            "loaded" if resources.contraindications else None,
            "replies offer no strategy",
        ),
        check(
            "strategies",
            next((_held(each) for each in index if each["collection"] == "strategies"), None),
            "replies offer no coping card",
        ),
        *(
            check(each["collection"], _held(each), "replies do not draw on it")
            for each in index
            if each["collection"] != "strategies"
        ),
        check(
            "helplines",
            f"{len(registry.countries)} countries" if registry else None,
            "escalation names findahelpline.com only",
        ),
        check("review rules", "loaded" if resources.reviewer else None, "replies are composed"),
        check(
            "protocol texts",
            "loaded" if resources.protocol_texts else None,
            "escalation gives one constant reply",
        ),
        check("chat model", written, "replies are composed"),
    ]
    return checks + [Check(name, False, why) for name, why in problems.items()]


def _held(collection: CollectionInfo) -> str:
    return f"{collection['entries']} entries, {collection['passages']} passages"


def _labels(head: object) -> str | None:
    labels = getattr(head, "labels", None)
    return f"{len(labels)} labels" if labels else None
