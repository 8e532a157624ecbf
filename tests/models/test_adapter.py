"""The adapter: what it adds, what it leaves alone, and that a file is read right or not at all."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from models.adapter import (
    RETRIEVAL,
    adapted_id,
    fits,
    load_adapted,
    save_adapter,
    transformer_of,
)
from models.encoder import SentenceEncoder, Vector, pool
from models.heads import LinearHead, load_head, save_head
from models.weight_files import MANIFEST, WeightsError
from tests.models.tiny_encoder import DIMS, TEXTS, linear_layers

RANK = 2
SCALE = 0.5
QUERY = "encoder.layer.0.attention.self.query"

Layers = dict[str, tuple[Vector, Vector]]


def random_layers(encoder: SentenceEncoder, seed: int = 1) -> Layers:
    """Return A and B for every linear layer; half precision holds their numbers exactly."""
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> Vector:
        return random.normal(0, 0.3, shape).astype(np.float16).astype(np.float32)

    return {
        name: (matrix(RANK, weight.shape[1]), matrix(weight.shape[0], RANK))
        for name, weight in linear_layers(encoder).items()
    }


@pytest.fixture
def layers(tiny_encoder: SentenceEncoder) -> Layers:
    return random_layers(tiny_encoder)


def fresh(encoder: SentenceEncoder) -> list[Vector]:
    """Encode anew, with no cache between."""
    return [pool(each) for each in SentenceEncoder(encoder.model, "fresh").encode(TEXTS)]


# --- What it adds -------------------------------------------------------------------------------


def test_each_layer_is_its_weight_plus_the_scaled_product(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    save_adapter(layers, SCALE, tiny_encoder.id, tmp_path)

    adapted = linear_layers(load_adapted(tiny_encoder, tmp_path))

    plain = linear_layers(tiny_encoder)
    assert len(adapted) == 12
    for name, (down, up) in layers.items():
        assert np.allclose(adapted[name], plain[name] + SCALE * up @ down, atol=1e-6), name


def test_the_vectors_are_those_of_the_summed_weights_and_the_plain_ones_stay(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    import copy

    import torch

    save_adapter(layers, SCALE, tiny_encoder.id, tmp_path)
    before = fresh(tiny_encoder)
    by_hand = copy.deepcopy(tiny_encoder.model)
    for name, (down, up) in layers.items():
        weight = by_hand[0].auto_model.get_submodule(name).weight
        weight.data += SCALE * torch.from_numpy(up @ down)

    found = fresh(load_adapted(tiny_encoder, tmp_path))

    assert np.allclose(found, fresh(SentenceEncoder(by_hand, "by hand")), atol=1e-5)
    assert np.abs(np.array(found) - np.array(before)).max() > 0.05
    assert np.array_equal(fresh(tiny_encoder), before)


def test_only_the_named_layers_change(tiny_encoder: SentenceEncoder, tmp_path: Path) -> None:
    save_adapter({QUERY: random_layers(tiny_encoder)[QUERY]}, 1.0, tiny_encoder.id, tmp_path)

    adapted = linear_layers(load_adapted(tiny_encoder, tmp_path))

    plain = linear_layers(tiny_encoder)
    assert [name for name in plain if not np.array_equal(plain[name], adapted[name])] == [QUERY]


def test_the_embeddings_are_shared_and_nothing_else_is(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    save_adapter(layers, SCALE, tiny_encoder.id, tmp_path)

    adapted = load_adapted(tiny_encoder, tmp_path)

    plain = dict(transformer_of(tiny_encoder).named_parameters())
    shared = {
        name
        for name, each in transformer_of(adapted).named_parameters()
        if each.data_ptr() == plain[name].data_ptr()
    }
    assert shared == {"embeddings.word_embeddings.weight"}


def test_the_file_is_half_precision_and_names_its_encoder(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    path = save_adapter(layers, SCALE, tiny_encoder.id, tmp_path)

    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"about": '{"encoder": "tiny-bert", "scale": 0.5}'}
        assert {file.get_tensor(name).dtype for name in file.keys()} == {np.dtype(np.float16)}  # noqa: SIM118
        assert len(file.keys()) == 2 * len(layers)


def test_the_id_tells_adapters_apart_and_heads_record_it(
    tiny_encoder: SentenceEncoder, tmp_path: Path
) -> None:
    save_adapter(random_layers(tiny_encoder, 1), SCALE, tiny_encoder.id, tmp_path)
    first, again = load_adapted(tiny_encoder, tmp_path), load_adapted(tiny_encoder, tmp_path)
    zeros = np.zeros((2, DIMS), dtype=np.float32)
    save_head(LinearHead(("a", "b"), zeros, zeros[:, 0]), "emotion", first.id, tmp_path)
    assert load_head("emotion", again.id, tmp_path).labels == ("a", "b")

    save_adapter(random_layers(tiny_encoder, 2), SCALE, tiny_encoder.id, tmp_path)
    other = load_adapted(tiny_encoder, tmp_path)

    assert first.id == again.id != other.id
    assert first.id.startswith("tiny-bert+")
    with pytest.raises(WeightsError, match="train the heads again"):
        load_head("emotion", other.id, tmp_path)


def test_adapters_of_two_names_lie_side_by_side(
    tiny_encoder: SentenceEncoder, tmp_path: Path
) -> None:
    first, second = random_layers(tiny_encoder, 1), random_layers(tiny_encoder, 2)
    paths = [
        save_adapter(first, SCALE, tiny_encoder.id, tmp_path),
        save_adapter(second, SCALE, tiny_encoder.id, tmp_path, name=RETRIEVAL),
    ]
    assert [path.name for path in paths] == ["adapter.safetensors", "retrieval.safetensors"]

    plain = linear_layers(tiny_encoder)
    for layers, name in ((first, {}), (second, {"name": RETRIEVAL})):
        adapted = linear_layers(load_adapted(tiny_encoder, tmp_path, **name))
        down, up = layers[QUERY]
        assert np.allclose(adapted[QUERY], plain[QUERY] + SCALE * up @ down, atol=1e-6)


def test_the_id_is_known_without_loading_a_model(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    save_adapter(layers, SCALE, tiny_encoder.id, tmp_path)
    save_adapter(random_layers(tiny_encoder, 2), SCALE, tiny_encoder.id, tmp_path, name=RETRIEVAL)

    perception = adapted_id(tiny_encoder.id, tmp_path)
    retrieval = adapted_id(tiny_encoder.id, tmp_path, name=RETRIEVAL)

    assert perception == load_adapted(tiny_encoder, tmp_path).id
    assert retrieval == load_adapted(tiny_encoder, tmp_path, name=RETRIEVAL).id
    assert perception != retrieval
    with pytest.raises(WeightsError, match=r"'tiny-bert', not 'another': train .* EMPATHY_ENCODER"):
        adapted_id("another", tmp_path)


def test_an_adapter_fits_the_encoder_that_it_was_trained_for(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    save_adapter(layers, SCALE, tiny_encoder.id, tmp_path, name=RETRIEVAL)

    assert fits(tiny_encoder.id, tmp_path, name=RETRIEVAL)
    assert not fits("another", tmp_path, name=RETRIEVAL)
    with pytest.raises(WeightsError, match=r"adapter\.safetensors is missing"):
        fits(tiny_encoder.id, tmp_path)


# --- Files --------------------------------------------------------------------------------------


def test_a_missing_adapter_or_manifest_says_what_to_do(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"adapter\.safetensors is missing: restore .* or train"):
        load_adapted(tiny_encoder, tmp_path / "nowhere")
    save_adapter(layers, SCALE, tiny_encoder.id, tmp_path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(WeightsError, match=f"{MANIFEST} is missing: restore .* or train"):
        load_adapted(tiny_encoder, tmp_path)


@pytest.mark.parametrize("damage", ["shorter", "one byte changed", "empty"])
def test_a_file_that_changed_on_disk_is_refused(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path, damage: str
) -> None:
    path = save_adapter(layers, SCALE, tiny_encoder.id, tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    content = {"shorter": data[: len(data) // 2], "empty": b"", "one byte changed": data}
    path.write_bytes(content[damage])

    says = r"does not match .*: restore the file or train it again"
    with pytest.raises(WeightsError, match=says):
        load_adapted(tiny_encoder, tmp_path)
    # A damaged file does not count as one of another encoder, whose plain vectors would be used.
    for look in (adapted_id, fits):
        with pytest.raises(WeightsError, match=says):
            look(tiny_encoder.id, tmp_path)


def record(path: Path) -> None:
    """Write the checksum of a file that `save_adapter` did not write."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / MANIFEST).write_text(f"{digest}  {path.name}\n")


