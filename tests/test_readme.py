from pathlib import Path

from graph.settings import Settings

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_described() -> None:
    missing = [name for name in Settings.model_fields if f"`EMPATHY_{name.upper()}`" not in README]

    assert not missing
