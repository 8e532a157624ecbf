"""Retrieval from settings: its encoder, where indexes are kept, and the collections opened."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.environment import quiet_environment
from graph.settings import Settings
from knowledge.cards import DEFAULT_FOLDER
from knowledge.own_cards import load_all_cards
from models.adapter import RETRIEVAL, adapted_id, fits, load_adapted
from models.encoder import SentenceEncoder, load_encoder
from models.lazy_encoder import LazyEncoder, plain_id
from models.query_bank import QueryBank, load_query_bank
from models.weight_files import WEIGHTS_DIR

if TYPE_CHECKING:
    from knowledge.cards import CardError
    from knowledge.search import SearchCollection
    from knowledge.store import IndexPlace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retrieval:
    """What every job needs that searches or fills an index; nothing is loaded before its use."""

    settings: Settings
    encoder: LazyEncoder
    """The sentence encoder with its retrieval adapter, where one was trained for it."""
    bank: QueryBank | None
    """The questions that correct for hubs."""
    place: IndexPlace

    @classmethod
    def of(
        cls,
        settings: Settings,
        plain: SentenceEncoder | None = None,
        *,
        every_core: bool = False,
    ) -> Retrieval:
        """Read what `settings` ask for.

        Args:
            settings: of the process.
            plain: the plain encoder, where it is loaded already.
            every_core: embed on every core, unless the settings say how many threads to use.

        Raises:
            WeightsError: the adapter or the bank of questions is missing or damaged.
        """
        # Chroma takes a second to import; only what opens an index needs it.
        from knowledge.store import IndexPlace

        folder = settings.weights_dir or WEIGHTS_DIR
        base = plain_id(settings.encoder)
        trained = fits(base, folder, name=RETRIEVAL)
        if not trained:
            logger.info("no retrieval adapter for %s: its plain vectors are used", base)

        def load(name: str) -> SentenceEncoder:
            quiet_environment(settings)
            device = None if settings.device == "auto" else settings.device
            encoder = plain or load_encoder(name, device=device)
            if every_core and "threads" not in settings.model_fields_set:
                import torch

                torch.set_num_threads(os.cpu_count() or 1)
            return load_adapted(encoder, folder, name=RETRIEVAL) if trained else encoder

        name = adapted_id(base, folder, name=RETRIEVAL) if trained else base
        return cls(
            settings,
            LazyEncoder(settings.encoder, id=name, load=load),
            load_query_bank(name, folder) if trained else None,
            IndexPlace(settings.data_dir / "index", settings.chroma_url),
        )

    def open(
        self,
        collection: str,
        *,
        weight: float = 1.0,
        progress: bool = False,
        left_out: Callable[[CardError], None] = lambda error: logger.error("%s", error),
    ) -> SearchCollection:
        """Open a collection for search, building its index where it has none.

        Args:
            collection: "strategies", or one of the library.
            weight: what its similarities are multiplied with beside those of other collections.
            progress: show a bar while an index is built.
            left_out: is told of each card that cannot be used.

        Raises:
            CollectionError: there is no such collection, or it was embedded by another encoder.
            LibraryError: the library cannot be used.
            ServerError: the Chroma server cannot be used.
        """
        from knowledge.contents import CARDS, card_passages, library_passages
        from knowledge.library import FILE_NAME, Library
        from knowledge.store import open_collection

        settings, encoder = self.settings, self.encoder
        if collection == CARDS:
            cards, broken = load_all_cards(settings.data_dir, settings.cards_dir or DEFAULT_FOLDER)
            for error in broken:
                left_out(error)
            passages = card_passages(cards, encoder, encoder.id, self.bank)
            return open_collection(
                self.place, passages, cards=cards, weight=weight, progress=progress
            )
        with Library.open(settings.data_dir / FILE_NAME) as library:
            passages = library_passages(library, collection, encoder.id, self.bank)
        return open_collection(self.place, passages, weight=weight, progress=progress)
