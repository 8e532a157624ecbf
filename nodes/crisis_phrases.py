"""Explicit phrases of danger: high-precision patterns beside the crisis head, never instead of it.

Levels follow the C-SSRS screener (Posner et al. 2011). Denied phrases are dropped after NegEx
(Chapman et al. 2001): a "not" reaches only over the words that may stand between it and the phrase.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from graph.state import CrisisLevel

DEFAULT_PATH: Final = Path(__file__).resolve().parents[1] / "knowledge" / "crisis_phrases.toml"

_RANK: Final[Mapping[CrisisLevel, int]] = {"none": 0, "concern": 1, "high": 2, "imminent": 3}
_LONGEST_DENIAL: Final = 400
_LONGEST_WORD: Final = 24

_LIST_NAME = re.compile(r"%(\w+)%")
_SENTENCE_END = re.compile(r"[.?\n] ?")
_CLAUSE_END = re.compile(
    r"\b(?:but|though|although|however|except|yet)\b|\bnow (?=i\b)"
    r"|(?:,| and| so| because| then) (?=(?:i|my|now)\b)"
)
_SIGNED = r"[\w@$*#!|']"
_ODD = re.compile(
    rf"(?<!{_SIGNED})(?={_SIGNED}*?(?:['@$*#!|\d]|([^\W\d_])\1\1)){_SIGNED}+", re.ASCII
)
_PART = re.compile(r"[^\W_]+")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")
_STOPS = re.compile(r"\s*[.,?\n][\s.,?]*")
_SPACED_OUT = re.compile(r"(?<!\w)[^\W_](?:(?:[.,] ?| )[^\W_](?!\w)){2,}")


class PhraseError(ValueError):
    """The file of crisis phrases cannot be used."""


class PhraseReading(NamedTuple):
    """The danger that explicit phrases show, and why."""

    level: CrisisLevel
    signals: tuple[str, ...]


_Text = Annotated[str, StringConstraints(min_length=1)]
_Three = Annotated[list[_Text], Field(min_length=3)]
_Sign = Annotated[str, StringConstraints(min_length=1, max_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Meaning(_Entry):
    level: Literal["concern", "high", "imminent"]
    signal: _Text


class _PhraseEntry(_Meaning):
    id: _Text
    needs: list[_Text] = Field(min_length=1)
    pattern: _Text
    hits: _Three
    near_misses: _Three


class _HarmlessEntry(_Entry):
    id: _Text
    pattern: _Text
    reach: Literal["words", "clause"] = "words"
    signals: list[_Text] = []
    examples: _Three


class _LanguageEntry(_Entry):
    name: _Text
    phrases: _Three
    unless_before: list[_Text] = []
    unless_after: list[_Text] = []
    bounded: bool = True
    near_misses: _Three


class _DenialEntry(_Entry):
    pattern: _Text
    hedge: _Text
    hits: _Three
    near_misses: _Three


class _Characters(dict[int, int | str | None]):
    """A table for `str.translate` that is filled in as characters come up."""

    def __init__(self, signs: str) -> None:
        super().__init__({ord(sign): sign for sign in signs})

    def __missing__(self, code: int) -> int | str | None:
        char, kind = chr(code), unicodedata.category(chr(code))
        kept: int | str | None = code
        if char.isspace():
            kept = "\n" if kind in ("Zl", "Zp") or char in "\n\r\v\f\x85" else " "
        elif 0x300 <= code <= 0x36F or 0xFE00 <= code <= 0xFE0F or kind in ("Cf", "Cc", "Me"):
            kept = None
        elif kind[0] in "PS" or kind in ("Cs", "Co", "Cn"):
            kept = " "
        self[code] = kept
        return kept


class _Normaliser(_Entry):
    """Undoes typing styles and disguises; what comes out passes through unchanged."""

    vocabulary: _Three
    digits: dict[_Sign, _Sign]
    letters: dict[_Sign, str]
    words: dict[_Text, _Text]

    @cached_property
    def _tables(self) -> tuple[dict[int, str], _Characters, _Characters]:
        return str.maketrans(self.letters), _Characters("'@$*#!|.,?;:-_"), _Characters(".,?")

    @cached_property
    def _leet(self) -> tuple[dict[int, str], ...]:
        return str.maketrans(self.digits), str.maketrans(self.digits | {"1": "l"})

    @cached_property
    def _known(self) -> dict[str, None]:
        return dict.fromkeys(sorted({*self.vocabulary, *self.words}))

    def __call__(self, text: str) -> str:
        letters, marks, signs = self._tables
        text = text.translate(letters).lower()
        if not text.isascii():
            # Decomposed, so that accents fall away: many people type without them.
            text = unicodedata.normalize("NFKD", text).lower().translate(letters)
        text = text.translate(marks)
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        text = _ODD.sub(self._undisguise, text)
        text = re.sub(r"\.{2,}", " ", text).replace("!", ".").translate(signs)
        text = _STOPS.sub(_one_stop, re.sub(r"[^\S\n]+", " ", text)).strip(" .,\n")
        text = _SPACED_OUT.sub(self._join, text)
        return _PART.sub(lambda word: self.words.get(word[0], word[0]), text)

    def _undisguise(self, match: re.Match[str]) -> str:
        token = match[0]
        if token in self.words:
            return self.words[token]
        token = token.replace("'", "")
        core = token.strip("*#!|")
        plain = self._plain(core)
        return token.replace(core, plain, 1) if plain else _PART.sub(self._plain_part, token)

    def _plain_part(self, match: re.Match[str]) -> str:
        part = match[0]
        return self._plain(part) or (_DRAWN_OUT.sub(r"\1", part) if part.isalpha() else part)

    def _plain(self, word: str) -> str:
        """Return the known word behind a disguise, or nothing."""
        if not 1 < len(word) <= _LONGEST_WORD or not re.search(r"[^\W\d_]", word):
            return ""
        for letters in (word, *(word.translate(table) for table in self._leet)):
            for repeats in (r"\g<0>", r"\1\1", r"\1"):
                if (shorter := _DRAWN_OUT.sub(repeats, letters)) in self._known:
                    return shorter
        hidden = sum(letter in "*#" for letter in word)
        if not 0 < hidden <= len(word) // 2:
            return ""
        pairs = ((known, zip(known, word, strict=False)) for known in self._known)
        fits = (
            k
            for k, pair in pairs
            if len(k) == len(word) and all(a == b or b in "*#" for a, b in pair)
        )
        return next(fits, "")

    def _join(self, match: re.Match[str]) -> str:
        letters = "".join(_PART.findall(match[0]))
        if word := self._plain(letters):
            return word
        word = self._plain(letters[1:])
        return f"{letters[0]} {word}" if word else match[0]


def _one_stop(match: re.Match[str]) -> str:
    stops = match[0]
    return "\n" if "\n" in stops else next((f"{stop} " for stop in "?." if stop in stops), ", ")


class _PhraseFile(_Entry):
    lists: dict[str, list[_Text]]
    phrase: list[_PhraseEntry]
    harmless: list[_HarmlessEntry]
    denial: _DenialEntry
    other_languages: _Meaning
    language: list[_LanguageEntry]
    normalise: _Normaliser


@dataclass(frozen=True)
class _Phrase:
    level: CrisisLevel
    signal: str
    pattern: re.Pattern[str]
    needs: tuple[str, ...]
    """Texts of which a match holds at least one."""

    def may_match(self, text: str) -> bool:
        """Tell cheaply whether it is worth trying the pattern."""
        return any(need in text for need in self.needs)


@dataclass(frozen=True)
class _Harmless:
    pattern: re.Pattern[str]
    whole_clause: bool
    signals: tuple[str, ...]
    """What it cancels; empty for any signal."""


@dataclass(frozen=True)
class CrisisPhrases:
    """Reads explicit phrases of danger in one message, whatever its length."""

    phrases: tuple[_Phrase, ...]
    harmless: tuple[_Harmless, ...]
    denial: re.Pattern[str]
    hedge: re.Pattern[str]
    normaliser: _Normaliser

    def normalise(self, text: str) -> str:
        """Write the text as the patterns and the head read it: plain lower-case words."""
        return self.normaliser(text)

    def read(self, text: str) -> PhraseReading:
        """Return the highest level that a phrase shows, and why, gravest reason first."""
        text = self.normalise(text)
        possible = [phrase for phrase in self.phrases if phrase.may_match(text)]
        # Most sentences of a long message hold nothing that a phrase needs.
        sentences = dict.fromkeys(_SENTENCE_END.split(text)) if possible else ()
        found = {
            phrase: None
            for sentence in sentences
            for phrase in self._read_sentence(sentence, possible)
        }
        ranked = sorted(
            found, key=lambda phrase: (-_RANK[phrase.level], self.phrases.index(phrase))
        )
        level = ranked[0].level if ranked else "none"
        return PhraseReading(level, tuple(dict.fromkeys(phrase.signal for phrase in ranked)))

    def _read_sentence(self, sentence: str, possible: Sequence[_Phrase]) -> Iterator[_Phrase]:
        excused: Mapping[str, bytearray] | None = None
        for phrase in possible:
            match = phrase.pattern.search(sentence) if phrase.may_match(sentence) else None
            while match:
                excused = self._excuse(sentence) if excused is None else excused
                marks = [excused[key] for key in ("", phrase.signal) if key in excused]
                if all(mark.find(1, *match.span()) < 0 for mark in marks):
                    yield phrase
                    break
                match = phrase.pattern.search(sentence, match.start() + 1)

    def denies(self, text: str) -> bool:
        """Tell whether an answer clearly denies thoughts of suicide or self-harm.

        It must say what it denies: a bare "no" may answer another question of the same reply.
        """
        if len(text) > _LONGEST_DENIAL or self.read(text).level != "none":
            return False
        text = self.normalise(text)
        denied = any(map(self.denial.search, _SENTENCE_END.split(text)))
        return denied and not self.hedge.search(text)

    def _excuse(self, text: str) -> dict[str, bytearray]:
        """Mark the characters where a phrase means no danger, by signal; "" is any signal."""
        ends = [0, *(match.start() for match in _CLAUSE_END.finditer(text)), len(text)]
        excused: dict[str, bytearray] = {}
        for harmless in self.harmless:
            for match in harmless.pattern.finditer(text):
                start, end = match.span()
                if harmless.whole_clause:
                    start = ends[bisect_left(ends, start + 1) - 1]
                    end = ends[bisect_left(ends, end)]
                for signal in harmless.signals or ("",):
                    marks = excused.setdefault(signal, bytearray(len(text)))
                    marks[start:end] = b"\x01" * (end - start)
        return excused


def load_phrases(path: Path = DEFAULT_PATH) -> CrisisPhrases:
    """Read, check and compile the crisis phrases.

    Raises:
        PhraseError: The file is missing, is not TOML, or an entry in it is not sound.
    """
    try:
        entries = _PhraseFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as exc:
        raise PhraseError(f"{path.name}: {exc}") from exc
    ids = [e.id for e in entries.phrase] + [e.id for e in entries.harmless]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise PhraseError(f"{path.name}: ids used twice: {', '.join(twice)}")
    lists, plain = entries.lists, entries.normalise
    if odd := sorted(word for word, meaning in plain.words.items() if plain(meaning) != meaning):
        raise PhraseError(f"{path.name}: words whose meaning is not plain: {', '.join(odd)}")
    return CrisisPhrases(
        phrases=(
            *(
                _Phrase(e.level, e.signal, _compile(e.id, e.pattern, lists), tuple(e.needs))
                for e in entries.phrase
            ),
            *(_language(entry, entries.other_languages, plain) for entry in entries.language),
        ),
        harmless=tuple(
            _Harmless(_compile(e.id, e.pattern, lists), e.reach == "clause", tuple(e.signals))
            for e in entries.harmless
        ),
        denial=_compile("denial", entries.denial.pattern, lists),
        hedge=_compile("hedge", entries.denial.hedge, lists),
        normaliser=plain,
    )


def _compile(name: str, pattern: str, lists: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    def spell_out(match: re.Match[str]) -> str:
        return f"(?:{_LIST_NAME.sub(spell_out, '|'.join(lists[match[1]]))})"

    try:
        return re.compile(rf"(?<!\w)(?:{_LIST_NAME.sub(spell_out, pattern)})(?!\w)")
    except (re.error, KeyError, RecursionError) as exc:
        raise PhraseError(f"{name}: bad pattern: {exc}") from exc


def _language(entry: _LanguageEntry, meaning: _Meaning, plain: _Normaliser) -> _Phrase:
    phrases = tuple(plain(phrase) for phrase in entry.phrases)
    start, end = (r"(?<!\w)", r"(?!\w)") if entry.bounded else ("", "")
    start += "".join(rf"(?<!{re.escape(plain(word))} )" for word in entry.unless_before)
    end += "".join(rf"(?! ?{re.escape(plain(word))}{end})" for word in entry.unless_after)
    pattern = re.compile(f"{start}(?:{'|'.join(map(re.escape, phrases))}){end}")
    return _Phrase(meaning.level, meaning.signal, pattern, phrases)
