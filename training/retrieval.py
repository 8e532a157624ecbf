"""Trains the retrieval adapter: `python -m training.retrieval`.

The encoder learns to bring a question near the answers that therapists gave it: in-batch
negatives (multiple negatives ranking, Henderson et al. 2017; Karpukhin et al. 2020), both ways,
with half of each batch from one topic so that its negatives are near ones. Pairs are CounselChat's
questions, and questions that were written for its answers (as GPL, Wang et al. 2022, does), since
699 questions are few.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer

from models.adapter import RETRIEVAL, load_adapted, save_adapter
from models.encoder import EncoderError, SentenceEncoder, load_encoder
from models.query_bank import save_query_bank
from models.weight_files import WEIGHTS_DIR, WeightsError
from training.data import DataError, data_folder
from training.lora import LoraEncoder
from training.paths import CACHE
from training.question_pairs import Pair, bank_questions, question_pairs
from training.run import Schedule, TrainingRun
from training.vectors import vectors

if TYPE_CHECKING:
    from torch import Tensor

_WORDS_OF_A_PART: Final = 100
_KEPT: Final = 0.6
"""The share of the trained change that is kept: between the plain and the trained weights lies what
generalises best (WiSE-FT, Wortsman et al. 2022)."""


@dataclass(frozen=True)
class Recipe:
    """How the adapter is trained; a change starts a new run instead of resuming an old one."""

    rank: int = 16
    layers: str = "[2-5]"
    """The upper layers: cheaper, and the lower ones hold what is general."""
    epochs: int = 3
    batch: int = 32
    rate: float = 5e-4
    warm_up: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    temperature: float = 0.05
    question_length: int = 112
    answer_length: int = 160
    seed: int = 1


def train_retrieval(
    encoder: SentenceEncoder,
    pairs: Sequence[Pair],
    cache: Path,
    out: Path,
    recipe: Recipe | None = None,
) -> Path:
    """Train and write the adapter to `out`; a run that was stopped goes on.

    Returns:
        The file of the adapter.
    """
    import torch
    from torch.nn.functional import cross_entropy

    recipe = recipe or Recipe()
    torch.manual_seed(recipe.seed)
    lora = LoraEncoder(encoder, recipe.rank, recipe.dropout, layers=recipe.layers)
    batches = [batch for epoch in range(recipe.epochs) for batch in _batches(pairs, recipe, epoch)]
    schedule = Schedule(
        len(batches), recipe.rate, 0.0, recipe.warm_up, recipe.weight_decay, recipe.seed
    )
    digest = hashlib.sha256(json.dumps(asdict(recipe)).encode())
    digest.update(repr(list(pairs)).encode())
    run = TrainingRun(lora, None, schedule, cache / f"{RETRIEVAL}-{digest.hexdigest()[:16]}.pt")
    run.resume()

    def loss(batch: list[Pair]) -> Tensor:
        questions = lora.vectors([each.question for each in batch], recipe.question_length)
        answers = lora.vectors([each.answer for each in batch], recipe.answer_length)
        groups = np.array([each.group for each in batch])
        # Another answer to the same question is no negative.
        same = torch.from_numpy((groups[:, None] == groups) & ~np.eye(len(batch), dtype=bool))
        scores = (questions @ answers.T / recipe.temperature).masked_fill(same, -1e4)
        own = torch.arange(len(batch))
        return (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2

    run.train(batches[run.step :], loss)
    return save_adapter(lora.layers(), _KEPT * lora.scale(), encoder.id, out, name=RETRIEVAL)


def _batches(pairs: Sequence[Pair], recipe: Recipe, epoch: int) -> Iterator[list[Pair]]:
    """Yield the batches of an epoch, made of halves that share a topic."""
    rng = np.random.default_rng([recipe.seed, epoch])
    shuffled = [pairs[i] for i in rng.permutation(len(pairs))]
    shuffled.sort(key=lambda pair: pair.topic)
    half = recipe.batch // 2
    halves = [shuffled[i : i + half] for i in range(0, len(shuffled) - half + 1, half)]
    order = rng.permutation(len(halves))
    for first, second in zip(order[::2], order[1::2], strict=False):
        batch = [*halves[first], *halves[second]]
        yield [pair.varied(rng, _WORDS_OF_A_PART) for pair in batch]


def main(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the training data; default: see README.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the weights.")] = WEIGHTS_DIR,
    encoder: Annotated[str, typer.Option(help="Sentence encoder.")] = "embedded",
    cache: Annotated[
        Path, typer.Option(help="Folder for checkpoints, to go on after a stop.")
    ] = CACHE,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = os.cpu_count() or 1,
) -> None:
    """Train the retrieval adapter on questions and answers; about half an hour on two cores.

    Every fifth question is left out; `empathy evaluate retrieval` measures on those.
    """
    import torch

    torch.set_num_threads(threads)
    try:
        plain = load_encoder(encoder)
        folder = data or data_folder()
        train_retrieval(plain, question_pairs(folder), cache, out)
        adapted = load_adapted(plain, out, name=RETRIEVAL)
        found = vectors(adapted, bank_questions(folder), cache, name="query bank")
        save_query_bank(list(found.values()), adapted.id, out)
    except (DataError, EncoderError, WeightsError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(2) from exc
    typer.echo(f"wrote the adapter and a bank of {len(found)} questions")
    typer.echo("measure them with: empathy evaluate retrieval")


if __name__ == "__main__":
    try:
        typer.run(main)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from the last checkpoint", err=True)
        raise SystemExit(130) from None
