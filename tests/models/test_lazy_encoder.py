import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models import lazy_encoder
from models.encoder import EMBEDDED_ID, EncoderEmbeddings
from models.lazy_encoder import LazyEncoder, plain_id
from tests.fakes import FakeEncoder

ROOT = Path(__file__).parents[2]
SENTENCE = "Unbelievable: I can't sleep!"


class Loading:
    """Loads a fake, and says how often."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.encoder = FakeEncoder()

    def __call__(self, name: str) -> Any:
        self.names.append(name)
        return self.encoder


def test_the_encoder_is_loaded_once_and_only_to_embed() -> None:
    load = Loading()
    encoder = LazyEncoder("fake-encoder", load=load)
    assert (encoder.id, load.names) == ("fake-encoder", [])
    expected = EncoderEmbeddings(load.encoder).embed_documents([SENTENCE])
    assert encoder.embed_documents([SENTENCE]) == expected
    assert encoder.embed_query(SENTENCE) == expected[0]
    assert load.names == ["fake-encoder"]


def test_without_a_tokenizer_file_the_encoder_counts(tmp_path: Path) -> None:
    load = Loading()
    load.encoder.id = str(tmp_path)
    assert LazyEncoder(str(tmp_path), load=load).count("one two.") == 3
    load.encoder.id = "no such/name/of a model"
    assert LazyEncoder("no such/name/of a model", load=load).count("one two.") == 3


def test_the_wrong_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="'fake-encoder' was loaded as 'other'"):
        LazyEncoder("other", load=Loading()).embed_query("x")


def test_an_encoder_with_an_adapter_goes_by_its_own_id() -> None:
    load = Loading()
    load.encoder.id = "fake-encoder+abc"
    encoder = LazyEncoder("fake-encoder", id="fake-encoder+abc", load=load)
    assert (encoder.id, load.names) == ("fake-encoder+abc", [])
    assert encoder.model is load.encoder
    encoder.embed_query(SENTENCE)
    assert encoder.model is load.encoder
    # It is loaded, once, by the name of the plain one.
    assert load.names == ["fake-encoder"]
    assert load.encoder.passes == {SENTENCE: 1}


def test_the_plain_encoder_is_not_taken_for_the_adapted_one() -> None:
    encoder = LazyEncoder("fake-encoder", id="fake-encoder+abc", load=Loading())
    with pytest.raises(ValueError, match=r"'fake-encoder' was loaded as 'fake-encoder\+abc'"):
        _ = encoder.model


def test_the_packaged_encoder_has_an_id_of_its_own() -> None:
    assert plain_id("embedded") == EMBEDDED_ID
    assert plain_id("intfloat/e5-small") == "intfloat/e5-small"


def test_a_folders_tokenizer_counts_past_its_cut(tmp_path: Path) -> None:
    words = {"[UNK]": 0, "rain": 1, "snow": 2}
    tokenizer = {
        "version": "1.0",
        "truncation": {
            "max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right",
        },
        "padding": {
            "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": None,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]",
        },
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    load = Loading()
    assert LazyEncoder(str(tmp_path), load=load).count("rain snow rain snow hail") == 5
    assert load.names == []


def test_a_model_of_the_hub_counts_by_its_cached_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def cached(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    expected = tmp_path / "tokenizer.json"
    assert lazy_encoder._tokenizer_file("all-MiniLM-L12-v2") == expected
    assert lazy_encoder._tokenizer_file("intfloat/e5-small") == expected
    assert [name for name, _ in asked] == [
        "sentence-transformers/all-MiniLM-L12-v2",
        "intfloat/e5-small",
    ]


def test_the_packaged_encoder_counts_without_torch() -> None:
    code = (
        "import sys; from models.lazy_encoder import LazyEncoder\n"
        f"encoder = LazyEncoder(); print(encoder.id, encoder.count({SENTENCE!r}),"
        " encoder.count('a ' * 1000))\n"
        "print(*[n for n in ('torch', 'transformers') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # unbelievable : i can ' t sleep !
    assert done.stdout == f"{EMBEDDED_ID} 8 1000\n\n"
