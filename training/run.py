"""A training run that can be stopped and goes on: optimizer, schedule, checkpoints, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tqdm import tqdm

from training.lora import LoraEncoder

if TYPE_CHECKING:
    from torch import Tensor, nn

_SAVE_EVERY: Final = 120
"""Seconds between two checkpoints."""

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Schedule:
    """One cycle of the learning rates (Smith and Topin 2018), with AdamW."""

    steps: int
    adapter_rate: float
    head_rate: float
    warm_up: float
    weight_decay: float
    seed: int


class TrainingRun:
    """The adapter, perhaps with heads, the optimizer, and where the run stands."""

    def __init__(
        self, lora: LoraEncoder, heads: nn.Module | None, schedule: Schedule, checkpoint: Path
    ) -> None:
        import torch
        from torch.optim.lr_scheduler import OneCycleLR

        self.lora, self.heads, self.plan, self.checkpoint = lora, heads, schedule, checkpoint
        groups: list[dict[str, Any]] = [{"params": lora.parameters(), "lr": schedule.adapter_rate}]
        if heads is not None:
            groups.append({"params": list(heads.parameters()), "lr": schedule.head_rate})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=schedule.weight_decay)
        self.schedule = OneCycleLR(
            self.optimizer,
            [group["lr"] for group in groups],
            total_steps=schedule.steps,
            pct_start=schedule.warm_up,
        )
        self.step = 0

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        import torch

        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.lora.load_state(state["adapter"])
        if self.heads is not None:
            self.heads.load_state_dict(state["heads"])
        self.schedule.load_state_dict(state["schedule"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def train(self, batches: Iterable[Batch], loss_of: Callable[[Batch], Tensor]) -> None:
        """Go through the remaining steps, with a checkpoint every few minutes.

        Args:
            batches: those that were not trained on yet.
            loss_of: the loss of one batch.
        """
        import torch

        saved = time.monotonic()
        self.lora.model.train()
        total = self.plan.steps
        with tqdm(total=total, initial=self.step, desc="adapter", unit="step") as bar:
            for batch in batches:
                # Seeded by the step, so that a resumed run draws what an unbroken one would.
                torch.manual_seed(self.plan.seed + self.step)
                loss = loss_of(batch)
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(self.lora.parameters(), 1.0)
                self.optimizer.step()
                self.schedule.step()
                self.optimizer.zero_grad()
                self.step += 1
                bar.update()
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
                if time.monotonic() - saved > _SAVE_EVERY or self.step == total:
                    self._save()
                    saved = time.monotonic()

    def _save(self) -> None:
        import torch

        state = {
            "adapter": self.lora.state(),
            "heads": self.heads.state_dict() if self.heads is not None else {},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)
