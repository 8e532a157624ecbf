from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from knowledge.cards import Card
from knowledge.contents import CollectionError
from knowledge.contraindications import RuledOut
from knowledge.index.chroma import IndexFailure
from knowledge.index.folder import memory_index
from knowledge.index.passages import Passages, entry_of
from knowledge.search import Query, SearchCollection, Weights
from knowledge.store import Store
from models.query_bank import QueryBank
from tests.knowledge.fakes import LENIENT, ids, make_card

FLOOR = replace(LENIENT, floor=0.25)
VARIED = replace(LENIENT, diversity=0.2)
AHEAD = [1.0, 0.0, 0.0, 0.0]

Make = Callable[..., SearchCollection]


def at(similarity: float, axis: int = 1) -> list[float]:
    """Return a unit vector of this cosine similarity to `AHEAD`, turned towards an axis."""
    vector = [similarity, 0.0, 0.0, 0.0]
    vector[axis] = (1 - similarity**2) ** 0.5
    return vector


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes collections in memory from the vectors of their passages, by "entry#number"."""
    with ExitStack() as stack:

        def make_(
            vectors: Mapping[str, Sequence[float]],
            cards: Sequence[Card] = (),
            name: str = "strategies",
            weight: float = 1.0,
            bank: QueryBank | None = None,
        ) -> SearchCollection:
            passages = Passages(
                name,
                {each: f"Text of {each}." for each in vectors},
                lambda each: {"title": entry_of(each).title(), "source": "A book"},
                lambda some: [vectors[each] for each in some],
                "fake",
                "content",
                bank,
            )
            index = memory_index(passages)
            stack.callback(index.close)
            return SearchCollection(name, index, {card.id: card for card in cards}, weight)

        yield make_


def found(
    collection: SearchCollection, k: int = 5, weights: Weights = LENIENT, **query: object
) -> list[str]:
    return ids(collection.find(Query(AHEAD, **query), k, weights))  # type: ignore[arg-type]


def test_an_entry_scores_as_its_closest_passage(make: Make) -> None:
    collection = make({"a#0": at(0.5), "b#0": at(0.7), "a#1": at(0.9), "b#1": at(0.7)})
    first, second = collection.find(Query(AHEAD), 5, LENIENT)
    assert first.strategy == {
        "id": "a",
        "title": "A",
        "text": "Text of a#1.",
        "source": "A book",
        "score": pytest.approx(0.9, abs=1e-5),
    }
    assert (first.passage, first.reasons) == ("Text of a#1.", ("closest passage 0.90",))
    assert first.vector == pytest.approx(at(0.9))
    assert second.strategy["score"] == pytest.approx(0.7, abs=1e-5)


def test_a_card_gives_its_offer_and_not_the_passage(make: Make) -> None:
    collection = make({"a#0": at(0.9)}, [make_card("a")])
    (one,) = collection.find(Query(AHEAD), 1, LENIENT)
    assert one.strategy["text"] == "You could try a for one minute."
    assert one.passage == "Text of a#0."


def test_emotions_order_near_ties_and_lift_nothing_over_what_is_plainly_closer(
    make: Make,
) -> None:
    cards = [
        make_card("calm", emotions=["anxious"]),
        make_card("angry", emotions=["angry", "furious"]),
        make_card("close", emotions=["anxious"]),
    ]
    collection = make({"calm#0": at(0.80), "angry#0": at(0.78), "close#0": at(0.95)}, cards)
    assert found(collection) == ["close", "calm", "angry"]
    assert found(collection, emotions={"unknown": 1.0}) == ["close", "calm", "angry"]
    felt = Query(AHEAD, emotions={"angry": 0.5, "furious": 0.25, "sad": 0.25})
    _, second, _ = collection.find(felt, 5, LENIENT)
    assert second.strategy["id"] == "angry"
    assert second.strategy["score"] == pytest.approx(0.78 + 0.75 * 0.1, abs=1e-5)
    assert second.reasons == ("closest passage 0.78", "meant for angry, furious")
    # However sure the reading of the emotion is, or however wrong its probabilities are.
    assert found(collection, emotions={"angry": 1.0}) == ["close", "angry", "calm"]
    assert found(collection, emotions={"angry": 1.0, "furious": 1.0}) == ["close", "angry", "calm"]
    assert found(collection, weights=replace(LENIENT, emotion=0.0),
                 emotions={"angry": 1.0}) == ["close", "calm", "angry"]  # fmt: skip


def test_the_intent_orders_near_ties(make: Make) -> None:
    cards = [make_card("do", technique="activity"), make_card("care", technique="self-compassion")]
    collection = make({"do#0": at(0.80), "care#0": at(0.81)}, cards)
    assert found(collection) == ["care", "do"]
    assert found(collection, intent="encouraging") == ["do", "care"]
    assert found(collection, intent="consoling") == ["care", "do"]
    assert found(collection, intent="no such intent") == ["care", "do"]
    further = make({"do#0": at(0.78), "care#0": at(0.81)}, cards)
    assert found(further, intent="encouraging") == ["care", "do"]


def test_excluded_entries_leave_room_for_others(make: Make) -> None:
    collection = make({f"e{n}#0": at(0.9 - n / 10) for n in range(4)})
    assert found(collection, 2, exclude={"e0", "e2"}) == ["e1", "e3"]
    assert found(collection, exclude=["e0", "e1", "e2", "e3", "unknown"]) == []


def test_techniques_and_cards_that_are_ruled_out_are_not_found(make: Make) -> None:
    cards = [
        make_card("breath", technique="breathing"),
        make_card("body", technique="grounding"),
        make_card("walk", technique="movement"),
    ]
    collection = make({"breath#0": at(0.9), "body#0": at(0.8), "walk#0": at(0.7)}, cards)
    assert found(collection) == ["breath", "body", "walk"]
    techniques = RuledOut(techniques=frozenset({"breathing", "grounding"}))
    assert found(collection, ruled_out=techniques) == ["walk"]
    assert found(collection, ruled_out=RuledOut(cards=frozenset({"body"}))) == ["breath", "walk"]
    both = RuledOut(frozenset({"breathing"}), frozenset({"walk"}))
    assert found(collection, ruled_out=both) == ["body"]


def test_many_that_are_ruled_out_do_not_hide_one_that_is_not(make: Make) -> None:
    cards = [make_card(f"breath-{n}", technique="breathing") for n in range(60)]
    near = {
        f"{card.id}#{n}": at(0.9 - i / 1000, n + 1)
        for i, card in enumerate(cards)
        for n in range(3)
    }
    collection = make(near | {"walk#0": at(0.5)}, [*cards, make_card("walk", technique="movement")])
    ruled_out = RuledOut(techniques=frozenset({"breathing"}))
    assert found(collection, 1, ruled_out=ruled_out) == ["walk"]
    assert found(collection, 1, exclude=[card.id for card in cards]) == ["walk"]


def test_the_floor_and_k(make: Make) -> None:
    collection = make({"a#0": at(0.6), "b#0": at(0.4), "c#0": at(0.2)})
    assert found(collection, weights=FLOOR) == ["a", "b"]
    assert found(collection, weights=replace(FLOOR, floor=0.5)) == ["a"]
    assert found(collection, weights=replace(FLOOR, floor=0.61)) == []
    assert found(collection, 1) == ["a"]
    for k in (0, -1):
        assert found(collection, k) == []
        assert Store([collection], LENIENT).search(Query(AHEAD), k=k) == []


def test_a_card_that_takes_something_for_granted_has_to_be_closer(make: Make) -> None:
    cards = [make_card("pet", scope="specific"), make_card("breath", scope="general")]
    collection = make({"pet#0": at(0.5), "breath#0": at(0.3), "counsel#0": at(0.3, 2)}, cards)
    for specific_floor, pet in [(0.45, True), (0.55, False), (0.0, True)]:
        weights = replace(FLOOR, specific_floor=specific_floor)
        assert ("pet" in found(collection, weights=weights)) == pet
        assert {"breath", "counsel"} < {*found(collection, weights=weights), "pet"}
    # It never makes up for the floor of all.
    weights = replace(FLOOR, floor=0.6, specific_floor=0.4)
    assert found(collection, weights=weights) == []


@pytest.mark.parametrize(
    ("scope", "similarity", "felt", "offered"),
    [
        ("specific", 0.8, 0.0, True),
        ("specific", 0.6, 0.2, True),
        ("specific", 0.6, 0.05, False),
        ("specific", 0.4, 1.0, False),
        ("general", 0.6, 0.0, True),
        ("general", 0.3, 0.2, True),
        ("general", 0.3, 0.05, False),
        ("general", 0.1, 1.0, False),
    ],
)
def test_a_card_has_to_be_near_in_words_or_in_feeling(
    make: Make, scope: str, similarity: float, felt: float, offered: bool
) -> None:
    collection = make({"a#0": at(similarity)}, [make_card("a", scope=scope, emotions=["sad"])])
    weights = replace(FLOOR, specific_floor=0.5, sure=0.75, least_agreement=0.1)
    feeling = {"sad": felt, "joyful": 0.5}
    assert found(collection, weights=weights, emotions=feeling) == ["a"][:offered]


@pytest.mark.parametrize(
    ("emotions", "feeling", "offered"),
    [
        (["disappointed", "sad"], {"joyful": 0.5, "excited": 0.3}, False),
        (["joyful", "proud"], {"sad": 0.5, "disappointed": 0.3}, False),
        (["disappointed", "hopeful"], {"joyful": 0.5, "excited": 0.3}, True),
        (["joyful", "surprised"], {"sad": 0.5, "disappointed": 0.3}, True),
        (["disappointed", "sad"], {"joyful": 0.4, "surprised": 0.5}, True),
    ],
)
def test_a_card_for_a_bad_time_jars_with_joy(
    make: Make, emotions: list[str], feeling: dict[str, float], offered: bool
) -> None:
    collection = make({"a#0": at(0.95)}, [make_card("a", emotions=emotions)])
    assert found(collection, emotions=feeling) == ["a"][:offered]


def test_what_is_asked_for_again_comes_first_however_far_it_is(make: Make) -> None:
    cards = [make_card("near"), make_card("far"), make_card("out")]
    collection = make({"near#0": at(0.9), "far#0": at(0.1), "out#0": at(0.2)}, cards)
    assert found(collection, weights=FLOOR) == ["near"]
    assert found(collection, weights=FLOOR, again=["far"]) == ["far", "near"]
    refused = RuledOut(cards=frozenset({"far"}))
    assert found(collection, weights=FLOOR, again=["far"], ruled_out=refused) == ["near"]


def test_a_later_passage_of_a_document_weighs_less_than_one_of_a_card(make: Make) -> None:
    collection = make({"doc#0": at(0.5), "doc#1": at(0.9), "card#3": at(0.85)}, [make_card("card")])
    assert found(collection) == ["doc", "card"]
    assert found(collection, weights=replace(LENIENT, continuation=0.1)) == ["card", "doc"]


def test_a_prior_lifts_nothing_over_the_floor(make: Make) -> None:
    collection = make({"a#0": at(0.2)}, [make_card("a", emotions=["sad"])])
    assert found(collection, weights=FLOOR, emotions={"sad": 1.0}) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_vector_without_meaning_is_refused(make: Make, value: float) -> None:
    store = Store([make({"a#0": at(0.9)})])
    with pytest.raises(ValueError, match="not a number"):
        store.search(Query([value, 0.0, 0.0, 0.0]))


def test_a_vector_without_direction_finds_nothing(make: Make) -> None:
    assert Store([make({"a#0": at(0.9)})], FLOOR).search(Query([0.0] * 4)) == []


def test_a_hub_is_lowered(make: Make) -> None:
    # Every question is near to `hub`, none but its own is near to `own`.
    questions = np.array([at(0.6, 2), at(0.6, 3), at(0.8, 2)], dtype=np.float32)
    vectors = {"hub#0": at(0.9, 2), "own#0": at(0.88, 1)}
    collection = make(vectors, bank=QueryBank(questions, "bank"))
    assert found(collection, weights=replace(LENIENT, hubness=0.0)) == ["hub", "own"]
    first, second = collection.find(Query(AHEAD), 2, LENIENT)
    # By hand: the nearest question left out, the mean of the two others, less both entries' mean.
    hub = np.sort(questions @ np.array(vectors["hub#0"]))[:2].mean()
    own = np.sort(questions @ np.array(vectors["own#0"]))[:2].mean()
    half = (hub - own) / 2
    assert half > 0
    assert (first.strategy["id"], second.strategy["id"]) == ("own", "hub")
    assert first.strategy["score"] == pytest.approx(0.88 + 0.4 * half, abs=1e-5)
    assert second.strategy["score"] == pytest.approx(0.90 - 0.4 * half, abs=1e-5)
    # What is said of it stays the similarity itself.
    assert second.reasons == ("closest passage 0.90",)


def test_the_best_comes_first_and_then_one_that_is_unlike_it(make: Make) -> None:
    vectors = {"best#0": at(0.9), "twin#0": at(0.89), "unlike#0": at(0.85, 2)}
    collection = make(vectors, [make_card(name) for name in ("best", "twin", "unlike")])
    alike = Store([collection], LENIENT)
    assert ids(alike.search(Query(AHEAD), k=2)) == ["best", "twin"]
    store = Store([collection], VARIED)
    assert ids(store.search(Query(AHEAD), k=2)) == ["best", "unlike"]
    assert ids(store.search(Query(AHEAD), k=1)) == ["best"]
    assert sorted(ids(store.search(Query(AHEAD), k=9))) == ["best", "twin", "unlike"]
    # Answers to one question are alike, and any of them may be the right one.
    documents = Store([make(vectors, name="counsel")], VARIED)
    assert ids(documents.search(Query(AHEAD), k=2)) == ["best", "twin"]


def test_collections_are_searched_together_by_their_weights(make: Make) -> None:
    cards = make({"card#0": at(0.8)}, [make_card("card", emotions=["sad"])])
    counsel = make({"talk#0": at(0.9), "far#0": at(0.1)}, name="counsel", weight=0.8)
    store = Store([cards, counsel], FLOOR)
    both = store.search(Query(AHEAD), k=3)
    assert [(each.collection, each.strategy["id"]) for each in both] == [
        ("strategies", "card"),
        ("counsel", "talk"),
    ]
    assert both[1].strategy["score"] == pytest.approx(0.72, abs=1e-5)
    assert both[1].strategy["text"] == "Text of talk#0."
    assert ids(store.search(Query(AHEAD), collection="counsel")) == ["talk"]
    # Only cards say what they are meant for.
    (talk,) = store.search(Query(AHEAD, emotions={"sad": 1.0}), collection="counsel")
    assert talk.strategy["score"] == pytest.approx(0.72, abs=1e-5)
    assert [(each["collection"], each["weight"]) for each in store.info()] == [
        ("strategies", 1.0),
        ("counsel", 0.8),
    ]


def test_an_unknown_collection(make: Make) -> None:
    store = Store([make({"a#0": at(0.9)}), make({"b#0": at(0.9)}, name="counsel")])
    with pytest.raises(CollectionError, match="no collection 'books'; there is: strategies, coun"):
        store.search(Query(AHEAD), collection="books")
    with pytest.raises(CollectionError, match="there is: none"):
        Store([]).search(Query(AHEAD))


def test_a_failure_is_not_an_empty_result(make: Make) -> None:
    collection = make({"a#0": at(0.9)})
    store = Store([collection])
    with pytest.raises(IndexFailure) as caught:
        store.search(Query([0.125, 0.25]))
    # Chroma's own error may quote the query.
    assert str(caught.value) == "the index failed: InvalidArgumentError"
    assert caught.value.__suppress_context__


def test_neither_query_nor_vectors_are_shown() -> None:
    # What is logged by accident must not give away what a person wrote.
    assert "0.125" not in repr(Query([0.125, 0.25]))


def test_search_agrees_with_reading_everything(make: Make) -> None:
    random = np.random.default_rng(7)
    labels = ["sad", "angry", "lonely", "afraid"]
    cards = [make_card(f"card-{n}", emotions=[str(random.choice(labels))]) for n in range(60)]
    matrix = random.normal(size=(60, 5, 8))
    matrix /= np.linalg.norm(matrix, axis=2, keepdims=True)
    questions = random.normal(size=(30, 8)).astype(np.float32)
    questions /= np.linalg.norm(questions, axis=1, keepdims=True)
    vectors = {f"card-{n}#{i}": matrix[n, i].tolist() for n in range(60) for i in range(5)}
    collection = make(vectors, cards, bank=QueryBank(questions, "bank"))

    nearest = np.sort(matrix @ questions.T, axis=2)[:, :, -11:-1].mean(axis=2)
    hubness = nearest - nearest.mean()
    for _ in range(20):
        query = random.normal(size=8)
        query /= np.linalg.norm(query)
        shares = random.dirichlet([1] * 4)
        emotions = {label: float(share) for label, share in zip(labels, shares, strict=True)}
        exclude = {f"card-{n}" for n in random.integers(0, 60, 5)}
        similarity = matrix @ query
        adjusted = np.where(similarity >= 0.25, similarity - 0.4 * hubness, -9.0).max(axis=1)
        expected = sorted(
            (
                score + 0.1 * emotions[card.emotions[0]]
                for card, score in zip(cards, adjusted, strict=True)
                if card.id not in exclude and score > -9.0
            ),
            reverse=True,
        )[:5]
        asked = Query(query.tolist(), emotions=emotions, exclude=exclude)
        scores = [each.strategy["score"] for each in collection.find(asked, 5, FLOOR)]
        assert scores == pytest.approx(expected, abs=1e-4)
