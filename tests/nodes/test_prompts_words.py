"""The file of words: a mistake in it is found when it is read."""

from pathlib import Path

import pytest

from nodes.prompts.words import DEFAULT_PATH, PromptWordsError, load_prompt_words


def test_the_file_of_words_is_checked(tmp_path: Path) -> None:
    good = DEFAULT_PATH.read_text(encoding="utf-8")
    path = tmp_path / "words.toml"
    for old, new, named in (
        ('wishing = "wish', 'wissing = "wish', "intents"),
        ("{lead} {rails}", "{lead} {role.x} {secret}", "strategies.empathy"),
        ('neutral = "stay with what they said"\n', "", "intents"),
        ('[offer]\none = "', '[offer]\nnone = "', "offer"),
        ("[strategies]", "[strategies", "cannot be read"),
    ):
        assert old in good
        path.write_text(good.replace(old, new), encoding="utf-8")
        with pytest.raises(PromptWordsError, match=named):
            load_prompt_words(path)
    with pytest.raises(PromptWordsError, match="FileNotFoundError"):
        load_prompt_words(tmp_path / "nowhere.toml")
