from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models import query_bank
from models.query_bank import QUERY_BANK, QueryBank, load_query_bank, save_query_bank
from models.weight_files import WeightsError, weights_path, write_tensors


def unit(rows: int, dimensions: int = 8) -> NDArray[np.float32]:
    vectors = np.random.default_rng(rows).normal(size=(rows, dimensions))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def test_hubness_by_hand() -> None:
    # The cosine of each question to the first axis is its first number.
    bank = QueryBank(np.array([[1, 0], [0.6, 0.8], [0.2, 0.98]], dtype=np.float32), "bank")
    passages = np.array([[1, 0], [0, 1]], dtype=np.float32)
    assert bank.hubness(passages) == pytest.approx([(0.6 + 0.2) / 2, (0.8 + 0) / 2])


def test_the_ten_next_to_the_nearest_question_count() -> None:
    cosines = np.array([0.95, *np.linspace(0.3, 0.75, 10), 0.1, -0.9], dtype=np.float32)
    questions = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)
    passage = np.array([[1, 0]], dtype=np.float32)
    expected = np.linspace(0.3, 0.75, 10).mean()
    assert QueryBank(questions, "bank").hubness(passage) == pytest.approx([expected])
    # A passage that answers one question still better is no more of a hub for that.
    questions[0] = [1, 0]
    assert QueryBank(questions, "bank").hubness(passage) == pytest.approx([expected])
    questions[5] = questions[0]
    assert QueryBank(questions, "bank").hubness(passage) > expected


@pytest.mark.parametrize("questions", [0, 1])
def test_a_bank_with_too_few_questions_lowers_nothing(questions: int) -> None:
    assert QueryBank(unit(questions), "bank").hubness(unit(3)).tolist() == [0, 0, 0]


def test_no_passages() -> None:
    assert QueryBank(unit(12), "bank").hubness(unit(0)).shape == (0,)


def test_many_passages_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, passages = QueryBank(unit(20), "bank"), unit(7)
    whole = bank.hubness(passages)
    assert whole.dtype == np.float32
    monkeypatch.setattr(query_bank, "_ROWS", 3)
    assert bank.hubness(passages) == pytest.approx(whole)


def test_a_bank_is_read_as_it_was_written(tmp_path: Path) -> None:
    vectors = unit(5)
    path = save_query_bank([*vectors], "encoder+retrieval", tmp_path)
    assert path == weights_path(QUERY_BANK, tmp_path)
    bank = load_query_bank("encoder+retrieval", tmp_path)
    assert bank.vectors == pytest.approx(vectors, abs=1e-3)
    assert bank.vectors.dtype == np.float32
    # The id goes by the content: an index that was made with other questions is made again.
    assert load_query_bank("encoder+retrieval", tmp_path).id == bank.id
    save_query_bank([*vectors[:4]], "encoder+retrieval", tmp_path)
    assert load_query_bank("encoder+retrieval", tmp_path).id != bank.id


def test_a_bank_of_another_encoder_is_refused(tmp_path: Path) -> None:
    save_query_bank([*unit(5)], "one", tmp_path)
    with pytest.raises(WeightsError, match="encoder 'one', not 'two': train again or change"):
        load_query_bank("two", tmp_path)


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    write_tensors({"other": unit(2)}, {"encoder": "one"}, weights_path(QUERY_BANK, tmp_path))
    with pytest.raises(WeightsError):
        load_query_bank("one", tmp_path)


def test_a_damaged_or_missing_bank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is missing"):
        load_query_bank("one", tmp_path)
    path = save_query_bank([*unit(5)], "one", tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="does not match"):
        load_query_bank("one", tmp_path)
