"""The perception adapter: low-rank changes to the encoder, trained for the three readings.

LoRA (Hu et al. 2021) adds `scale * B @ A` to a linear layer's weight. The sums are taken once, at
load, in a copy that shares the embeddings with the plain encoder: a reading costs what a plain
pass costs, retrieval keeps the plain vectors, and no adapter library is needed to run.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
"""The file's name in the folder of weights, without its ending."""


def save_adapter(
    layers: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    scale: float,
    encoder_id: str,
    folder: Path,
) -> Path:
    """Write an adapter in half precision and record its checksum in the folder's manifest.

    Args:
        layers: for the name of each linear layer, A of shape (rank, inputs) and B of shape
            (outputs, rank).
        scale: what the product of the two is multiplied with.
        encoder_id: the encoder that the adapter was trained on.
        folder: where the weights are kept.
    """
    tensors = {
        f"{name}.{part}": matrix.astype(np.float16)
        for name, pair in layers.items()
        for part, matrix in zip("AB", pair, strict=True)
    }
    about = {"encoder": encoder_id, "scale": scale}
    return write_tensors(tensors, about, weights_path(ADAPTER, folder))


def load_adapted(encoder: SentenceEncoder, folder: Path | None = None) -> SentenceEncoder:
    """Return the encoder that the heads read: a copy with the adapter's weights added.

    Its id names the plain encoder and the adapter's checksum; the heads record it.

    Raises:
        WeightsError: the file is missing, damaged, or made for another encoder.
    """
    path = weights_path(ADAPTER, folder or WEIGHTS_DIR)
    tensors, about, digest = read_tensors(path)
    try:
        scale = float(about["scale"])
    except (KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"{path} cannot be read ({type(exc).__name__}): {RESTORE}") from exc
    if about.get("encoder") != encoder.id:
        raise WeightsError(
            f"{path} was trained for the encoder {about.get('encoder')!r}, not {encoder.id!r}: "
            "train again or change EMPATHY_ENCODER"
        )
    transformer = transformer_of(encoder)
    # The embeddings are half of the weights and no adapter changes them.
    shared = {id(each): each for each in transformer.get_input_embeddings().parameters()}
    model = copy.deepcopy(encoder.model, shared)
    adapted = SentenceEncoder(model, f"{encoder.id}+{digest[:12]}")
    try:
        _add(transformer_of(adapted), tensors, scale)
    except (AttributeError, RuntimeError, ValueError) as exc:
        raise WeightsError(f"{path} does not fit the encoder ({exc}): {RESTORE}") from exc
    return adapted


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
