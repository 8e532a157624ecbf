"""Fixtures of the tests that run a real engine over tiny weights."""

from pathlib import Path

import pytest

from models.chat import ChatModel
from tests.models.tiny_encoder import tiny_encoder
from tests.models.tiny_llama import build, load

__all__ = ["tiny_encoder"]


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def llama(llama_folder: Path) -> ChatModel:
    return load(llama_folder)
