"""The model card says what was trained, how, and what it reached."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from training.adapter import Recipe
from training.card import CARD, write_card

FIGURES = {"emotion, situation, top-1": 0.4321, "crisis, calibration set, high flagged": 1.0}
RECIPE = Recipe(rank=5, epochs=3, batch=17, adapter_rate=2.5e-4, masked=0.07, seed=11)


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = write_card(tmp_path, "some-encoder", RECIPE, FIGURES)
    assert path == tmp_path / CARD
    return path.read_text(encoding="utf-8")


def test_the_card_names_the_encoder_and_the_recipe(text: str) -> None:
    assert "`some-encoder`" in text
    assert "rank 5" in text
    assert "3 epochs of batches of 17" in text
    assert "0.00025" in text
    assert "7% of the words masked" in text
    assert "seed 11" in text
    assert not re.search(r"[{}]", text)


def test_every_figure_is_a_row_of_the_table(text: str) -> None:
    rows = re.findall(r"^\| (.+) \| (\d\.\d{3}) \|$", text, re.MULTILINE)

    assert rows == [
        ("emotion, situation, top-1", "0.432"),
        ("crisis, calibration set, high flagged", "1.000"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        "Not a diagnosis",
        "non-commercial",
        "never compared with a clinician's",
        "Rashkin et al. 2019",
        "Welivita and Pu 2020",
        "Haque et al. 2021",
        "Bertagnolli 2020",
    ],
)
def test_limits_licence_and_sources_are_stated(text: str, said: str) -> None:
    assert said in " ".join(text.split())


def test_a_new_run_replaces_the_card(tmp_path: Path) -> None:
    write_card(tmp_path, "some-encoder", RECIPE, FIGURES)
    path = write_card(tmp_path, "another", replace(RECIPE, rank=9), {"only": 0.5})

    text = path.read_text(encoding="utf-8")
    assert "rank 9" in text and "rank 5" not in text
    assert "some-encoder" not in text
    assert "top-1" not in text
