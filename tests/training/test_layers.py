"""Layers beside the adapter's: fitted apart, and weighed on text that none has seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.encoder import pool
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS, EMOTION_LABELS
from models.terms import TERMS, terms_of
from tests.fakes import FakeEncoder
from training.examples import Example, soft_level
from training.fit import Labelled, calibrate
from training.layers import crisis_head, with_terms

DIMS = 3
WORDS = {"none": "bus late", "concern": "empty days", "high": "want to die", "imminent": "goodbye"}


def test_the_emotion_head_gets_weights_of_terms_and_keeps_its_own() -> None:
    weight = np.ones((len(EMOTION_LABELS), DIMS), dtype=np.float32)
    head = LinearHead(EMOTION_LABELS, weight, weight[:, 0])
    examples = [Example(label, emotion=i) for i, label in enumerate(EMOTION_LABELS)] * 3

    found = with_terms(head, [*examples, Example("an answer", reply_intent=2)])

    assert np.array_equal(found.weight, head.weight) and np.array_equal(found.bias, head.bias)
    assert found.term_weight is not None
    assert found.term_weight.shape == (TERMS, len(EMOTION_LABELS))
    assert found.term_weight.dtype == np.float32
    vector = np.zeros(DIMS, dtype=np.float32)
    assert next(iter(found.scores(vector, terms_of(["very lonely"])))) == "lonely"


def rated(*, weight: float = 1.0) -> list[Example]:
    harmless = [Example("the bus was early", crisis=soft_level("none"), crisis_weight=weight)] * 6
    return (
        harmless
        + [
            Example(text, crisis=soft_level(level), crisis_weight=1.0)
            for level, text in WORDS.items()
        ]
        * 3
    )


def test_both_layers_of_danger_know_the_words_of_a_level(tmp_path: Path) -> None:
    encoder = FakeEncoder()

    head = crisis_head(encoder, rated(), tmp_path)

    assert head.labels == CRISIS_LEVELS
    assert head.term_weight is not None
    vectors = np.stack([pool(each) for each in encoder.encode(list(WORDS.values()))])
    terms = terms_of(list(WORDS.values()))
    # Of the four texts, the one of a level speaks most for it, in either layer alone.
    assert (vectors @ head.weight.T).argmax(axis=0).tolist() == [0, 1, 2, 3]
    assert (terms @ head.term_weight).argmax(axis=0).tolist() == [0, 1, 2, 3]
    assert head.probabilities(vectors, terms).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_text_counts_with_its_weight(tmp_path: Path) -> None:
    words = "the bus was early"
    vector = pool(FakeEncoder().encode([words])[0])

    light, heavy = (
        crisis_head(FakeEncoder(), rated(weight=weight), tmp_path).scores(
            vector, terms_of([words])
        )["none"]
        for weight in (0.01, 1.0)
    )

    assert heavy > light


def head_of_two(vector_is_right: bool, terms_are_right: bool) -> tuple[LinearHead, Labelled]:
    """Return a head of two labels whose parts are right, or of no use, and texts to weigh them."""
    rng = np.random.default_rng(5)
    labels = [("a", "b")[i % 2] for i in range(80)]
    truth = np.array([[1.0, -1.0] if label == "a" else [-1.0, 1.0] for label in labels])
    noise = rng.choice([-1.0, 1.0], (80, 1)) * [[1.0, -1.0]]
    vectors = np.where(rng.random((80, 1)) < 0.8, truth if vector_is_right else noise, noise)
    words = np.where(rng.random(80) < 0.8, labels, rng.choice(["a", "b"], 80))
    if not terms_are_right:
        words = rng.choice(["a", "b"], 80)
    weight = np.zeros((TERMS, 2), dtype=np.float32)
    for column, word in enumerate("ab"):
        weight[terms_of([word]).indices[:-1], column] = 1.0
    head = LinearHead(("a", "b"), np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    seen = Labelled(vectors.astype(np.float32), labels, terms_of(list(words)))
    return replace(head, term_weight=weight), seen


def test_each_part_counts_as_much_as_it_is_right() -> None:
    def weights(vector_is_right: bool, terms_are_right: bool) -> tuple[float, float]:
        head, seen = head_of_two(vector_is_right, terms_are_right)
        calibrated = calibrate(head, seen)
        assert calibrated.term_weight is not None
        return float(calibrated.weight[0, 0]), float(calibrated.term_weight.max())

    both, vector_only, terms_only = weights(True, True), weights(True, False), weights(False, True)

    assert min(both) > 0.2
    assert vector_only[0] > 3 * vector_only[1]
    assert terms_only[1] > 3 * terms_only[0]


def test_calibration_lowers_the_loss_on_what_it_sees() -> None:
    head, seen = head_of_two(True, True)
    truth = [head.labels.index(label) for label in seen.labels]

    def loss(each: LinearHead) -> float:
        chances = each.probabilities(seen.vectors, seen.terms)[range(len(truth)), truth]
        return float(-np.log(chances).mean())

    sharp = replace(head, weight=head.weight * 9, bias=head.bias + np.float32(0.2))
    assert loss(calibrate(sharp, seen)) < loss(sharp)
    assert loss(calibrate(head, seen)) <= loss(head) + 1e-6


def test_a_head_without_terms_has_one_temperature() -> None:
    head, seen = head_of_two(True, True)
    plain = replace(head, term_weight=None)

    calibrated = calibrate(plain, replace(seen, terms=None))

    assert calibrated.term_weight is None
    scale = calibrated.weight[0, 0]
    assert np.allclose(calibrated.weight, plain.weight * scale)
