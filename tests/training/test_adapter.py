"""Training the adapter: it learns, it goes on after a stop, and what it writes is what it trained.

The encoder is tiny and real; peft, the optimizer and the files are those of a long run.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.adapter import load_adapted
from models.encoder import SentenceEncoder, Vector, pool
from models.features import intent_features
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS, EMOTION_LABELS, INTENTS
from tests.models.tiny_encoder import DIMS, linear_layers
from tests.training.stopping import Stopped
from training.adapter import Heads, Recipe, train_adapter
from training.data import Dialogue
from training.examples import Example, TrainingSet, soft_level
from training.lora import LoraEncoder
from training.run import Schedule, TrainingRun

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # peft asks transformers for a name that is to go in its next major version.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]

RECIPE = Recipe(rank=2, epochs=3, batch=4, longest=32)
EPOCH, LAST = 5, 6
"""Steps of an epoch, by fours: two views of a dialogue, ten other examples, danger twice and a
long post; in the last one danger three times and no long post."""

SCHEDULE = Schedule(
    steps=20, adapter_rate=1e-2, head_rate=1e-2, warm_up=0.1, weight_decay=0.01, seed=1
)
STEPS = (RECIPE.epochs - 1) * EPOCH + LAST

DANGER = {"none": "the bus was late", "high": "i want to die", "imminent": "goodbye all of you"}
EMOTION = {"lonely": "nobody calls me", "furious": "he shouted at me", "proud": "i won the cup"}
REPLY = {"questioning": "what happened then", "wishing": "good luck to you"}
TALK = Dialogue(
    "sad",
    "my cat died",
    (
        ("speaker", "my cat died", "sad"),
        ("listener", "oh no", "sympathizing"),
        ("speaker", "she was old", "sad"),
        ("listener", "how old", "questioning"),
    ),
)
EXAMPLES = TrainingSet(
    talks=(TALK,),
    danger=tuple(Example(t, crisis=soft_level(k), crisis_weight=1.0) for k, t in DANGER.items()),
    turns=(),
    posts=(Example("a long story " * 40, crisis=(0.05, 0.2, 0.6, 0.15), crisis_weight=0.4),),
    others=(
        *(Example(text, emotion=EMOTION_LABELS.index(label)) for label, text in EMOTION.items()),
        *(Example(text, reply_intent=INTENTS.index(label)) for label, text in REPLY.items()),
        *(
            Example(text, intent=INTENTS.index("neutral"), turns=2)
            for text in ("ok", "right", "hm", "sure", "yes")
        ),
    ),
    normalise=str.lower,
)


@pytest.fixture
def train(tiny_encoder: SentenceEncoder, tmp_path: Path) -> Callable[..., Any]:
    """Train into a folder of `tmp_path`; return the heads and the adapted encoder."""

    def run(
        cache: str, out: str = "out", recipe: Recipe = RECIPE, examples: TrainingSet = EXAMPLES
    ) -> tuple[dict[str, LinearHead], SentenceEncoder]:
        heads = train_adapter(tiny_encoder, examples, tmp_path / cache, tmp_path / out, recipe)
        return heads, load_adapted(tiny_encoder, tmp_path / out)

    return run


def losses(heads: dict[str, LinearHead], encoder: SentenceEncoder) -> dict[str, float]:
    """Return each head's mean log-loss on what it was trained on, read as in use."""

    def loss(name: str, labelled: dict[str, str]) -> float:
        chances = [
            heads[name].scores(pool(encoder.encode([text])[0]))[label]
            for label, text in labelled.items()
        ]
        return float(-np.log(np.maximum(chances, 1e-4)).mean())

    return {
        "emotion": loss("emotion", EMOTION),
        "reply_intent": loss("reply_intent", REPLY),
        "crisis": loss("crisis", DANGER),
    }


# --- Learning -----------------------------------------------------------------------------------


def test_the_loss_of_every_task_falls_and_the_plain_encoder_stays(
    train: Callable[..., Any], tiny_encoder: SentenceEncoder
) -> None:
    before = linear_layers(tiny_encoder)

    short = losses(*train("cache", recipe=replace(RECIPE, epochs=1, dropout=0.0)))
    long = losses(*train("cache", recipe=replace(RECIPE, epochs=30, dropout=0.0)))

    for name, loss in long.items():
        assert loss < 0.6 * short[name], name
    after = linear_layers(tiny_encoder)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_every_linear_layer_is_adapted(train: Callable[..., Any], tiny_encoder: Any) -> None:
    _, adapted = train("cache")

    plain, changed = linear_layers(tiny_encoder), linear_layers(adapted)
    assert len(plain) == 12
    for name, weight in plain.items():
        difference = changed[name] - weight
        assert difference.any(), name
        assert np.linalg.matrix_rank(difference, tol=1e-4) <= RECIPE.rank, name


