"""Nothing heavy loads at import, so that the command and the tests start at once."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_importing_loads_nothing_heavy() -> None:
    # All of them in one process, as each would take seconds for the libraries they share.
    modules = (
        "app, cli, graph.build, graph.doctor, graph.resources, knowledge.ingest, models.chat, "
        "models.chat_hub, models.embedded"
    )

    loaded = run(f"import sys, {modules}; print(*[n for n in {HEAVY} if n in sys.modules])")

    assert loaded.split() == []


@pytest.mark.parametrize("module", ["nodes.emotion", "nodes.review.node"])
def test_a_node_can_be_imported_first(module: str) -> None:
    assert run(f"import {module}; print({module}.__name__)").strip() == module
