"""Nothing heavy loads at import, so that the command and the tests start at once."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = [
    "chromadb",
    "langchain_chroma",
    "langchain_huggingface",
    "llama_cpp",
    "openai",
    "sentence_transformers",
    "torch",
    "transformers",
]
FIRST = [
    "nodes.emotion",
    "nodes.review.node",
    "nodes.compose",
    "nodes.retrieve",
    "knowledge.contents",
    "knowledge.index.passages",
    "knowledge.reply_parts",
    "knowledge.search",
    "models.query_bank",
]
OURS = ["graph", "knowledge", "models", "nodes"]


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_importing_loads_nothing_heavy() -> None:
    # All of them in one process, as each would take seconds for the libraries they share.
    modules = (
        "app, cli, graph.build, graph.doctor, graph.resources, graph.retrieval, knowledge.ingest, "
        "knowledge.store, models.chat, models.chat_hub, models.embedded, training.question_pairs, "
        "training.retrieval"
    )

    loaded = run(f"import sys, {modules}; print(*[n for n in {HEAVY} if n in sys.modules])")

    assert loaded.split() == []


def test_a_node_can_be_imported_first() -> None:
    # The libraries stay loaded: only a circle among our own modules is looked for.
    code = (
        "import importlib, sys\n"
        f"for first in {FIRST}:\n"
        f"    for name in [n for n in sys.modules if n.split('.')[0] in {OURS}]:\n"
        "        del sys.modules[name]\n"
        "    print(importlib.import_module(first).__name__)\n"
    )
    assert run(code).split() == FIRST