def test_the_saved_adapter_gives_the_vectors_that_were_trained(
    tiny_encoder: SentenceEncoder, tmp_path: Path
) -> None:
    from models.adapter import save_adapter

    texts = [*DANGER.values(), *EMOTION.values()]
    lora = LoraEncoder(tiny_encoder, RECIPE.rank, dropout=0.0)
    run = TrainingRun(lora, None, SCHEDULE, tmp_path / "run.pt")
    run.train([texts] * SCHEDULE.steps, lambda batch: lora.vectors(batch, 32)[:, 0].sum())
    save_adapter(lora.layers(), lora.scale(), tiny_encoder.id, tmp_path)

    trained = lora.vectors(texts, 32).detach().numpy()
    loaded = np.stack([pool(each) for each in load_adapted(tiny_encoder, tmp_path).encode(texts)])
    plain = np.stack([pool(each) for each in tiny_encoder.encode(texts)])

    assert np.allclose(loaded, trained, atol=1e-3)
    assert np.abs(plain - trained).max() > 0.02


# --- The heads ----------------------------------------------------------------------------------


def test_the_heads_read_unit_vectors_as_they_were_trained() -> None:
    import torch

    torch.manual_seed(1)
    heads = Heads(DIMS)
    vector = np.random.default_rng(1).normal(size=DIMS).astype(np.float32)
    vector /= np.linalg.norm(vector)
    earlier = ["questioning"]

    found = heads.linear_heads(RECIPE.scale)

    assert found["emotion"].labels == EMOTION_LABELS
    assert found["crisis"].labels == CRISIS_LEVELS
    assert found["intent"].labels == found["reply_intent"].labels == INTENTS
    where = intent_features(vector, 2, earlier)[DIMS:]
    for name, head in found.items():
        intent = name == "intent"
        seen = np.concatenate([vector * RECIPE.scale, where]) if intent else vector * RECIPE.scale
        logits = heads.layers[name](torch.from_numpy(seen))
        expected = torch.softmax(logits, 0).detach().numpy()
        read: Vector = intent_features(vector, 2, earlier) if intent else vector
        assert np.allclose(head.probabilities(read), expected, atol=1e-5), name


def test_an_unknown_label_adds_no_loss() -> None:
    import torch

    heads = Heads(DIMS)
    vectors = torch.nn.functional.normalize(torch.ones(2, DIMS), dim=-1)
    known, nothing = Example("a", emotion=3), Example("b")

    assert heads.loss(vectors, [nothing, nothing], RECIPE).item() == 0
    alone = heads.loss(vectors[:1], [known], RECIPE).item()
    assert alone > 0
    assert heads.loss(vectors, [known, nothing], RECIPE).item() == pytest.approx(alone / 2)


def test_each_task_weighs_what_the_recipe_says() -> None:
    import torch

    heads = Heads(DIMS)
    vectors = torch.nn.functional.normalize(torch.ones(1, DIMS), dim=-1)
    examples = {
        "intent_weight": Example("a", intent=2),
        "reply_weight": Example("a", reply_intent=2),
        "crisis_weight": Example("a", crisis=soft_level("high"), crisis_weight=0.5),
    }

    for name, example in examples.items():
        one, three = (replace(RECIPE, **{name: weight}) for weight in (1.0, 3.0))
        loss = heads.loss(vectors, [example], one).item()
        assert loss > 0
        assert heads.loss(vectors, [example], three).item() == pytest.approx(3 * loss, rel=1e-5)


# --- Going on after a stop ----------------------------------------------------------------------


def same(one: tuple[Any, SentenceEncoder], other: tuple[Any, SentenceEncoder]) -> bool:
    first, second = linear_layers(one[1]), linear_layers(other[1])
    return all(np.array_equal(first[name], second[name]) for name in first) and all(
        np.array_equal(head.weight, other[0][name].weight)
        and np.array_equal(head.bias, other[0][name].bias)
        for name, head in one[0].items()
    )


@pytest.mark.parametrize(
    "stop",
    [2, EPOCH, EPOCH + 3, 2 * EPOCH, 2 * EPOCH + 3],
    ids=["first epoch", "between", "second epoch", "before the last", "last epoch"],
)
def test_a_stopped_run_goes_on_and_ends_as_an_unbroken_one(
    train: Callable[..., Any], steps: SimpleNamespace, stop: int
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


def test_a_finished_run_is_not_trained_again(
    train: Callable[..., Any], steps: SimpleNamespace
) -> None:
    first = train("cache")
    steps.stop = steps.taken

    assert same(first, train("cache", "again"))


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": replace(RECIPE, seed=8)},
        {"recipe": replace(RECIPE, rank=3)},
        {"examples": replace(EXAMPLES, others=(*EXAMPLES.others[1:], Example("new", emotion=1)))},
    ],
    ids=["seed", "rank", "data"],
)
def test_another_recipe_or_other_data_start_anew(
    train: Callable[..., Any], steps: SimpleNamespace, change: dict[str, Any]
) -> None:
    train("cache")
    steps.taken = 0

    train("cache", "again", **change)

    assert steps.taken == STEPS


def test_what_is_half_written_is_not_taken_for_a_checkpoint(
    train: Callable[..., Any], steps: SimpleNamespace, tmp_path: Path
) -> None:
    first = train("cache")
    [checkpoint] = (tmp_path / "cache").glob("*.pt")
    checkpoint.rename(checkpoint.with_suffix(".part"))
    steps.taken = 0

    assert same(first, train("cache", "again"))
    assert steps.taken == STEPS
