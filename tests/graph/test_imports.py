"""Nothing heavy loads at import, so that the command and the tests start at once."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ["torch", "transformers", "sentence_transformers", "chromadb", "langchain_huggingface"]


@pytest.mark.parametrize("module", ["graph.build", "graph.resources", "models.chat", "nodes.crisis"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert run.stdout.split() == []


@pytest.mark.parametrize(
    "module",
    ["graph.state", "nodes.conversation", "nodes.emotion", "models.heads", "nodes.review.node"],
)
def test_each_part_can_be_imported_first(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True)
