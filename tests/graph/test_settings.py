"""Settings: from the environment, checked, and the same for the whole process."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from graph.settings import Settings
from tests.fakes import fake_settings


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A `.env` beside the tests must not change them.
    monkeypatch.chdir(tmp_path)


def test_the_defaults_work_offline_and_open_nothing_to_others() -> None:
    settings = Settings()

    assert settings.encoder == "embedded"
    assert settings.chat_url == ""
    assert settings.host == "127.0.0.1"
    assert settings.data_dir.is_absolute()
    assert settings.cache_dir.is_absolute()
    assert settings.data_dir != settings.cache_dir


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("chat_model", "some/model", "some/model"),
        ("chat_engine", "openai", "openai"),
        ("max_new_tokens", "64", 64),
        ("temperature", "0", 0.0),
        ("generation_timeout", "2.5", 2.5),
        ("prompting", "plain", "plain"),
        ("weights_dir", "/weights", Path("/weights")),
        ("port", "0", 0),
    ],
)
def test_each_setting_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any
) -> None:
    monkeypatch.setenv(f"EMPATHY_{name.upper()}", text)

    assert getattr(Settings(), name) == value


def test_a_file_is_read_and_the_environment_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("EMPATHY_PORT=9\nEMPATHY_HOST=0.0.0.0\nOTHER=1\n")
    monkeypatch.setenv("EMPATHY_PORT", "10")

    assert (Settings().port, Settings().host) == (10, "0.0.0.0")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chat_engine", "magic"),
        ("max_new_tokens", "0"),
        ("max_new_tokens", "many"),
        ("temperature", "-1"),
        ("generation_timeout", "0"),
        ("history_tokens", "1"),
        ("prompting", "rude"),
        ("port", "70000"),
        ("max_message_chars", "1"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"EMPATHY_{name.upper()}", text)

    with pytest.raises(ValidationError, match=name):
        Settings()


def test_a_key_is_not_shown() -> None:
    settings = fake_settings(chat_api_key="top-secret")

    assert "top-secret" not in repr(settings) + str(settings.model_dump())
    assert settings.chat_api_key.get_secret_value() == "top-secret"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        fake_settings().port = 1  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
