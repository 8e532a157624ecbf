"""Trains the perception adapter and its heads together, in one resumable run.

LoRA (Hu et al. 2021, rank-stabilised after Kalajdzievski 2023) on every linear layer of the
encoder; emotion, next intent, intent of a reply and danger share it, so that one pass of a text
serves all readings. The last epoch leaves out the long forum posts and shows our own chat
messages more often, since the readings are of chat messages.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tqdm import tqdm

from models.adapter import save_adapter, transformer_of
from models.encoder import SentenceEncoder, Vector
from models.features import position_features
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS, EMOTION_LABELS, INTENTS
from training.examples import Example, TrainingSet

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

_SAVE_EVERY: Final = 120
"""Seconds between two checkpoints."""

_POSITION_SIZE: Final = len(position_features(1, []))


@dataclass(frozen=True)
class Recipe:
    """How the adapter is trained; a change starts a new run instead of resuming an old one."""

    rank: int = 16
    epochs: int = 3
    batch: int = 64
    adapter_rate: float = 1.2e-3
    head_rate: float = 5e-3
    warm_up: float = 0.06
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    dropout: float = 0.1
    """Of hidden states only: dropout of attention weights has no fast path on a CPU."""
    masked: float = 0.08
    """Share of word pieces that are hidden."""
    scale: float = 8.0
    """Length of the vector that the heads see in training; unit vectors make logits too small."""
    longest: int = 160
    """Word pieces of a training text; longer ones are cut, in use they are read in windows."""
    intent_weight: float = 0.4
    reply_weight: float = 1.0
    crisis_weight: float = 2.0
    seed: int = 7


class Heads:
    """The linear layers that are trained with the adapter."""

    def __init__(self, dimensions: int) -> None:
        from torch import nn

        self.layers = nn.ModuleDict(
            {
                "emotion": nn.Linear(dimensions, len(EMOTION_LABELS)),
                "intent": nn.Linear(dimensions + _POSITION_SIZE, len(INTENTS)),
                "reply_intent": nn.Linear(dimensions, len(INTENTS)),
                "crisis": nn.Linear(dimensions, len(CRISIS_LEVELS)),
            }
        )

    def loss(self, vectors: Tensor, batch: Sequence[Example], recipe: Recipe) -> Tensor:
        """Return the weighted sum of the tasks' losses, per example of the batch."""
        import torch
        from torch.nn.functional import cross_entropy

        def summed(name: str, inputs: Tensor, labels: list[int], smoothing: float) -> Tensor:
            targets = torch.tensor(labels)
            # Not cross_entropy's ignore_index: it would run the layer on rows without a label.
            known = targets >= 0
            return cross_entropy(
                self.layers[name](inputs[known]),
                targets[known],
                label_smoothing=smoothing,
                reduction="sum",
            )

        inputs = vectors * recipe.scale
        where = torch.from_numpy(
            np.stack([position_features(each.turns, each.earlier) for each in batch])
        )
        levels = [i for i, each in enumerate(batch) if each.crisis]
        weights = torch.tensor([batch[i].crisis_weight for i in levels])
        targets = torch.tensor([batch[i].crisis for i in levels]).reshape(-1, len(CRISIS_LEVELS))
        smoothing = recipe.label_smoothing
        crisis = cross_entropy(self.layers["crisis"](inputs[levels]), targets, reduction="none")
        total = (
            summed("emotion", inputs, [each.emotion for each in batch], smoothing)
            + recipe.intent_weight
            * summed("intent", torch.cat([inputs, where], 1), [each.intent for each in batch], 0.0)
            + recipe.reply_weight
            * summed("reply_intent", inputs, [each.reply_intent for each in batch], smoothing)
            + recipe.crisis_weight * (crisis * weights).sum()
        )
        return total / len(batch)

    def linear_heads(self, scale: float) -> dict[str, LinearHead]:
        """Return the heads as they read unit vectors."""
        labels = {
            "emotion": EMOTION_LABELS,
            "intent": INTENTS,
            "reply_intent": INTENTS,
            "crisis": CRISIS_LEVELS,
        }
        state = self.layers.state_dict()
        heads = {}
        for name, each in labels.items():
            weight = _array(state[f"{name}.weight"])
            weight[:, : weight.shape[1] - (_POSITION_SIZE if name == "intent" else 0)] *= scale
            heads[name] = LinearHead(each, weight, _array(state[f"{name}.bias"]))
        return heads


def train_adapter(
    encoder: SentenceEncoder,
    examples: TrainingSet,
    cache: Path,
    out: Path,
    recipe: Recipe | None = None,
) -> dict[str, LinearHead]:
    """Train, write the adapter to `out`, and return the heads, not yet calibrated.

    A run that was stopped goes on from its last checkpoint in `cache`.
    """
    import torch

    recipe = recipe or Recipe()
    torch.manual_seed(recipe.seed)
    run = _Run(encoder, examples, recipe, cache)
    run.resume()
    run.train()
    save_adapter(run.lora_layers(), run.lora_scale(), encoder.id, out)
    return run.heads.linear_heads(recipe.scale)


