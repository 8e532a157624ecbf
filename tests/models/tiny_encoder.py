"""A tiny random BERT that is saved to disk as any sentence encoder is."""

from pathlib import Path
from string import ascii_lowercase
from typing import Final

import pytest

from models.adapter import transformer_of
from models.encoder import SentenceEncoder, Vector, load_encoder

DIMS: Final = 32
TEXTS: Final = (
    "nobody calls me any more",
    "my manager shouted at me",
    "we won the cup and i sang all night",
    "how does this work",
)


def build(folder: Path) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"my me i the and nobody".split()]
    words += [*ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(dict.fromkeys(words))})
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=DIMS,
        intermediate_size=2 * DIMS,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        # Larger than usual, so that texts differ although nothing was learnt.
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    parts = [Transformer(str(folder / "bert"), max_seq_length=48), Pooling(DIMS), Normalize()]
    model = SentenceTransformer(modules=parts, device="cpu")
    model.save_pretrained(str(folder / "encoder"), create_model_card=False)
    return folder / "encoder"


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    """A real encoder that no test may change."""
    encoder = load_encoder(str(build(tmp_path_factory.mktemp("encoder"))), device="cpu")
    return SentenceEncoder(encoder.model, "tiny-bert")


def linear_layers(encoder: SentenceEncoder) -> dict[str, Vector]:
    """Return the weight of each linear layer that an adapter changes, by its name."""
    import torch

    return {
        name: layer.weight.detach().numpy().copy()
        for name, layer in transformer_of(encoder).named_modules()
        if isinstance(layer, torch.nn.Linear) and name.startswith("encoder.")
    }
