"""The registry of helplines: what it holds, what it lets through, and how it fails."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from knowledge.helplines import FALLBACK_SITE, Registry, RegistryError, load_registry

ONE = """
[[country]]
code = "XA"
name = "Somewhere"
emergency = ["555 (ambulance)"]
emergency_source = "test"
emergency_confidence = "high"

[[country.lines]]
name = "Helpline"
call = "0800 123 456"
chat = "chat.example.org/talk"
hours = "24/7"
languages = ["en"]
audience = "anyone"
source = "test"
checked = 2026-01-02
checked_by = "test"
confidence = "high"
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def write(folder: Path, text: str) -> Path:
    path = folder / "helplines.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_covers_forty_countries_each_with_an_emergency_number(registry: Registry) -> None:
    assert len(registry.countries) >= 40
    assert all(country.emergency for country in registry.countries)
    assert {"US", "GB", "NP", "IN", "DE", "BR", "ZA", "JP"} <= {c.code for c in registry.countries}


def test_every_entry_says_where_it_comes_from(registry: Registry) -> None:
    for country in registry.countries:
        assert country.emergency_source
        for line in country.lines:
            # Source letters mean nothing to a reader.
            assert len(line.source) > 3
            assert "nobody phoned" in line.checked_by


def test_numbers_given_up_by_their_services_are_not_in_it(registry: Registry) -> None:
    for old in ("1-833-456-4566", "1800-221-4444", "1393", "1-800-273-8255"):
        assert not registry.allows_number(old)


@pytest.mark.parametrize(
    ("code", "name"),
    [("US", "United States"), ("us", "United States"), ("UK", "United Kingdom"), (" np ", "Nepal")],
)
def test_finds_a_country_by_code(registry: Registry, code: str, name: str) -> None:
    country = registry.country(code)
    assert country is not None
    assert country.name == name


@pytest.mark.parametrize("code", [None, "", "XX", "USA", "United States"])
def test_an_unknown_code_is_no_country(registry: Registry, code: str | None) -> None:
    assert registry.country(code) is None


@pytest.mark.parametrize(
    "number",
    [
        "988",
        "911",
        "116 123",
        "116-123",
        "(116) 123",
        "13 11 14",
        "741741",
        "1-800-89-14416",
        "+254 722 178 177",
        "254722178177",
        "0800\u00a0111\u00a00\u00a0111",
        "0800\u20110113",
        "+45 70 20 12 01",
    ],
)
def test_allows_its_own_numbers_however_they_are_spaced(registry: Registry, number: str) -> None:
    assert registry.allows_number(number)


@pytest.mark.parametrize(
    "number",
    ["", "4", "98", "9888", "1988", "555-1234", "0800 111", "call 988", "+44116123", "٩٨٨"],
)
def test_allows_no_other_number(registry: Registry, number: str) -> None:
    assert not registry.allows_number(number)


@pytest.mark.parametrize(
    "site",
    [
        FALLBACK_SITE,
        "https://findahelpline.com/countries",
        "WWW.FindAHelpline.com",
        "cvv.org.br",
        "https://988lifeline.org/chat/",
    ],
)
def test_allows_chats_and_the_fallback_site(registry: Registry, site: str) -> None:
    assert registry.allows_url(site)


@pytest.mark.parametrize(
    "site",
    [
        "",
        "example.org",
        "org.br",
        "notfindahelpline.com",
        "findahelpline.com.example.org",
        "https://findahelpline.com@example.org",
        "https://example.org/findahelpline.com",
        "http://[::1",
    ],
)
def test_allows_no_other_site(registry: Registry, site: str) -> None:
    assert not registry.allows_url(site)


def test_links_are_never_made_of_short_codes(registry: Registry) -> None:
    linked = [line for c in registry.countries for line in c.lines if line.tel]
    assert linked
    for line in linked:
        assert len(re.sub(r"\D", "", line.call or "")) >= 8
    for country in registry.countries:
        for line in country.lines:
            if line.call in {"988", "116 123", "3114", "143"}:
                assert line.tel is None


def test_reads_a_file_of_ones_own(tmp_path: Path) -> None:
    registry = load_registry(write(tmp_path, ONE))
    assert registry.allows_number("0800-123456")
    assert registry.allows_number("555")
    assert not registry.allows_number("988")
    assert registry.allows_url("https://chat.example.org")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('code = "XA"', 'code = "Somewhere"', "code"),
        ('hours = "24/7"', "hours = 24", "XA.*lines.0.hours"),
        ('hours = "24/7"\n', "", "XA.*lines.0.hours"),
        ('hours = "24/7"', 'hours = " "', "XA.*lines.0.hours"),
        ('languages = ["en"]', 'languages = ["English"]', "XA.*languages"),
        ('languages = ["en"]', "languages = []", "XA.*languages"),
        ('call = "0800 123 456"', 'call = "the operator"', "XA.*lines.0.*call has no number"),
        ('call = "0800 123 456"\nchat = "chat.example.org/talk"\n', "", "XA.*call, sms or chat"),
        ('chat = "chat.example.org/talk"', 'chat = "our chat"', "XA.*chat is not a site"),
        ('hours = "24/7"', 'hours = "24/7"\ntel = "0800123456"', "XA.*tel"),
        ('hours = "24/7"', 'hours = "24/7"\ntel = "+44999999999"', "XA.*tel is not the number"),
        ('hours = "24/7"', 'hours = "24/7"\nopen = true', "XA.*open"),
        ("checked = 2026-01-02", 'checked = "last year"', "XA.*checked"),
        ('confidence = "high"', 'confidence = "low"', "XA.*confidence"),
        ('emergency = ["555 (ambulance)"]', "emergency = []", "XA.*emergency"),
        ('emergency = ["555 (ambulance)"]', 'emergency = ["police"]', "XA.*emergency"),
        ("[[country]]", "[[county]]", "country"),
    ],
)
def test_a_wrong_entry_is_named_by_country_and_field(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    assert right in ONE
    with pytest.raises(RegistryError, match=rf"helplines\.toml: .*{told}"):
        load_registry(write(tmp_path, ONE.replace(right, wrong)))


@pytest.mark.parametrize("text", ["", "not toml at all [", "country = 1", 'country = ["XA"]'])
def test_a_broken_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(RegistryError, match="helplines"):
        load_registry(write(tmp_path, text))


def test_a_country_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="listed twice: XA"):
        load_registry(write(tmp_path, ONE + ONE))


def test_a_missing_or_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegistryError):
        load_registry(tmp_path / "none.toml")
    with pytest.raises(RegistryError):
        load_registry(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'code = "\xe9"')
    with pytest.raises(RegistryError):
        load_registry(tmp_path / "latin.toml")


def test_the_registry_cannot_be_changed(registry: Registry) -> None:
    with pytest.raises(ValidationError):
        registry.countries[0].name = "Elsewhere"
