"""The encoder as it is trained: which layers, and the vectors that it gives."""

from typing import Any

import numpy as np
import pytest

from models.encoder import SentenceEncoder, pool
from tests.models.tiny_encoder import TEXTS
from training.lora import LoraEncoder, array

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # peft asks transformers for a name that is to go in its next major version.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]


@pytest.mark.parametrize(
    ("layers", "numbers"), [(r"\d+", {"0", "1"}), ("[0]", {"0"}), ("[1-5]", {"1"})]
)
def test_an_adapter_is_on_the_layers_that_are_named(
    tiny_encoder: SentenceEncoder, layers: str, numbers: set[str]
) -> None:
    lora = LoraEncoder(tiny_encoder, 2, 0.0, layers=layers)

    found = lora.layers()
    assert {name.split(".")[2] for name in found} == numbers
    assert len(found) == 6 * len(numbers)
    # Rank-stabilised: the scale is rank / sqrt(rank).
    assert lora.scale() == pytest.approx(2**0.5)
    assert len(lora.parameters()) == 2 * len(found)


def test_before_training_the_vectors_are_those_of_the_plain_encoder(
    tiny_encoder: SentenceEncoder,
) -> None:
    lora = LoraEncoder(tiny_encoder, 2, 0.0)

    found = array(lora.vectors(TEXTS, 46))

    expected = np.stack([pool(each) for each in tiny_encoder.encode(TEXTS)])
    assert np.allclose(found, expected, atol=1e-5)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_long_texts_are_cut_and_filling_changes_nothing(tiny_encoder: SentenceEncoder) -> None:
    lora = LoraEncoder(tiny_encoder, 2, 0.0)
    long = "i me " * 40

    assert np.allclose(
        array(lora.vectors([long], 12)), array(lora.vectors(["i me " * 5], 12)), atol=1e-5
    )
    together = array(lora.vectors([*TEXTS, long], 46))
    alone = np.concatenate([array(lora.vectors([text], 46)) for text in (*TEXTS, long)])
    assert np.allclose(together, alone, atol=1e-4)


def test_word_pieces_are_hidden_but_no_special_one(
    tiny_encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    lora = LoraEncoder(tiny_encoder, 2, 0.0)
    seen: list[Any] = []
    real = lora.model.forward

    def forward(input_ids: Any, attention_mask: Any) -> Any:
        seen.append(input_ids)
        return real(input_ids=input_ids, attention_mask=attention_mask)

    monkeypatch.setattr(lora.model, "forward", forward)
    torch.manual_seed(0)
    for masked in (0.0, 0.5, 1.0):
        lora.vectors(TEXTS, 46, masked)

    plain, some, every = seen
    special = torch.isin(plain, torch.tensor(lora.tokenizer.all_special_ids))
    mask = lora.tokenizer.mask_token_id
    assert (every[~special] == mask).all()
    assert torch.equal(every[special], plain[special])
    share = float((some[~special] == mask).float().mean())
    assert 0.3 < share < 0.7
    assert torch.equal(some[special], plain[special])
