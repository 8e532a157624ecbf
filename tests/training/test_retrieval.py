"""Training the retrieval adapter: it learns, goes on after a stop, and learns from right pairs.

The encoder is tiny and real; peft, the optimizer and the files are those of a long run.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer

from models.adapter import RETRIEVAL, load_adapted
from models.encoder import EncoderError, SentenceEncoder, pool
from models.query_bank import load_query_bank
from models.weight_files import WeightsError
from tests.models.tiny_encoder import linear_layers
from tests.training.counselling import lines, row
from tests.training.stopping import Stopped
from training import question_pairs as data
from training import retrieval as module
from training.question_pairs import Pair
from training.retrieval import Recipe, train_retrieval
from training.run import TrainingRun

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # peft asks transformers for a name that is to go in its next major version.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]

RECIPE = Recipe(rank=2, layers=r"\d+", epochs=2, batch=8)
"""The tiny encoder has two layers, so all are trained."""
LEARN = replace(RECIPE, rank=4, epochs=12, batch=16, rate=5e-3, dropout=0.0)


def pair(key: str) -> Pair:
    """Return a question and an answer that share two rare letters."""
    one, two = key[0], key[1]
    return Pair(key, one, f"why {one} and {two}", f"try {two} with {one} my me")


KEYS = ["".join(each) for each in combinations("bdfghjklmnpqrst", 2)]
random.Random(1).shuffle(KEYS)
HELD, PAIRS = [pair(each) for each in KEYS[:16]], [pair(each) for each in KEYS[16:64]]
STEPS = RECIPE.epochs * len(PAIRS) // RECIPE.batch


Train = Callable[..., SentenceEncoder]


@pytest.fixture
def train(tiny_encoder: SentenceEncoder, tmp_path: Path) -> Train:
    """Train into a folder of `tmp_path`; return the adapted encoder."""

    def run(
        cache: str, out: str = "out", recipe: Recipe = RECIPE, pairs: Sequence[Pair] = PAIRS
    ) -> SentenceEncoder:
        train_retrieval(tiny_encoder, pairs, tmp_path / cache, tmp_path / out, recipe)
        return load_adapted(tiny_encoder, tmp_path / out, name=RETRIEVAL)

    return run


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The batches that were trained on, their losses, and the function that gave these."""
    seen, real = SimpleNamespace(batches=[], losses=[], loss_of=None), TrainingRun.train

    def train(run: TrainingRun, batches: Any, loss_of: Any) -> None:
        seen.loss_of = loss_of

        def noted(batch: Any) -> Any:
            loss = loss_of(batch)
            seen.batches.append(batch)
            seen.losses.append(loss.item())
            return loss

        real(run, batches, noted)

    monkeypatch.setattr(TrainingRun, "train", train)
    return seen


def mean_reciprocal_rank(encoder: SentenceEncoder, pairs: Sequence[Pair]) -> float:
    asked = np.stack([pool(each) for each in encoder.encode([p.question for p in pairs])])
    given = np.stack([pool(each) for each in encoder.encode([p.answer for p in pairs])])
    similar = asked @ given.T
    return float((1 / (similar >= np.diag(similar)[:, None]).sum(axis=1)).mean())


# --- Learning -----------------------------------------------------------------------------------


def test_the_loss_falls_and_unseen_questions_find_their_answers_sooner(
    train: Train, tiny_encoder: SentenceEncoder, watched: SimpleNamespace
) -> None:
    before = linear_layers(tiny_encoder)

    adapted = train("cache", recipe=LEARN)

    assert np.mean(watched.losses[-6:]) < 0.85 * np.mean(watched.losses[:6])
    plain = mean_reciprocal_rank(tiny_encoder, HELD)
    assert mean_reciprocal_rank(adapted, HELD) > plain + 0.1
    after = linear_layers(tiny_encoder)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_only_the_layers_of_the_recipe_change(train: Train, tiny_encoder: Any) -> None:
    changed = linear_layers(train("cache", recipe=replace(RECIPE, layers="[1]")))
    plain = linear_layers(tiny_encoder)

    other = {name for name in plain if not np.array_equal(plain[name], changed[name])}
    assert other == {name for name in plain if name.startswith("encoder.layer.1.")}


# --- Batches ------------------------------------------------------------------------------------


def test_the_halves_of_a_batch_share_a_topic(train: Train, watched: SimpleNamespace) -> None:
    half = RECIPE.batch // 2
    pairs = [
        Pair(f"{topic}{i}", topic, f"{topic} {i}", "x") for topic in "abcd" for i in range(2 * half)
    ]

    train("cache", pairs=pairs)

    assert len(watched.batches) == RECIPE.epochs * 4
    for batch in watched.batches:
        for part in (batch[:half], batch[half:]):
            assert len({each.topic for each in part}) == 1
    mixed = [len({each.topic for each in batch}) for batch in watched.batches]
    assert max(mixed) == 2, "the other half's negatives are of another topic, now and then"


