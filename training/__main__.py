"""Trains the heads: `python -m training emotion intent crisis`, in that order by default."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from platformdirs import user_cache_path

from models.encoder import load_encoder
from models.heads import WEIGHTS_DIR
from training import crisis, emotion, intent
from training.data import DataError, data_folder

CACHE = user_cache_path("empathy-graph") / "training"
TRAINERS = {"emotion": emotion.train, "intent": intent.train, "crisis": crisis.train}


def main(
    heads: Annotated[list[str] | None, typer.Argument(help="emotion, intent, crisis.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the training data.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the weights.")] = WEIGHTS_DIR,
    encoder: Annotated[str, typer.Option(help="Sentence encoder.")] = "embedded",
    cache: Annotated[Path, typer.Option(help="Folder for vectors, to go on after a stop.")] = CACHE,
) -> None:
    """Train the linear heads on the encoder's vectors and print what they reach."""
    names = heads or list(TRAINERS)
    if unknown := set(names) - set(TRAINERS):
        raise typer.BadParameter(f"no such head: {', '.join(sorted(unknown))}")
    model = load_encoder(encoder)
    for name in names:
        try:
            figures = TRAINERS[name](model, data or data_folder(), cache, out)
        except DataError as exc:
            typer.echo(f"error: {exc}", err=True)
            raise typer.Exit(2) from exc
        rounded = {key: round(value, 4) for key, value in figures.items()}
        typer.echo(json.dumps({"head": name, "figures": rounded}, indent=2))
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
