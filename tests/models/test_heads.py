"""The heads: what they compute, and that a file is read whole and right or not at all."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from models.heads import LinearHead, load_head, save_head
from models.labels import CRISIS_LEVELS
from models.terms import TERMS, terms_of
from models.weight_files import MANIFEST, WeightsError

ENCODER = "some-encoder"


def ordinal(*probabilities: float, thresholds: tuple[float, ...] = (0.5, 0.5, 0.5)) -> LinearHead:
    """Build a head with these probabilities, whatever it reads."""
    weight = np.zeros((4, 2), dtype=np.float32)
    return LinearHead(CRISIS_LEVELS, weight, np.log(probabilities).astype(np.float32), thresholds)


ANY = np.zeros(2, dtype=np.float32)


@pytest.fixture
def head() -> LinearHead:
    random = np.random.default_rng(1)
    weight = random.normal(size=(3, 4)).astype(np.float32)
    return LinearHead(("a", "b", "c"), weight, np.zeros(3, dtype=np.float32), (0.25, 0.5))


# --- What they compute --------------------------------------------------------------------------


def test_probabilities_of_one_and_of_many(head: LinearHead) -> None:
    rows = np.eye(4, dtype=np.float32)

    many = head.probabilities(rows)

    assert many.shape == (4, 3)
    assert np.allclose(many.sum(axis=1), 1)
    assert np.allclose(head.probabilities(rows[2]), many[2])
    logits = np.exp(head.weight[:, 2])
    assert np.allclose(many[2], logits / logits.sum(), atol=1e-6)


def test_large_logits_do_not_overflow() -> None:
    weight = np.array([[1000], [-1000]], dtype=np.float32)
    head = LinearHead(("a", "b"), weight, np.zeros(2, dtype=np.float32))

    assert head.scores(np.ones(1, dtype=np.float32)) == {"a": 1.0, "b": 0.0}


def test_scores_are_sorted(head: LinearHead) -> None:
    scores = list(head.scores(np.ones(4, dtype=np.float32)).values())

    assert scores == sorted(scores, reverse=True)


def test_another_number_of_features_is_explained(head: LinearHead) -> None:
    with pytest.raises(WeightsError, match=r"4 features.*gives 5"):
        head.probabilities(np.zeros(5, dtype=np.float32))


@pytest.mark.parametrize(
    ("probabilities", "level", "danger"),
    [
        ((0.9, 0.05, 0.03, 0.02), "none", 0.1),
        # No level is likely on its own, but some danger is.
        ((0.4, 0.25, 0.2, 0.15), "concern", 0.6),
        ((0.2, 0.2, 0.35, 0.25), "high", 0.8),
        ((0.1, 0.1, 0.2, 0.6), "imminent", 0.9),
    ],
)
def test_ordinal_levels_add_up_from_above(
    probabilities: tuple[float, ...], level: str, danger: float
) -> None:
    found, score = ordinal(*probabilities).ordinal(ANY)

    assert found == level
    assert score == pytest.approx(danger, abs=1e-5)


def test_each_level_has_its_own_threshold() -> None:
    probabilities = (0.7, 0.1, 0.1, 0.1)

    assert ordinal(*probabilities).ordinal(ANY)[0] == "none"
    assert ordinal(*probabilities, thresholds=(0.25, 0.9, 0.9)).ordinal(ANY)[0] == "concern"
    assert ordinal(*probabilities, thresholds=(0.25, 0.9, 0.05)).ordinal(ANY)[0] == "imminent"


@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), st.floats(0.01, 0.99))
def test_a_lower_threshold_never_lowers_the_level(raw: list[float], threshold: float) -> None:
    probabilities = [value / sum(raw) for value in raw]

    def rank(threshold: float) -> int:
        level, _ = ordinal(*probabilities, thresholds=(threshold,) * 3).ordinal(ANY)
        return CRISIS_LEVELS.index(level)

    assert rank(threshold / 2) >= rank(threshold)


def test_each_window_of_a_text_counts_with_its_share_of_the_odds() -> None:
    weight = np.log(np.array([[0.9, 0.4], [0.05, 0.1], [0.03, 0.2], [0.02, 0.3]], np.float32))
    head = LinearHead(CRISIS_LEVELS, weight, np.zeros(4, dtype=np.float32), (0.4, 0.4, 0.4))
    windows = np.eye(2, dtype=np.float32)

    assert np.allclose(head.reached(windows[1]), [0.6, 0.5, 0.3])
    # Odds of 3:2, 1:1 and 3:7, halved.
    assert np.allclose(head.reached(windows), [3 / 7, 1 / 3, 3 / 17])
    assert head.ordinal(windows[1])[0] == "high"
    assert head.ordinal(windows) == ("concern", pytest.approx(3 / 7))


# --- Terms --------------------------------------------------------------------------------------


@pytest.fixture
def wide(head: LinearHead) -> LinearHead:
    """The head with weights for the terms of "my cat" that speak for "c"."""
    weight = np.zeros((TERMS, 3), dtype=np.float32)
    weight[terms_of(["my cat"]).indices[:-1], 2] = 5.0
    return replace(head, term_weight=weight)


def test_terms_add_to_what_the_vector_says(wide: LinearHead) -> None:
    vector = np.zeros(4, dtype=np.float32)

    other = wide.probabilities(vector, terms_of(["quiet morning"]))
    found = wide.probabilities(vector, terms_of(["my cat"]))

    assert np.allclose(other, 1 / 3, atol=0.05)
    assert found[2] > 0.9
    many = wide.probabilities(np.stack([vector] * 2), terms_of(["quiet morning", "my cat"]))
    assert np.allclose(many, [other, found])
    assert next(iter(wide.scores(vector, terms_of(["my cat"])))) == "c"


def test_a_head_with_terms_does_not_read_a_vector_alone(wide: LinearHead) -> None:
    with pytest.raises(WeightsError, match="terms"):
        wide.probabilities(np.zeros(4, dtype=np.float32))


def test_terms_are_saved_in_a_byte_each(wide: LinearHead, tmp_path: Path) -> None:
    assert wide.term_weight is not None
    weight = np.random.default_rng(3).normal(0, 1, wide.term_weight.shape).astype(np.float32)
    weight[:, 1] *= 100
    weight[:, 2] = 0
    path = save_head(replace(wide, term_weight=weight), "emotion", ENCODER, tmp_path)

    loaded = load_head("emotion", ENCODER, tmp_path).term_weight

    assert path.stat().st_size < weight.size * 1.05
    assert loaded is not None and loaded.dtype == np.float32
    assert np.all(np.abs(loaded - weight) <= np.abs(weight).max(axis=0) / 250)
    assert not loaded[:, 2].any()


def test_terms_of_another_size_are_refused(wide: LinearHead, tmp_path: Path) -> None:
    assert wide.term_weight is not None
    save_head(replace(wide, term_weight=wide.term_weight[:-1]), "emotion", ENCODER, tmp_path)

    with pytest.raises(WeightsError, match=r"terms of the shape.*: restore the file"):
        load_head("emotion", ENCODER, tmp_path)


# --- Files --------------------------------------------------------------------------------------


def test_what_was_saved_is_loaded(head: LinearHead, tmp_path: Path) -> None:
    save_head(head, "crisis", ENCODER, tmp_path / "new")
    save_head(head, "emotion", ENCODER, tmp_path / "new")

    loaded = load_head("crisis", ENCODER, tmp_path / "new")

    assert loaded.labels == head.labels
    assert loaded.thresholds == head.thresholds
    assert np.array_equal(loaded.weight, head.weight)
    assert np.array_equal(loaded.bias, head.bias)
    assert len((tmp_path / "new" / MANIFEST).read_text().splitlines()) == 2


def test_the_same_weights_give_the_same_file(head: LinearHead, tmp_path: Path) -> None:
    paths = [save_head(head, "crisis", ENCODER, tmp_path / str(i)) for i in range(5)]

    assert len({path.read_bytes() for path in paths}) == 1


def test_a_new_version_replaces_its_checksum(head: LinearHead, tmp_path: Path) -> None:
    save_head(head, "emotion", ENCODER, tmp_path)
    other = LinearHead(head.labels, head.weight * 2, head.bias)
    save_head(other, "emotion", ENCODER, tmp_path)

    assert np.array_equal(load_head("emotion", ENCODER, tmp_path).weight, other.weight)


def test_a_missing_folder_file_or_manifest(head: LinearHead, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is missing"):
        load_head("emotion", ENCODER, tmp_path / "nowhere")
    path = save_head(head, "emotion", ENCODER, tmp_path)
    with pytest.raises(WeightsError, match=r"intent\.safetensors is missing"):
        load_head("intent", ENCODER, tmp_path)
    path.unlink()
    with pytest.raises(WeightsError, match="is missing"):
        load_head("emotion", ENCODER, tmp_path)
    save_head(head, "emotion", ENCODER, tmp_path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(WeightsError, match=f"{MANIFEST} is missing"):
        load_head("emotion", ENCODER, tmp_path)


@pytest.mark.parametrize("position", [0, 9, 60, -1])
def test_one_changed_byte_is_noticed(head: LinearHead, tmp_path: Path, position: int) -> None:
    path = save_head(head, "emotion", ENCODER, tmp_path)
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)

    with pytest.raises(WeightsError, match="does not match"):
        load_head("emotion", ENCODER, tmp_path)


def test_the_heads_of_another_encoder_are_refused(head: LinearHead, tmp_path: Path) -> None:
    save_head(head, "emotion", ENCODER, tmp_path)

    with pytest.raises(WeightsError, match="'some-encoder', not 'other'"):
        load_head("emotion", "other", tmp_path)


def record(path: Path) -> None:
    """Write the checksum of a file that `save_head` did not write."""
    import hashlib

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / MANIFEST).write_text(f"{digest}  {path.name}\n")


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\xff" * 64])
def test_a_file_that_is_no_head_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "emotion.safetensors"
    path.write_bytes(content)
    record(path)

    with pytest.raises(WeightsError, match="cannot be read"):
        load_head("emotion", ENCODER, tmp_path)


@pytest.mark.parametrize(
    ("metadata", "rows", "why"),
    [
        (None, 2, "cannot be read"),
        ({}, 2, "cannot be read"),
        ({"about": "no json"}, 2, "cannot be read"),
        ({"about": "7"}, 2, "cannot be read"),
        ({"about": json.dumps({"encoder": ENCODER})}, 2, "cannot be read"),
        ({"about": json.dumps({"encoder": ENCODER, "labels": 7})}, 2, "cannot be read"),
        ({"about": json.dumps({"encoder": ENCODER, "labels": ["a", "b"]})}, 3, "2 labels for 3"),
    ],
    ids=["none", "empty", "broken", "another kind", "no labels", "labels of another kind", "size"],
)
def test_weights_without_sound_labels_are_refused(
    tmp_path: Path, metadata: dict[str, str] | None, rows: int, why: str
) -> None:
    path = tmp_path / "emotion.safetensors"
    zeros = np.zeros((rows, 4), dtype=np.float32)
    tensors = {"weight": zeros, "bias": zeros[:, 0].copy(), "thresholds": zeros[:0, 0].copy()}
    save_file(tensors, path, metadata=metadata)
    record(path)

    with pytest.raises(WeightsError, match=f"{why}.*: restore the file or train it again"):
        load_head("emotion", ENCODER, tmp_path)


def test_a_broken_manifest_is_refused(head: LinearHead, tmp_path: Path) -> None:
    save_head(head, "emotion", ENCODER, tmp_path)

    for content in (b"", b"onlyoneword\n", b"\xff\xfe\n"):
        (tmp_path / MANIFEST).write_bytes(content)
        with pytest.raises(WeightsError):
            load_head("emotion", ENCODER, tmp_path)
