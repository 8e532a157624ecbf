"""The model card of the shipped weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from training.adapter import Recipe

CARD: Final = "MODEL_CARD.md"

_TEXT: Final = """\
# Perception adapter and heads

Written by `python -m training`; the figures below are what that run measured.

- **What it is:** a LoRA adapter (rank {rank}, on every linear layer) for `{encoder}`,
  and four linear heads on the adapted sentence vector: emotion (the 32 of EmpatheticDialogues,
  and "unsure"), the listener's next intent (9), what a given reply does (9), and danger (none,
  concern, high, imminent, after the C-SSRS screener). Those of emotion and danger also read the
  hashed words, pairs of words and parts of words of the text.
- **Use:** first support in a chat, in English. Not a diagnosis and not a clinical instrument. The
  reading of danger decides only whether the fixed protocol answers instead of a language model.
- **Licence:** trained on EmpatheticDialogues (Rashkin et al. 2019, CC BY-NC 4.0), so these weights
  are for non-commercial use. The code around them is Apache-2.0.

## Data

- EmpatheticDialogues with EmpatheticIntents' labels (Welivita and Pu 2020), training split. The
  intent labels of its turns come from a classifier that is right about two times in three.
- EmpatheticIntents, training split, its nine listener intents.
- SDCNL (Haque et al. 2021), training split, with soft targets: its labels are a forum's name.
- CounselChat (Bertagnolli 2020), questions without words of danger, as harmless text.
- Our own chat messages, `training/data`: written by language models for this project, read by no
  clinician. `crisis_calibration.jsonl` chose the thresholds and was not trained on.

## Training

{epochs} epochs of batches of {batch}, AdamW, one-cycle schedule up to {rate}, label smoothing
{smoothing}, dropout {dropout}, {masked:.0%} of the words masked, seed {seed}; all four tasks at
once. The last epoch leaves the long forum posts out. The weights of terms are a logistic regression
fitted apart; one number says how much they count beside the vector, chosen with the temperature.

## Figures

Of each held-out set one half set the temperature; the figures are of the other half. Those of the
crisis head are of the set that its thresholds were chosen on, so they flatter it:
`empathy evaluate crisis` measures it on messages that chose nothing.

| measure | value |
|---|---|
{figures}

## Known failures

- Text in other languages than English is not read; the crisis check then reports "unknown".
- Near emotions are mixed up (afraid and terrified, angry and furious, sad and devastated).
- The reading of danger was never compared with a clinician's. It misses veiled danger and flags
  strong distress; both are in the tables of `empathy evaluate crisis`.
- Messages written by language models differ from what people in danger write.
"""


def write_card(out: Path, encoder_id: str, recipe: Recipe, figures: Mapping[str, float]) -> Path:
    """Write the card beside the weights."""
    path = out / CARD
    text = _TEXT.format(
        encoder=encoder_id,
        rank=recipe.rank,
        epochs=recipe.epochs,
        batch=recipe.batch,
        rate=recipe.adapter_rate,
        dropout=recipe.dropout,
        smoothing=recipe.label_smoothing,
        masked=recipe.masked,
        seed=recipe.seed,
        figures="\n".join(f"| {name} | {value:.3f} |" for name, value in figures.items()),
    )
    path.write_text(text, encoding="utf-8")
    return path