class _Run:
    """One training run: the model with its adapter, the optimizer, and where it stands."""

    def __init__(
        self, encoder: SentenceEncoder, examples: TrainingSet, recipe: Recipe, cache: Path
    ) -> None:
        import copy

        import torch
        from peft import LoraConfig, get_peft_model
        from torch.optim.lr_scheduler import OneCycleLR

        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.rank,
            use_rslora=True,
            target_modules=r"encoder\..*\.(query|key|value|dense)",
        )
        self.recipe, self.examples, self.tokenizer = recipe, examples, encoder.model.tokenizer
        # A copy: the plain encoder stays as it is.
        self.model = get_peft_model(copy.deepcopy(transformer_of(encoder)), config)
        self._set_dropout()
        self.heads = Heads(int(encoder.model.get_embedding_dimension() or 0))
        groups = [
            {"params": self._adapter(), "lr": recipe.adapter_rate},
            {"params": list(self.heads.layers.parameters()), "lr": recipe.head_rate},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        self.steps = [len(self._batches(epoch)) for epoch in range(recipe.epochs)]
        """Steps of each epoch."""
        self.step = 0
        self.schedule = OneCycleLR(
            self.optimizer,
            [recipe.adapter_rate, recipe.head_rate],
            total_steps=sum(self.steps),
            pct_start=recipe.warm_up,
        )
        self.checkpoint = cache / f"adapter-{self._digest()}.pt"

    def train(self) -> None:
        """Go through the remaining steps, with a checkpoint every few minutes."""
        import torch

        saved = time.monotonic()
        self.model.train()
        with tqdm(total=sum(self.steps), initial=self.step, desc="adapter", unit="step") as bar:
            for batch in self._remaining():
                # Seeded by the step, so that a resumed run draws what an unbroken one would.
                torch.manual_seed(self.recipe.seed + self.step)
                loss = self.heads.loss(self._vectors(batch), batch, self.recipe)
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(self._adapter(), 1.0)
                self.optimizer.step()
                self.schedule.step()
                self.optimizer.zero_grad()
                self.step += 1
                bar.update()
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
                if time.monotonic() - saved > _SAVE_EVERY or self.step == sum(self.steps):
                    self._save()
                    saved = time.monotonic()

    def _set_dropout(self) -> None:
        from torch import nn

        for name, module in self.model.named_modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0 if ".attention.self." in name else self.recipe.dropout

    def _remaining(self) -> Iterator[list[Example]]:
        """Yield the batches that were not trained on yet."""
        done = self.step
        for epoch, steps in enumerate(self.steps):
            if done < steps:
                yield from self._batches(epoch)[done:]
            done = max(done - steps, 0)

    def resume(self) -> None:
        """Go on from the checkpoint of the same recipe and data, if there is one."""
        import torch

        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["adapter"], strict=False)
        self.heads.layers.load_state_dict(state["heads"])
        self.schedule.load_state_dict(state["schedule"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def _save(self) -> None:
        import torch

        state = {
            "adapter": {k: v for k, v in self.model.state_dict().items() if "lora_" in k},
            "heads": self.heads.layers.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def lora_layers(self) -> dict[str, tuple[Vector, Vector]]:
        """Return A and B of each adapted layer, under the plain transformer's names."""
        return {
            name.removeprefix("base_model.model."): (
                _array(layer.lora_A["default"].weight),
                _array(layer.lora_B["default"].weight),
            )
            for name, layer in self._lora_modules()
        }

    def lora_scale(self) -> float:
        """Return what the product of A and B is multiplied with."""
        [scale] = {float(layer.scaling["default"]) for _, layer in self._lora_modules()}
        return scale

    def _lora_modules(self) -> Iterator[tuple[str, Any]]:
        from peft.tuners.lora import LoraLayer

        return ((n, each) for n, each in self.model.named_modules() if isinstance(each, LoraLayer))

    def _adapter(self) -> list[nn.Parameter]:
        return [each for each in self.model.parameters() if each.requires_grad]

    def _vectors(self, batch: Sequence[Example]) -> Tensor:
        import torch
        from torch.nn.functional import normalize

        inputs = self.tokenizer(
            [each.text for each in batch],
            padding=True,
            truncation=True,
            max_length=self.recipe.longest,
            return_tensors="pt",
        )
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        special = torch.isin(ids, torch.tensor(self.tokenizer.all_special_ids))
        hidden = (torch.rand(ids.shape) < self.recipe.masked) & ~special
        ids = ids.masked_fill(hidden, self.tokenizer.mask_token_id)
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        return normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def _batches(self, epoch: int) -> list[list[Example]]:
        """Return the epoch's batches; similar lengths share one, so that little is padding."""
        rng = np.random.default_rng([self.recipe.seed, epoch])
        last = epoch == self.recipe.epochs - 1
        examples, size = self.examples.epoch(rng, refining=last), self.recipe.batch
        batches = []
        for start in range(0, len(examples), 32 * size):
            pool = sorted(examples[start : start + 32 * size], key=lambda each: len(each.text))
            batches += [pool[i : i + size] for i in range(0, len(pool), size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self.recipe), sort_keys=True).encode())
        for example in self.examples.epoch(np.random.default_rng(0)):
            digest.update(repr(example).encode())
        return digest.hexdigest()[:16]


def _array(tensor: torch.Tensor) -> Vector:
    return tensor.detach().numpy().astype(np.float32)