@pytest.mark.parametrize(
    "content", [b"", b"not safetensors", b"\xff" * 64], ids=["empty", "text", "bytes"]
)
def test_a_file_that_is_no_adapter_is_refused(
    tiny_encoder: SentenceEncoder, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "adapter.safetensors"
    path.write_bytes(content)
    record(path)

    with pytest.raises(
        WeightsError, match=r"cannot be read .*: restore the file or train it again"
    ):
        load_adapted(tiny_encoder, tmp_path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"about": '{"encoder": "tiny-bert"}'},
        {"about": '{"encoder": "tiny-bert", "scale": "x"}'},
        {"about": '{"encoder": "tiny-bert", "scale": []}'},
    ],
    ids=["no metadata", "no scale", "broken scale", "scale of another kind"],
)
def test_an_adapter_without_a_sound_scale_is_refused(
    tiny_encoder: SentenceEncoder, tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "adapter.safetensors"
    down, up = random_layers(tiny_encoder)[QUERY]
    save_file({f"{QUERY}.A": down, f"{QUERY}.B": up}, path, metadata=metadata)
    record(path)

    with pytest.raises(
        WeightsError, match=r"cannot be read .*: restore the file or train it again"
    ):
        load_adapted(tiny_encoder, tmp_path)


def test_the_adapter_of_another_encoder_is_refused(
    tiny_encoder: SentenceEncoder, layers: Layers, tmp_path: Path
) -> None:
    save_adapter(layers, SCALE, "another", tmp_path)

    with pytest.raises(WeightsError, match=r"'another', not 'tiny-bert': train .* EMPATHY_ENCODER"):
        load_adapted(tiny_encoder, tmp_path)


ZEROS = np.zeros((64, 64), dtype=np.float32)


@pytest.mark.parametrize(
    "tensors",
    [
        {f"{QUERY}.A": ZEROS[:2, :16], f"{QUERY}.B": ZEROS[:32, :2]},
        {f"{QUERY}.A": ZEROS[:2, :32], f"{QUERY}.B": ZEROS[:64, :2]},
        {f"{QUERY}.A": ZEROS[:2, :32], f"{QUERY}.B": ZEROS[:32, :3]},
        # Numbers of one row or column would be spread over the whole weight.
        {f"{QUERY}.A": ZEROS[:2, :32], f"{QUERY}.B": ZEROS[:1, :2]},
        {f"{QUERY}.A": ZEROS[:2, :1], f"{QUERY}.B": ZEROS[:32, :2]},
        {f"{QUERY}.A": ZEROS[:2, :32]},
        {f"{QUERY}.B": ZEROS[:32, :2]},
        {"encoder.layer.9.attention.self.query.A": ZEROS, "encoder.layer.9.x.B": ZEROS},
        {"embeddings.LayerNorm.A": ZEROS[:2, :32], "embeddings.LayerNorm.B": ZEROS[:32, :2]},
        {},
    ],
    ids=[
        "other inputs",
        "other outputs",
        "other ranks",
        "one row",
        "one column",
        "no B",
        "no A",
        "no such layer",
        "no linear layer",
        "nothing",
    ],
)
def test_matrices_that_do_not_fit_are_refused_and_nothing_is_changed(
    tiny_encoder: SentenceEncoder, tmp_path: Path, tensors: Mapping[str, Any]
) -> None:
    path = tmp_path / "adapter.safetensors"
    arrays = {name: np.ascontiguousarray(each) for name, each in tensors.items()}
    save_file(arrays, path, metadata={"about": '{"encoder": "tiny-bert", "scale": 1.0}'})
    record(path)
    before = linear_layers(tiny_encoder)

    with pytest.raises(WeightsError, match=r"does not fit the encoder.*: .*train"):
        load_adapted(tiny_encoder, tmp_path)

    after = linear_layers(tiny_encoder)
    assert all(np.array_equal(before[name], after[name]) for name in before)
