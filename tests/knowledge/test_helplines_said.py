"""Where a person says that they are: a number from the wrong country may reach nobody."""

import pytest

from knowledge.helplines import Country, load_registry

REGISTRY = load_registry()
NAMES = [
    (name, country.code)
    for country in REGISTRY.countries
    for name in (country.name, *country.aliases)
]


@pytest.mark.parametrize(("name", "code"), NAMES)
def test_every_name_is_understood_as_an_answer_and_in_a_sentence(name: str, code: str) -> None:
    for answer in (name, name.lower(), name.upper(), f"{name}.", f"I'm in {name}", f"{name}, why?"):
        assert REGISTRY.said_in(answer, asked=True) == code, answer
    for said in (
        f"I live in {name}",
        f"I live in {name.lower()} and I can’t go on",
        f"I’m in the {name}".replace("the the", "the"),
    ):
        assert REGISTRY.said_in(said) == code, said


def test_no_name_stands_for_two_countries() -> None:
    assert len({name.casefold() for name, _ in NAMES}) == len(NAMES)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("I'm in Canada", "CA"),
        ("i am in germany right now", "DE"),
        ("im in the uk", "GB"),
        ("I live in the US and I want to die", "US"),
        ("i live in the us", "US"),
        ("we live in the Netherlands", "NL"),
        ("I’m living in New Zealand", "NZ"),
        ("I am currently in South Africa", "ZA"),
        ("I'm stuck here in Nepal", "NP"),
        ("I've been alone since I moved. I'm based in Ireland.", "IE"),
        ("it is 3 am here in Japan", "JP"),
        ("I LIVE IN BRAZIL", "BR"),
        ("I'm from India but live in Canada", "CA"),
        ("I live in Spain, I used to live in France", "ES"),
        ("I lived in Norway, now I live in Sweden", "SE"),
        ("I live in Northern Ireland", "GB"),
        ("i'm still in the states", "US"),
        ("I am in South Korea", "KR"),
        ("I live in a small town in Poland", "PL"),
        # Not of the writer, not now, or not at all.
        ("my sister lives in Spain", None),
        ("my friend is in Australia", None),
        ("she and her kids live in Italy", None),
        ("my parents live in India", None),
        ("I miss Japan", None),
        ("I am not in Germany", None),
        ("I'm not in the US", None),
        ("I don't live in France", None),
        ("I don’t live in France", None),
        ("i dont live in france", None),
        ("I never want to live in Norway again", None),
        ("I used to live in France", None),
        ("she is now in Italy", None),
        ("I miss living in Italy", None),
        ("I want to live in Canada one day", None),
        ("Jordan hurt me", None),
        ("I live in Jordan", None),
        ("I'm in Turkey", None),
        ("he told us to go", None),
        ("it is all over between us", None),
        ("I live in fear", None),
        ("I'm in Indiana", None),
        ("I live in New Mexico", None),
        ("I'm in chinatown", None),
        ("Germany lost and I'm in bed", None),
        ("the doctor here is from Poland", None),
        ("", None),
    ],
)
def test_a_country_is_taken_only_from_who_says_to_be_there(message: str, code: str | None) -> None:
    assert REGISTRY.said_in(message) == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("us", "US"),
        ("in the us", "US"),
        ("US", "US"),
        ("the uk", "GB"),
        ("NEPAL", "NP"),
        ("nepal!", "NP"),
        ("Germany, but I am French", "DE"),
        ("northern ireland", "GB"),
        ("Ireland", "IE"),
        ("I think you mean the Netherlands", "NL"),
        ("not Germany, Austria", "AT"),
        ("I'm from India but live in Canada", "CA"),
        ("I'm in the United States of America", "US"),
        ("not in Germany", None),
        ("I’m not in the US", None),
        ("I left Norway", None),
        ("please don't leave us here on our own", None),
        ("it will kill us all", None),
        ("Jordan", None),
        ("turkey", None),
        ("Indiana", None),
        ("new mexico", None),
        ("New South Wales", None),
        ("North Korea", None),
        ("south america", None),
        ("no", None),
        ("why do you ask?", None),
        ("", None),
    ],
)
def test_an_answer_may_be_the_name_alone(answer: str, code: str | None) -> None:
    assert REGISTRY.said_in(answer, asked=True) == code


def test_a_bare_name_counts_only_when_it_was_asked_for() -> None:
    for name, _ in NAMES:
        assert REGISTRY.said_in(name) is None
        assert REGISTRY.said_in(f"I miss {name}") is None


def test_what_is_understood_is_a_country_of_the_registry() -> None:
    code = REGISTRY.said_in("I live in the UK")
    assert isinstance(REGISTRY.country(code), Country)
