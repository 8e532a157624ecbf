from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from knowledge.cards import Card
from knowledge.store import EMOTION_WEIGHT, StoreError, StrategyStore
from tests.knowledge.fakes import QUERY, HashedWords, Open, ids, make_card


@pytest.fixture
def store(open_store: Open, cards: list[Card]) -> StrategyStore:
    return open_store(cards)


def test_search_embeds_nothing(store: StrategyStore, embeddings: HashedWords) -> None:
    vector = embeddings.embed_query(QUERY)
    before = (embeddings.documents, embeddings.queries)
    (found,) = store.search(np.asarray(vector, dtype=np.float32), k=1)  # type: ignore[arg-type]
    assert (embeddings.documents, embeddings.queries) == before
    assert found["title"] == "Technique wind-down"
    assert found["text"] == "You could try wind-down for one minute."
    assert found["source"].startswith("WHO (2020)")
    assert type(found["score"]) is float


def test_a_card_scores_as_its_closest_text(
    store: StrategyStore, embeddings: HashedWords, cards: list[Card]
) -> None:
    query = embeddings.embed_query(QUERY)
    expected = {
        card.id: max(np.dot(query, each) for each in embeddings.embed_documents([*card.documents]))
        for card in cards
    }
    found = store.search(query, floor=-1)
    assert ids(found) == sorted(expected, key=lambda each: -expected[each])
    assert [each["score"] for each in found] == pytest.approx(
        sorted(expected.values(), reverse=True), abs=1e-5
    )


def test_the_same_words_score_one(store: StrategyStore) -> None:
    (found,) = store.search_text("My sleep is broken!", k=1)
    assert found["id"] == "wind-down"
    assert found["score"] == pytest.approx(1, abs=1e-5)


def test_the_floor_and_k(store: StrategyStore) -> None:
    everything = store.search_text(QUERY, floor=-1)
    assert len(everything) == 3
    second = everything[1]["score"]
    assert second > everything[2]["score"]
    assert store.search_text(QUERY, floor=second) == everything[:2]
    assert store.search_text(QUERY, k=1, floor=-1) == everything[:1]
    assert store.search_text(QUERY, floor=1.01) == []
    assert store.search_text(QUERY, k=0) == []


def test_words_that_match_nothing_find_nothing(store: StrategyStore) -> None:
    assert store.search_text("") == []


def test_excluded_cards_leave_room_for_others(store: StrategyStore) -> None:
    everything = ids(store.search_text(QUERY, floor=-1))
    assert ids(store.search_text(QUERY, k=2, floor=-1, exclude={"wind-down"})) == everything[1:]
    assert store.search_text(QUERY, exclude=everything, floor=-1) == []


def test_emotions_order_cards_that_are_equally_close(open_store: Open) -> None:
    same = ["the rent is due", "bills on the table", "no money left"]
    store = open_store(
        [
            make_card("a-calm", situations=same, emotions=["anxious"]),
            make_card("b-angry", situations=same, emotions=["angry", "furious"]),
            make_card("c-close", situations=[*same[1:], "rent due friday"], emotions=["anxious"]),
        ]
    )
    query = "rent due friday"
    plain = store.search_text(query)
    assert ids(plain) == ["c-close", "a-calm", "b-angry"]
    angry = store.search_text(query, emotions={"angry": 0.5, "furious": 0.25, "sad": 0.25})
    assert ids(angry) == ["c-close", "b-angry", "a-calm"]
    assert angry[1]["score"] == pytest.approx(plain[2]["score"] + 0.75 * EMOTION_WEIGHT, abs=1e-6)
    assert store.search_text(query, emotions={"unknown": 1.0}) == plain


