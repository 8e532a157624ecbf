"""Adapters: low-rank changes to the encoder, one for the three readings and one for retrieval.

LoRA (Hu et al. 2021) adds `scale * B @ A` to a linear layer's weight. The sums are taken once, at
load, in a copy that shares the embeddings with the plain encoder: a reading costs what a plain
pass costs, and no adapter library is needed to run.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from models.encoder import SentenceEncoder
from models.weight_files import (
    RESTORE,
    WEIGHTS_DIR,
    WeightsError,
    read_tensors,
    weights_path,
    write_tensors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from transformers import PreTrainedModel

ADAPTER: Final = "adapter"
"""The perception adapter's file in the folder of weights, without its ending."""

RETRIEVAL: Final = "retrieval"
"""The retrieval adapter's file."""


def save_adapter(
    layers: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    scale: float,
    encoder_id: str,
    folder: Path,
    *,
    name: str = ADAPTER,
) -> Path:
    """Write an adapter in half precision and record its checksum in the folder's manifest.

    Args:
        layers: for the name of each linear layer, A of shape (rank, inputs) and B of shape
            (outputs, rank).
        scale: what the product of the two is multiplied with.
        encoder_id: the encoder that the adapter was trained on.
        folder: where the weights are kept.
        name: of the file.
    """
    tensors = {
        f"{layer}.{part}": matrix.astype(np.float16)
        for layer, pair in layers.items()
        for part, matrix in zip("AB", pair, strict=True)
    }
    about = {"encoder": encoder_id, "scale": scale}
    return write_tensors(tensors, about, weights_path(name, folder))


def load_adapted(
    encoder: SentenceEncoder, folder: Path | None = None, *, name: str = ADAPTER
) -> SentenceEncoder:
    """Return a copy of the encoder with an adapter's weights added.

    Its id names the plain encoder and the adapter's checksum; heads and indexes record it.

    Raises:
        WeightsError: the file is missing, damaged, or made for another encoder.
    """
    path = weights_path(name, folder or WEIGHTS_DIR)
    tensors, about, digest = read_tensors(path)
    try:
        scale = float(about["scale"])
    except (KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"{path} cannot be read ({type(exc).__name__}): {RESTORE}") from exc
    _check_encoder(path, about, encoder.id)
    transformer = transformer_of(encoder)
    # The embeddings are half of the weights and no adapter changes them.
    shared = {id(each): each for each in transformer.get_input_embeddings().parameters()}
    model = copy.deepcopy(encoder.model, shared)
    adapted = SentenceEncoder(model, _id(encoder.id, digest))
    try:
        _add(transformer_of(adapted), tensors, scale)
    except (AttributeError, RuntimeError, ValueError) as exc:
        raise WeightsError(f"{path} does not fit the encoder ({exc}): {RESTORE}") from exc
    return adapted


def adapted_id(encoder_id: str, folder: Path, *, name: str = ADAPTER) -> str:
    """Return the id that `load_adapted` would give, without loading a model.

    Raises:
        WeightsError: the file is missing, damaged, or made for another encoder.
    """
    path = weights_path(name, folder)
    _, about, digest = read_tensors(path)
    _check_encoder(path, about, encoder_id)
    return _id(encoder_id, digest)


def fits(encoder_id: str, folder: Path, *, name: str = ADAPTER) -> bool:
    """Tell whether the adapter of this name was trained for this encoder.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    _, about, _ = read_tensors(weights_path(name, folder))
    return bool(about.get("encoder") == encoder_id)


def _id(encoder_id: str, digest: str) -> str:
    return f"{encoder_id}+{digest[:12]}"


def _check_encoder(path: Path, about: Mapping[str, Any], encoder_id: str) -> None:
    if about.get("encoder") != encoder_id:
        raise WeightsError(
            f"{path} was trained for the encoder {about.get('encoder')!r}, not {encoder_id!r}: "
            "train again or change EMPATHY_ENCODER"
        )


def transformer_of(encoder: SentenceEncoder) -> PreTrainedModel:
    """Return the encoder's transformer, whose linear layers an adapter changes."""
    model: PreTrainedModel = encoder.model[0].auto_model  # type: ignore[assignment]
    return model


def _add(
    transformer: PreTrainedModel, tensors: Mapping[str, NDArray[np.float16]], scale: float
) -> None:
    import torch

    names = {key.removesuffix(".A").removesuffix(".B") for key in tensors}
    if not names or {f"{name}.{part}" for name in names for part in "AB"} != set(tensors):
        raise ValueError("not a pair A and B for each layer")
    for name in sorted(names):
        layer = transformer.get_submodule(name)
        if not isinstance(layer, torch.nn.Linear):
            raise ValueError(f"{name} is not a linear layer")
        down, up = (torch.from_numpy(tensors[f"{name}.{part}"]).float() for part in "AB")
        change = scale * up @ down
        # A single row or column would silently be spread over the whole weight.
        if change.shape != layer.weight.shape:
            raise ValueError(f"{name} has the shape {tuple(layer.weight.shape)}")
        with torch.no_grad():
            layer.weight += change.to(layer.weight.device)
