"""The parts of the suite of retrieval: figures by hand, baselines, variants, cards and times."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation import retrieval_speed
from evaluation.parts import IN_USE
from evaluation.retrieval_baselines import KeptEmbeddings, bm25, kept, langchain_chroma
from evaluation.retrieval_cards import card_ranks, leave_one_out
from evaluation.retrieval_metrics import Ranked, figures, with_interval
from evaluation.retrieval_parts import (
    EQUAL,
    NEITHER,
    NO_HUBS,
    NOTHING,
    PLAIN,
    VARIANTS,
    OurSearch,
    Side,
)
from evaluation.retrieval_speed import search_times
from knowledge.index.passages import Passages, entry_of
from knowledge.store import IndexPlace, Store, open_collection
from models.query_bank import QueryBank
from tests.evaluation.retrieving import Words
from tests.knowledge.fakes import HashedWords, library


def test_figures_of_one_ranking_by_hand() -> None:
    found = Ranked(["a", "b", "c"], {"b", "x"}, {"a", "b", "z"})
    assert (found.hit(1), found.hit(5), found.reciprocal_rank) == (0.0, 1.0, 0.5)
    assert found.topical == 2 / 5
    # Found at rank 2; the best ranking has both at ranks 1 and 2.
    assert found.ndcg == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert found.ndcg == pytest.approx(0.38685, abs=1e-5)


def test_two_relevant_documents_both_count() -> None:
    found = Ranked(["x", "a", "y", "b"], {"x", "y"})
    assert found.reciprocal_rank == 1.0
    assert found.ndcg == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3)))


def test_more_relevant_documents_than_are_asked_for_can_still_be_perfect() -> None:
    names = [str(i) for i in range(30)]
    assert Ranked(names[:10], set(names)).ndcg == pytest.approx(1.0)


def test_what_comes_after_the_tenth_place_does_not_count() -> None:
    found = Ranked([*map(str, range(10)), "late"], {"late"})
    assert (found.hit(1), found.hit(5), found.reciprocal_rank, found.ndcg) == (0, 0, 0, 0)
    assert Ranked([], {"a"}).reciprocal_rank == 0
    tenth = Ranked([*map(str, range(9)), "late"], {"late"})
    assert tenth.reciprocal_rank == pytest.approx(0.1)
    assert tenth.ndcg == pytest.approx(1 / math.log2(11))


def test_figures_are_means_over_queries() -> None:
    means = figures([Ranked(["a"], {"a"}, {"a"}), Ranked(["b", "a"], {"a"}), Ranked([], {"a"})])
    assert means["hit_1"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert means["hit_5"] == pytest.approx(2 / 3, abs=1e-4)
    assert means["mrr_10"]["mean"] == 0.5
    assert means["ndcg_10"] == pytest.approx((1 + 1 / math.log2(3)) / 3, abs=1e-4)
    assert means["topic_5"] == pytest.approx(1 / 15, abs=1e-4)


def test_the_interval_is_seeded_and_as_wide_as_theory_says() -> None:
    values = [0.0, 1.0] * 50
    one = with_interval(values)
    assert one == with_interval(values)
    varied = [1 / rank for rank in range(1, 40)]
    assert with_interval(varied) == with_interval(varied) != with_interval(varied, seed=2)
    # A share of one half of 100 has a standard error of 0.05.
    assert one["mean"] == 0.5
    assert one["low"] == pytest.approx(0.402, abs=0.02)
    assert one["high"] == pytest.approx(0.598, abs=0.02)
    assert with_interval([1.0, 1.0]) == {"mean": 1.0, "low": 1.0, "high": 1.0}


def test_bm25_prefers_the_rarer_word_and_breaks_ties_by_id() -> None:
    search = bm25({"c": "cats sleep", "b": "cats sleep", "a": "cats run", "d": "dogs"})
    assert search(["sleep", "cats", "the", "", "unheard"]) == [
        ["b", "c"],
        ["a", "b", "c"],
        [],
        [],
        [],
    ]
    assert search(["cats running dogs"])[0][0] == "d"


def test_langchain_finds_by_its_own_vectors_and_leaves_nothing_behind(tmp_path: Path) -> None:
    words = Words("w")
    embeddings = KeptEmbeddings("w", words.embed_documents, tmp_path)
    documents = {"a": "sleep at night", "b": "walk in spring", "c": "call a friend"}
    for _ in range(2):
        with langchain_chroma(documents, embeddings) as search:
            assert [found[0] for found in search(["in spring", "a friend"])] == ["b", "c"]
            assert sorted(search(["sleep"])[0]) == ["a", "b", "c"]


def test_vectors_are_kept_for_the_next_run(tmp_path: Path) -> None:
    words = Words("one")
    texts = [f"text {i % 70} of some" for i in range(140)]
    first = kept(words, tmp_path).embed_documents(texts)
    assert words.documents == 70
    again = kept(words, tmp_path).embed_documents(texts)
    assert words.documents == 70 and np.allclose(first, again)
    assert np.allclose(first, Words("").embed_documents(texts), atol=1e-6)
    kept(Words("two", 8), tmp_path).embed_documents(texts)
    assert len(kept(Words("two", 8), tmp_path).embed_query(texts[0])) == 8


def test_a_run_that_is_stopped_keeps_no_half_of_a_file(tmp_path: Path) -> None:
    def stopped(texts: list[str]) -> list[list[float]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        KeptEmbeddings("x", stopped, tmp_path / "new").embed_query("text")
    assert list(tmp_path.rglob("*.npy")) == []


NAMES = ["a#0", "a#1", "a#2", "b#0", "b#1", "b#2"]


def test_a_situation_does_not_find_its_card_by_itself() -> None:
    # a#1 is near b#1 only; a#2 near a#0.
    rows = np.eye(6, dtype=np.float32)
    rows[1] = rows[4]
    rows[2] = rows[0]
    ranks = card_ranks(NAMES, rows, np.zeros(6, np.float32))
    # b#1 finds a, which has its twin, before b; b#2 is near nothing, and the tie goes to a.
    assert ranks.tolist() == [2, 1, 2, 2]


def test_ties_between_cards_go_to_the_lower_id() -> None:
    ranks = card_ranks(NAMES, np.zeros((6, 3), np.float32), np.zeros(6, np.float32))
    assert ranks.tolist() == [1, 1, 2, 2]


def test_a_penalty_takes_a_hub_out_of_the_way() -> None:
    hub, own = np.array([1.0, 0.0]), np.array([0.9, math.sqrt(1 - 0.81)])
    rows = np.array([hub, hub, hub, own, own, own], dtype=np.float32)
    rows[4] = (hub + own) / np.linalg.norm(hub + own) + np.array([0.05, 0])
    free = card_ranks(NAMES, rows, np.zeros(6, np.float32))
    fined = card_ranks(NAMES, rows, np.array([0.2, 0.2, 0.2, 0, 0, 0], np.float32))
    assert free.tolist()[2] == 2 and fined.tolist()[2] == 1


def test_cards_are_scored_like_a_search_that_passes_over_the_one_passage() -> None:
    words, cards = HashedWords(), library()
    bank = QueryBank(np.asarray(words.embed_documents(["my night", "I feel alone"]), "f4"), "b")
    for hubness in (0.0, 0.4):
        found = leave_one_out(cards, words, "w", bank, hubness)
        firsts = []
        for card in cards:
            for place, situation in enumerate(card.situations):
                best = {}
                for other in cards:
                    texts = [
                        text
                        for i, text in enumerate(other.documents)
                        if (other.id, i) != (card.id, place + 1)
                    ]
                    vectors = np.asarray(words.embed_documents(texts), dtype=np.float32)
                    scores = vectors @ words.embed_query(situation) - hubness * bank.hubness(
                        vectors
                    )
                    best[other.id] = scores.max()
                firsts.append(min(best, key=lambda id: (-best[id], id)) == card.id)
        assert found["hit_1"]["hits"] == sum(firsts)
        assert found["hit_1"]["of"] == found["hit_3"]["hits"] == 9


def store_of(tmp_path: Path, rows: dict[str, Sequence[float]], bank: QueryBank | None) -> Store:
    source = Passages(
        "notes",
        {name: f"text of {name}" for name in rows},
        lambda name: {"entry": entry_of(name)},
        lambda ids: np.asarray([rows[each] for each in ids], dtype=np.float32),
        "by hand",
        "by hand",
        bank,
    )
    return Store([open_collection(IndexPlace(tmp_path / "index"), source)])


def at(degrees: float) -> list[float]:
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def asked(store: Store, name: str, degrees: float, tmp_path: Path) -> list[str]:
    """Ask as the variant of this name would."""
    embeddings = KeptEmbeddings(
        "by hand", lambda texts: [at(float(each)) for each in texts], tmp_path / "vectors"
    )
    varied = replace(store, weights=VARIANTS[name][1])
    (found,) = OurSearch(varied, embeddings)([str(degrees)])
    return found


def test_hubs_are_corrected_only_where_the_correction_is_on(tmp_path: Path) -> None:
    bank = QueryBank(np.asarray([at(0), at(1), at(2), at(3)], dtype=np.float32), "b")
    rows = {"hub#0": at(2), "other#0": at(60)}
    with store_of(tmp_path, rows, bank) as store:
        assert asked(store, IN_USE, 29, tmp_path)[0] == "other"
        assert asked(store, EQUAL, 29, tmp_path)[0] == "other"
        assert asked(store, NO_HUBS, 29, tmp_path)[0] == "hub"
        assert asked(store, NEITHER, 29, tmp_path)[0] == "hub"


def test_later_passages_weigh_less_only_where_that_is_on(tmp_path: Path) -> None:
    rows = {"a#0": at(8), "b#0": at(80), "b#1": at(5)}
    with store_of(tmp_path, rows, None) as store:
        assert asked(store, IN_USE, 0, tmp_path) == ["a", "b"]
        assert asked(store, NO_HUBS, 0, tmp_path) == ["a", "b"]
        assert asked(store, EQUAL, 0, tmp_path) == ["b", "a"]
        assert asked(store, NEITHER, 0, tmp_path) == ["b", "a"]


def test_no_floor_hides_a_result_and_a_document_is_found_once(tmp_path: Path) -> None:
    rows = {"a#0": at(100), "a#1": at(110), "b#0": at(180)}
    with store_of(tmp_path, rows, None) as store:
        for name in VARIANTS:
            assert asked(store, name, 0, tmp_path) == ["a", "b"]


def test_each_variant_says_whether_it_uses_the_adapter() -> None:
    assert [name for name, (adapter, _) in VARIANTS.items() if not adapter] == [PLAIN, NOTHING]


def test_an_encoder_without_a_bank_gets_one_of_its_own_vectors(tmp_path: Path) -> None:
    words = Words("plain", 32)
    side = Side.untrained(kept(words, tmp_path), ["one question", "and another"])
    assert side.bank is not None
    assert np.allclose(side.bank.vectors, words.embed_documents(["one question", "and another"]))


def test_searches_are_timed_and_find_all_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found: list[tuple[int, int]] = []
    search = Store.search

    def counted(store: Store, query: Any, *, k: int = 3, **more: Any) -> Any:
        some = search(store, query, k=k, **more)
        found.append((k, len(some)))
        return some

    monkeypatch.setattr(Store, "search", counted)
    report = search_times((40, 60), queries=4, dimensions=16)
    assert list(report) == ["40", "60"]
    for each in report.values():
        assert list(each) == ["build_s", "k_3", "k_10"]
        for k in ("k_3", "k_10"):
            assert 0 < each[k]["median_ms"] <= each[k]["p95_ms"]
    # What is not a unit vector's neighbour is below the floor in use, but floors are off.
    assert set(found) == {(3, 3), (10, 10)}
    assert len(found) == 2 * 2 * (4 + retrieval_speed._WARM_UP)
    assert list(tmp_path.iterdir()) == []
