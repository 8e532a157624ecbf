"""Trains the perception adapter and its heads together, in one resumable run.

LoRA (Hu et al. 2021, rank-stabilised after Kalajdzievski 2023) on every linear layer of the
encoder; emotion, next intent, intent of a reply and danger share it, so that one pass of a text
serves all readings. Dropout is off, as its random numbers cost a third of the time on a CPU;
masked words stand in for it.
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
    from torch.optim.lr_scheduler import OneCycleLR

logger = logging.getLogger(__name__)

_SAVE_EVERY: Final = 120
"""Seconds between two checkpoints."""

_POSITION_SIZE: Final = len(position_features(1, []))


@dataclass(frozen=True)
class Recipe:
    """How the adapter is trained; a change starts a new run instead of resuming an old one."""

    rank: int = 16
    epochs: int = 2
    batch: int = 64
    refining_epochs: int = 1
    """Epochs after a warm restart (Loshchilov and Hutter 2017), on chat-length text only."""
    adapter_rate: float = 1.5e-3
    refining_rate: float = 1e-3
    head_rate: float = 5e-3
    warm_up: float = 0.06
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    masked: float = 0.04
    scale: float = 8.0
    """Length of the vector that the heads see in training; unit vectors make logits too small."""
    longest: int = 192
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

        def known(labels: list[int]) -> tuple[Tensor, Tensor]:
            all_labels = torch.tensor(labels)
            return all_labels >= 0, all_labels

        def summed(name: str, inputs: Tensor, labels: list[int], smoothing: float) -> Tensor:
            mask, targets = known(labels)
            return cross_entropy(
                self.layers[name](inputs[mask]),
                targets[mask],
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
        crisis = cross_entropy(self.layers["crisis"](inputs[levels]), targets, reduction="none")
        total = (
            summed("emotion", inputs, [each.emotion for each in batch], recipe.label_smoothing)
            + recipe.intent_weight
            * summed("intent", torch.cat([inputs, where], 1), [each.intent for each in batch], 0.0)
            + recipe.reply_weight
            * summed("reply_intent", inputs, [each.reply_intent for each in batch], 0.1)
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


@dataclass(frozen=True)
class _Stage:
    """Some epochs under one schedule of the learning rate."""

    first: int
    epochs: int
    steps: int
    """Steps of an epoch."""
    rate: float
    refining: bool

    @property
    def end(self) -> int:
        """The step after the last one."""
        return self.first + self.epochs * self.steps


class _Run:
    """One training run: the model with its adapter, the optimizer, and where it stands."""

    def __init__(
        self, encoder: SentenceEncoder, examples: TrainingSet, recipe: Recipe, cache: Path
    ) -> None:
        import copy

        import torch
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.rank,
            use_rslora=True,
            target_modules=r"encoder\..*\.(query|key|value|dense)",
        )
        self.recipe, self.examples, self.tokenizer = recipe, examples, encoder.model.tokenizer
        # Evaluation mode leaves dropout out; the plain encoder stays as it is.
        self.model = get_peft_model(copy.deepcopy(transformer_of(encoder)), config).eval()
        self.heads = Heads(int(encoder.model.get_embedding_dimension() or 0))
        groups = [
            {"params": self._adapter(), "lr": recipe.adapter_rate},
            {"params": list(self.heads.layers.parameters()), "lr": recipe.head_rate},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        self.stages = self._stages()
        self.ends: list[dict[str, dict[str, Tensor]]] = []
        """The weights at the end of each stage."""
        self.step = 0
        self.schedule = self._schedule(self.stages[0])
        self.checkpoint = cache / f"adapter-{self._digest()}.pt"

    def train(self) -> None:
        """Go through the remaining steps, with a checkpoint every few minutes."""
        import torch

        total = self.stages[-1].end
        saved = time.monotonic()
        with tqdm(total=total, initial=self.step, desc="adapter", unit="step") as bar:
            for stage in self.stages:
                if self.step == stage.first:
                    self.schedule = self._schedule(stage)
                for batch in self._remaining(stage):
                    loss = self.heads.loss(self._vectors(batch), batch, self.recipe)
                    torch.autograd.backward(loss)
                    torch.nn.utils.clip_grad_norm_(self._adapter(), 1.0)
                    self.optimizer.step()
                    self.schedule.step()
                    self.optimizer.zero_grad()
                    self.step += 1
                    bar.update()
                    bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
                    if self.step == stage.end:
                        self.ends.append(self._weights())
                    if time.monotonic() - saved > _SAVE_EVERY or self.step == stage.end:
                        self._save()
                        saved = time.monotonic()
        self._average()

    def _weights(self) -> dict[str, dict[str, Tensor]]:
        adapter = {k: v.clone() for k, v in self.model.state_dict().items() if "lora_" in k}
        heads = {k: v.clone() for k, v in self.heads.layers.state_dict().items()}
        return {"adapter": adapter, "heads": heads}

    def _average(self) -> None:
        """Take the mean of the stages' ends: the first is better at emotion, the last at danger.

        Weights of one run can be averaged (Izmailov et al. 2018).
        """
        mean = {
            part: {
                name: sum(end[part][name] for end in self.ends) / len(self.ends)
                for name in self.ends[0][part]
            }
            for part in self.ends[0]
        }
        self.model.load_state_dict(mean["adapter"], strict=False)
        self.heads.layers.load_state_dict(mean["heads"])

    def _stages(self) -> list[_Stage]:
        recipe = self.recipe
        main = _Stage(0, recipe.epochs, len(self._batches(0)), recipe.adapter_rate, False)
        if not recipe.refining_epochs:
            return [main]
        steps = len(self._batches(recipe.epochs, refining=True))
        return [
            main,
            _Stage(main.end, recipe.refining_epochs, steps, recipe.refining_rate, True),
        ]

    def _schedule(self, stage: _Stage) -> OneCycleLR:
        from torch.optim.lr_scheduler import OneCycleLR

        return OneCycleLR(
            self.optimizer,
            [stage.rate, self.recipe.head_rate],
            total_steps=stage.end - stage.first,
            pct_start=self.recipe.warm_up,
        )

    def _remaining(self, stage: _Stage) -> Iterator[list[Example]]:
        """Yield the batches of a stage that were not trained on yet."""
        done = max(self.step - stage.first, 0)
        before = sum(each.epochs for each in self.stages if each.first < stage.first)
        for epoch in range(done // stage.steps, stage.epochs):
            batches = self._batches(before + epoch, refining=stage.refining)
            yield from batches[max(done - epoch * stage.steps, 0) :]

    def resume(self) -> None:
        """Go on from the checkpoint of the same recipe and data, if there is one."""
        import torch

        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["adapter"], strict=False)
        self.heads.layers.load_state_dict(state["heads"])
        self.step, self.ends = state["step"], state["ends"]
        for stage in self.stages:
            if stage.first < self.step < stage.end:
                self.schedule = self._schedule(stage)
                self.schedule.load_state_dict(state["schedule"])
        # Last, because a new schedule sets the optimizer's rates to those of its first step.
        self.optimizer.load_state_dict(state["optimizer"])

    def _save(self) -> None:
        import torch

        state = {
            **self._weights(),
            "ends": self.ends,
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
        # Seeded by the step, so that a resumed run masks the words that an unbroken one would.
        random = torch.Generator().manual_seed(self.recipe.seed + self.step)
        hidden = (torch.rand(ids.shape, generator=random) < self.recipe.masked) & ~special
        ids = ids.masked_fill(hidden, self.tokenizer.mask_token_id)
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        return normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def _batches(self, epoch: int, *, refining: bool = False) -> list[list[Example]]:
        """Return the epoch's batches; similar lengths share one, so that little is padding."""
        rng = np.random.default_rng([self.recipe.seed, epoch])
        examples, size = self.examples.epoch(rng, refining=refining), self.recipe.batch
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
