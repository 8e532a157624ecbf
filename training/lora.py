"""A sentence encoder with a LoRA adapter, as it is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.adapter import transformer_of
from models.encoder import SentenceEncoder, Vector

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class LoraEncoder:
    """A copy of an encoder with low-rank changes (Hu et al. 2021) on its linear layers.

    The changes are rank-stabilised (Kalajdzievski 2023). The plain encoder stays as it is.
    """

    def __init__(
        self, encoder: SentenceEncoder, rank: int, dropout: float, *, layers: str = r"\d+"
    ) -> None:
        """Add an adapter.

        Args:
            encoder: the plain encoder.
            rank: of the changes.
            dropout: of hidden states only: dropout of attention weights has no fast path on a CPU.
            layers: a regular expression of the numbers of the transformer's layers to change.
        """
        from peft import LoraConfig, get_peft_model
        from torch import nn

        config = LoraConfig(
            r=rank,
            lora_alpha=rank,
            use_rslora=True,
            target_modules=rf"encoder\.layer\.({layers})\..*\.(query|key|value|dense)",
        )
        self.tokenizer = encoder.model.tokenizer
        self.model = get_peft_model(copy.deepcopy(transformer_of(encoder)), config)
        for name, module in self.model.named_modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0 if ".attention.self." in name else dropout

    def parameters(self) -> list[nn.Parameter]:
        """Return what is trained."""
        return [each for each in self.model.parameters() if each.requires_grad]

    def state(self) -> dict[str, Tensor]:
        """Return the adapter's weights, for a checkpoint."""
        return {k: v for k, v in self.model.state_dict().items() if "lora_" in k}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take the adapter's weights from a checkpoint."""
        self.model.load_state_dict(state, strict=False)

    def vectors(self, texts: Sequence[str], longest: int, masked: float = 0.0) -> Tensor:
        """Return unit vectors, of shape (texts, dimensions).

        Args:
            texts: any number of texts.
            longest: word pieces of a text; longer ones are cut.
            masked: share of word pieces that are hidden.
        """
        import torch
        from torch.nn.functional import normalize

        inputs = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        if masked:
            special = torch.isin(ids, torch.tensor(self.tokenizer.all_special_ids))
            hidden = (torch.rand(ids.shape) < masked) & ~special
            ids = ids.masked_fill(hidden, self.tokenizer.mask_token_id)
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        return normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def layers(self) -> dict[str, tuple[Vector, Vector]]:
        """Return A and B of each adapted layer, under the plain transformer's names."""
        return {
            name.removeprefix("base_model.model."): (
                array(layer.lora_A["default"].weight),
                array(layer.lora_B["default"].weight),
            )
            for name, layer in self._modules()
        }

    def scale(self) -> float:
        """Return what the product of A and B is multiplied with."""
        [scale] = {float(layer.scaling["default"]) for _, layer in self._modules()}
        return scale

    def _modules(self) -> Iterator[tuple[str, Any]]:
        from peft.tuners.lora import LoraLayer

        return ((n, each) for n, each in self.model.named_modules() if isinstance(each, LoraLayer))


def array(tensor: torch.Tensor) -> Vector:
    """Return a tensor's values."""
    return tensor.detach().numpy().astype(np.float32)