def test_a_card_far_down_is_found_by_its_emotion(open_store: Open) -> None:
    # The one that fits the feeling lies behind every text of the first reading.
    near = [
        make_card(f"near-{n}", situations=["the exam tomorrow"] * 5, emotions=["proud"])
        for n in range(20)
    ]
    fits = make_card("fits", situations=["the exam tomorrow now"] * 3, emotions=["terrified"])
    store = open_store([*near, fits])
    assert "fits" not in ids(store.search_text("the exam tomorrow", k=1))
    lifted = store.search_text("the exam tomorrow", k=1, emotions={"terrified": 1.0})
    # cos = 3 / (sqrt(3) * sqrt(4)) = 0.866 is more than the prior below 1 ...
    assert ids(lifted) == ["near-0"]
    fits = make_card("fits", situations=["the exam tomorrow " * 4 + "now"] * 3, emotions=["sad"])
    store = open_store([*near, fits])
    # ... and 12 / (sqrt(3) * 7) = 0.990 is not.
    assert ids(store.search_text("the exam tomorrow", k=1, emotions={"sad": 1.0})) == ["fits"]


def test_search_agrees_with_reading_everything(open_store: Open, embeddings: HashedWords) -> None:
    words = ["exam", "rent", "sleep", "mother", "friend", "work", "alone", "night", "money", "dog"]
    random = np.random.default_rng(7)
    labels = ["sad", "angry", "lonely", "afraid"]
    cards = [
        make_card(
            f"card-{n}",
            situations=[" ".join(random.choice(words, 4)) for _ in range(4)],
            emotions=[str(random.choice(labels))],
        )
        for n in range(80)
    ]
    store = open_store(cards)
    by_id = {card.id: card for card in cards}
    vectors = {card.id: np.array(embeddings.embed_documents([*card.documents])) for card in cards}
    for _ in range(20):
        query = np.array(embeddings.embed_query(" ".join(random.choice(words, 3))))
        emotions = {
            label: float(p) for label, p in zip(labels, random.dirichlet([1] * 4), strict=True)
        }
        exclude = {f"card-{n}" for n in random.integers(0, 80, 5)}
        expected = sorted(
            (
                float((vectors[each] @ query).max())
                + EMOTION_WEIGHT * emotions[by_id[each].emotions[0]]
                for each in vectors
                if each not in exclude
            ),
            reverse=True,
        )[:3]
        found = store.search(query.tolist(), emotions=emotions, exclude=exclude)
        assert [each["score"] for each in found] == pytest.approx(expected, abs=1e-5)


def test_no_card_is_lost_among_many_that_are_alike(
    open_store: Open, embeddings: HashedWords
) -> None:
    embeddings.dimensions = 256
    cards = [make_card(f"card-{number}") for number in range(200)]
    store = open_store(cards)
    for card in cards[::5]:
        vector = embeddings.embed_query(card.situations[0])
        assert store.search(vector, k=1)[0]["score"] == pytest.approx(1, abs=1e-5)


def test_several_threads_search_at_once(store: StrategyStore, embeddings: HashedWords) -> None:
    queries = {
        "I lie awake and cannot sleep": "wind-down",
        "panic attack, my heart is racing": "paced-breathing",
        "I feel alone and have no friends": "small-contact",
    }
    vectors = [(embeddings.embed_query(text), card_id) for text, card_id in queries.items()] * 60

    def best(vector: list[float]) -> str:
        return store.search(vector, k=1)[0]["id"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(best, [vector for vector, _ in vectors]))
    assert found == [card_id for _, card_id in vectors]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_vector_without_meaning_is_refused(store: StrategyStore, value: float) -> None:
    with pytest.raises(ValueError, match="not a number"):
        store.search([value] * 64)


def test_a_failure_is_not_an_empty_result(store: StrategyStore) -> None:
    with pytest.raises(StoreError, match=r"failed: InvalidArgumentError$") as caught:
        store.search([1.0, 0.0])
    # Chroma's own error may quote the query.
    assert caught.value.__suppress_context__
    store.close()
    with pytest.raises(StoreError):
        store.search([1.0] * 64)
