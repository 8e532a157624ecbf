"""Trains the perception adapter and its heads together, in one resumable run.

LoRA (Hu et al. 2021, rank-stabilised after Kalajdzievski 2023) on every linear layer of the
encoder; emotion, next intent, intent of a reply and danger share it, so that one pass of a text
serves all readings. The last epoch leaves out the long forum posts and shows our own chat
messages more often, since the readings are of chat messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from models.adapter import save_adapter
from models.encoder import SentenceEncoder
from models.features import position_features
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS, EMOTION_LABELS, INTENTS
from training.examples import Example, TrainingSet
from training.lora import LoraEncoder, array
from training.run import Schedule, TrainingRun

if TYPE_CHECKING:
    from torch import Tensor

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
            weight = array(state[f"{name}.weight"])
            weight[:, : weight.shape[1] - (_POSITION_SIZE if name == "intent" else 0)] *= scale
            heads[name] = LinearHead(each, weight, array(state[f"{name}.bias"]))
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
    plan = _Plan(examples, recipe)
    lora = LoraEncoder(encoder, recipe.rank, recipe.dropout)
    heads = Heads(int(encoder.model.get_embedding_dimension() or 0))
    schedule = Schedule(
        plan.steps,
        recipe.adapter_rate,
        recipe.head_rate,
        recipe.warm_up,
        recipe.weight_decay,
        recipe.seed,
    )
    checkpoint = cache / f"adapter-{plan.digest()}.pt"
    run = TrainingRun(lora, heads.layers, schedule, checkpoint)
    run.resume()

    def loss(batch: list[Example]) -> Tensor:
        texts = [each.text for each in batch]
        return heads.loss(lora.vectors(texts, recipe.longest, recipe.masked), batch, recipe)

    run.train(plan.remaining(run.step), loss)
    save_adapter(lora.layers(), lora.scale(), encoder.id, out)
    return heads.linear_heads(recipe.scale)


@dataclass(frozen=True)
class _Plan:
    """Which batches come when."""

    examples: TrainingSet
    recipe: Recipe

    @property
    def steps(self) -> int:
        """How many batches there are."""
        return sum(len(self._batches(epoch)) for epoch in range(self.recipe.epochs))

    def remaining(self, done: int) -> Iterator[list[Example]]:
        """Yield the batches after the first `done`."""
        for epoch in range(self.recipe.epochs):
            batches = self._batches(epoch)
            yield from batches[done:]
            done = max(done - len(batches), 0)

    def digest(self) -> str:
        """Name the recipe and the data."""
        digest = hashlib.sha256(json.dumps(asdict(self.recipe), sort_keys=True).encode())
        for example in self.examples.epoch(np.random.default_rng(0)):
            digest.update(repr(example).encode())
        return digest.hexdigest()[:16]

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
