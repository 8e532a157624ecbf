"""Trains the adapter and the heads: `python -m training`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.adapter import load_adapted
from models.encoder import EncoderError, load_encoder
from models.weight_files import WEIGHTS_DIR, WeightsError
from nodes.crisis_phrases import load_phrases
from training.adapter import Recipe, train_adapter
from training.card import write_card
from training.data import DataError, data_folder
from training.examples import TrainingSet
from training.heads import finish_heads
from training.layers import crisis_head, with_terms
from training.paths import CACHE


def main(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the training data; default: see README.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the weights.")] = WEIGHTS_DIR,
    encoder: Annotated[str, typer.Option(help="Sentence encoder.")] = "embedded",
    cache: Annotated[
        Path, typer.Option(help="Folder for checkpoints, to go on after a stop.")
    ] = CACHE,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = Recipe.epochs,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the adapter.")] = Recipe.rank,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = os.cpu_count() or 1,
) -> None:
    """Train the encoder's adapter with the heads, calibrate them, and print what they reach.

    Takes about an hour on two cores. A run that was stopped goes on where it was.
    """
    import torch

    torch.set_num_threads(threads)
    try:
        folder = data or data_folder()
        normalise = load_phrases().normalise
        examples = TrainingSet.read(folder, normalise)
        plain = load_encoder(encoder)
        recipe = Recipe(epochs=epochs, rank=rank)
        heads = train_adapter(plain, examples, cache, out, recipe)
        adapted = load_adapted(plain, out)
        rng = np.random.default_rng(recipe.seed)
        heads["emotion"] = with_terms(heads["emotion"], examples.epoch(rng))
        heads["crisis"] = crisis_head(adapted, examples.rated(rng), cache)
        figures = finish_heads(adapted, heads, folder, cache, out, normalise)
    except (DataError, EncoderError, WeightsError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(2) from exc
    write_card(out, plain.id, recipe, figures)
    typer.echo(json.dumps({key: round(value, 4) for key, value in figures.items()}, indent=2))


if __name__ == "__main__":
    try:
        typer.run(main)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from the last checkpoint", err=True)
        raise SystemExit(130) from None
