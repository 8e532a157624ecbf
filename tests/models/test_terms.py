"""Hashed terms: of one size, the same in every process, and close for misspelt words."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer

from models.terms import TERMS, terms_of


def similarity(one: str, other: str) -> float:
    rows = terms_of([one, other])[:, :-1]
    return float((rows[0] @ rows[1].T).toarray()[0, 0]) / 2


def test_a_text_has_a_row_with_two_parts_of_length_one() -> None:
    rows = terms_of(["my cat ran away", "x", ""])

    assert rows.shape == (3, TERMS)
    assert rows.dtype == np.float32
    assert (rows[:, -1].toarray() == 1).all()
    for part in (rows[:, : TERMS // 2], rows[:, TERMS // 2 : -1]):
        lengths = np.sqrt(part.multiply(part).sum(axis=1)).A1
        assert lengths[0] == pytest.approx(1)
        assert lengths[2] == 0


def test_a_row_does_not_depend_on_the_texts_beside_it() -> None:
    alone, among = terms_of(["my cat ran away"]), terms_of(["hello", "my cat ran away"])

    assert (alone != among[1]).nnz == 0


def test_order_matters_a_little_and_a_slip_is_closer_than_another_word() -> None:
    text = "i want to die"

    assert similarity(text, text) == pytest.approx(1)
    assert 0.5 < similarity(text, "die to want i") < 1
    assert similarity("goodbye", "goodbey") > similarity("goodbye", "morning")


def test_rows_are_those_of_the_vectorizers_of_scikit_learn() -> None:
    texts = ["my cat ran ran away", "", "x", "c'est déjà vu 🙂", "I want to die " * 50]
    common = {"n_features": TERMS // 2, "alternate_sign": False, "dtype": "float32"}
    words = HashingVectorizer(ngram_range=(1, 2), token_pattern=r"\b\w+\b", **common)
    parts = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common)

    rows = terms_of(texts)

    assert (rows[:, : TERMS // 2] != words.transform(texts)).nnz == 0
    assert (rows[:, TERMS // 2 : -1] != parts.transform(texts)).nnz == 0


def test_another_process_hashes_alike() -> None:
    script = "from models.terms import terms_of; print(sorted(terms_of(['my cat ran']).indices))"

    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == str(sorted(terms_of(["my cat ran"]).indices))