def test_every_pair_is_shown_once_an_epoch_in_another_order(
    train: Train, watched: SimpleNamespace
) -> None:
    train("cache")

    groups = [[each.group for each in batch] for batch in watched.batches]
    each_epoch = len(PAIRS) // RECIPE.batch
    epochs = [list(chain(*groups[i : i + each_epoch])) for i in range(0, len(groups), each_epoch)]
    assert len(epochs) == RECIPE.epochs
    for epoch in epochs:
        assert sorted(epoch) == sorted(each.group for each in PAIRS)
    assert epochs[0] != epochs[1]


def test_another_answer_to_the_same_question_is_no_negative(
    train: Train, watched: SimpleNamespace
) -> None:
    train("cache", recipe=replace(RECIPE, dropout=0.0))
    own, other = (Pair("1", "sleep", "why", answer) for answer in ("x y", "i and the"))

    assert watched.loss_of([own, other]).item() == pytest.approx(0, abs=1e-6)
    stranger = replace(other, group="2")
    assert watched.loss_of([own, stranger]).item() > 0.1
    # Among strangers it counts neither for nor against.
    third = Pair("3", "sleep", "nobody", "me and my")
    one, two = (watched.loss_of([own, other, each]).item() for each in (third, stranger))
    assert one > 0 and two > 0
    assert watched.loss_of([own, third, other]).item() == pytest.approx(one, rel=1e-4)


# --- Going on after a stop ----------------------------------------------------------------------


def same(one: SentenceEncoder, other: SentenceEncoder) -> bool:
    first, second = linear_layers(one), linear_layers(other)
    return all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("stop", [1, STEPS // 2, STEPS - 1], ids=["early", "between", "last"])
def test_a_stopped_run_goes_on_and_ends_as_an_unbroken_one(
    train: Train, steps: SimpleNamespace, stop: int
) -> None:
    unbroken = train("one cache", "one")
    assert steps.taken == STEPS

    steps.taken, steps.stop = 0, stop
    with pytest.raises(Stopped):
        train("another cache", "another")
    steps.stop = None
    resumed = train("another cache", "another")

    assert steps.taken == STEPS
    assert same(unbroken, resumed)


def test_a_finished_run_is_not_trained_again(train: Train, steps: SimpleNamespace) -> None:
    first = train("cache")
    steps.stop = steps.taken

    assert same(first, train("cache", "again"))


@pytest.mark.parametrize(
    "change",
    [{"recipe": replace(RECIPE, seed=8)}, {"pairs": [*PAIRS[1:], pair("zy")]}],
    ids=["recipe", "data"],
)
def test_another_recipe_or_other_data_start_anew(
    train: Train, steps: SimpleNamespace, change: dict[str, Any]
) -> None:
    train("cache")
    steps.taken = 0

    train("cache", "again", **change)

    assert steps.taken == STEPS


# --- The command --------------------------------------------------------------------------------


@pytest.fixture
def command(
    tiny_encoder: SentenceEncoder,
    counsel_chat: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], None]:
    """Run the command on the data of `counsel_chat`, with one question of our own."""
    written = lines(tmp_path / "written.jsonl", [row("3")])
    monkeypatch.setattr(module, "load_encoder", lambda name: tiny_encoder)
    monkeypatch.setattr(module, "Recipe", lambda: RECIPE)
    for name in ("question_pairs", "bank_questions"):
        monkeypatch.setattr(module, name, partial(getattr(data, name), written=written))
    return lambda: module.main(
        counsel_chat, tmp_path / "out", "tiny", tmp_path / "cache", threads=1
    )


def test_the_command_writes_the_adapter_and_a_bank_of_its_vectors(
    command: Callable[[], None],
    tiny_encoder: SentenceEncoder,
    counsel_chat: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command()

    adapted = load_adapted(tiny_encoder, tmp_path / "out", name=RETRIEVAL)
    bank = load_query_bank(adapted.id, tmp_path / "out")
    asked = data.bank_questions(counsel_chat, tmp_path / "written.jsonl")
    expected = np.stack([pool(each) for each in adapted.encode(asked)])
    assert len(bank.vectors) == len(asked) == 10
    assert np.allclose(sorted(bank.vectors.tolist()), sorted(expected.tolist()), atol=1e-2)
    assert "wrote the adapter and a bank of 10 questions" in capsys.readouterr().out
    with pytest.raises(WeightsError):
        load_query_bank(tiny_encoder.id, tmp_path / "out")


@pytest.mark.parametrize("what", ["data", "encoder"])
def test_the_command_says_what_is_missing(
    command: Callable[[], None],
    what: str,
    counsel_chat: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(name: str) -> Any:
        raise EncoderError("no such encoder")

    if what == "data":
        (counsel_chat / "counsel_chat" / "answers.jsonl.gz").unlink()
    else:
        monkeypatch.setattr(module, "load_encoder", fail)
    with pytest.raises(typer.Exit) as left:
        command()

    assert left.value.exit_code == 2
    says = "answers.jsonl.gz is missing" if what == "data" else "no such encoder"
    assert says in capsys.readouterr().err
