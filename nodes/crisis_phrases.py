"""Explicit phrases of danger: high-precision patterns beside the crisis head, never instead of it.

Levels follow the C-SSRS screener (Posner et al. 2011). Denied phrases are dropped after NegEx
(Chapman et al. 2001): a "not" reaches only over the words that may stand between it and the phrase.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from graph.state import CrisisLevel

DEFAULT_PATH: Final = Path(__file__).resolve().parents[1] / "knowledge" / "crisis_phrases.toml"

_RANK: Final[Mapping[CrisisLevel, int]] = {"none": 0, "concern": 1, "high": 2, "imminent": 3}
_LONGEST_WORD: Final = 24
_LONGEST_DENIAL: Final = 400
_REMEMBERED: Final = 512
"""Texts whose normal form is kept in memory: those of a batch, with room to spare."""

_LIST_NAME = re.compile(r"%(\w+)%")
_SENTENCE_END = re.compile(r"[.?\n] ?")
_CLAUSE_END = re.compile(
    r"\b(?:but|though|although|however|except|yet)\b|\bnow (?=i\b)"
    r"|(?:,| and| so| because| then) (?=(?:i|my|now)\b)"
)
_SIGNS = r"[a-z0-9@$*#!|']"
_DISGUISED = re.compile(rf"(?<!{_SIGNS})(?=[a-z]*(?:['@$*#!|\d]|(?<=([a-z]))\1\1)){_SIGNS}+")
_PART = re.compile(r"[^\W_]+")
_DRAWN_OUT = re.compile(r"([a-z])\1{2,}")
_short = partial(_DRAWN_OUT.sub, r"\1")
_STOPS = re.compile(r"\s*[.,?\n][\s.,?]*")
_SPACED_OUT = re.compile(r"(?<!\w)[^\W_](?:(?:[.,] ?| )[^\W_](?!\w)){2,}")


class PhraseError(ValueError):
    """The file of crisis phrases cannot be used."""


class PhraseReading(NamedTuple):
    """The danger that explicit phrases show, and why."""

    level: CrisisLevel
    signals: tuple[str, ...]


_Text = Annotated[str, StringConstraints(min_length=1)]
_Sign = Annotated[str, StringConstraints(min_length=1, max_length=1)]
_Three = Annotated[list[_Text], Field(min_length=3)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Meaning(_Entry):
    level: Literal["concern", "high", "imminent"]
    signal: _Text


class _Examples(_Entry):
    pattern: _Text
    hits: _Three
    near_misses: _Three


class _PhraseEntry(_Meaning, _Examples):
    id: _Text
    needs: list[_Text] = Field(min_length=1)


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


class _Characters(dict[int, str | None]):
    """A table for `str.translate` that is filled in as characters come up."""

    def __missing__(self, code: int) -> str | None:
        char, kind = chr(code), unicodedata.category(chr(code))
        line = char in "\n\r\v\f\x85\u2028\u2029"
        blank = char.isspace() or kind[0] in "PS" or kind in ("Cs", "Co", "Cn")
        hidden = kind in ("Cf", "Cc", "Me") or 0x300 <= code <= 0x36F or 0xFE00 <= code <= 0xFE0F
        return self.setdefault(code, "\n" if line else " " if blank else None if hidden else char)


class _Normaliser(_Entry):
    """Undoes typing styles and disguises; what comes out passes through unchanged."""

    vocabulary: _Three
    digits: dict[_Sign, _Sign]
    letters: dict[_Sign, str]
    words: dict[_Text, _Text]

    @cached_property
    def _tables(self) -> tuple[dict[int, str], _Characters, _Characters]:
        kept = _Characters({ord(sign): sign for sign in "'@$*#!|.,?"})
        return str.maketrans(self.letters), kept, _Characters({ord(sign): sign for sign in ".,?"})

    @cached_property
    def _leet(self) -> tuple[dict[int, str], ...]:
        return str.maketrans(self.digits), str.maketrans(self.digits | {"1": "l"})

    @cached_property
    def _known(self) -> dict[str, None]:
        return dict.fromkeys(sorted({*self.vocabulary, *self.words}))

    def __call__(self, text: str) -> str:
        letters, kept, stops = self._tables
        text = text.translate(letters).lower()
        if not text.isascii():
            # Decomposed, so that accents fall away: many people type without them.
            text = unicodedata.normalize("NFKD", text).lower().translate(letters)
        text = unicodedata.normalize("NFKC", text.translate(kept))
        undisguise = cache(self._undisguise)  # Per call: nothing that a person wrote is kept.
        text = _DISGUISED.sub(lambda found: undisguise(found[0]), text)
        text = re.sub(r"\.{2,}", " ", text).replace("!", ".").translate(stops)
        text = _STOPS.sub(_one_stop, re.sub(" {2,}", " ", text)).strip(" .,\n")
        text = _SPACED_OUT.sub(self._join, text)
        return _PART.sub(lambda word: self.words.get(word[0], word[0]), text)

    def _undisguise(self, token: str) -> str:
        if token in self.words:
            return self.words[token]
        token = token.replace("'", "")
        if plain := self._plain(core := token.strip("*#!|")):
            return token.replace(core, plain, 1)
        return _PART.sub(lambda part: self._plain(part[0]) or _short(part[0]), token)

    def _plain(self, word: str) -> str:
        """Return the known word behind a disguise, or nothing."""
        if not 1 < len(word) <= _LONGEST_WORD or word.isdigit():
            return ""
        tables = () if word.isalpha() else self._leet
        for letters in (word, *map(word.translate, tables)):
            for repeats in (r"\g<0>", r"\1\1", r"\1"):
                if (shorter := _DRAWN_OUT.sub(repeats, letters)) in self._known:
                    return shorter
        masked = 0 < sum(letter in "*#" for letter in word) <= len(word) // 2
        alike = (known for known in self._known if masked and len(known) == len(word))
        pairs = ((known, zip(word, known, strict=True)) for known in alike)
        return next((k for k, pair in pairs if all(a in "*#" or a == b for a, b in pair)), "")

    def _join(self, match: re.Match[str]) -> str:
        letters = "".join(_PART.findall(match[0]))
        rest = self._plain(letters[1:])
        return self._plain(letters) or (f"{letters[0]} {rest}" if rest else match[0])


def _one_stop(match: re.Match[str]) -> str:
    return next((stop for stop in ("\n", "? ", ". ") if stop[0] in match[0]), ", ")


class _PhraseFile(_Entry):
    lists: dict[str, list[_Text]]
    phrase: list[_PhraseEntry]
    harmless: list[_HarmlessEntry]
    denial: _Examples
    other_languages: _Meaning
    language: list[_LanguageEntry]
    normalise: _Normaliser


class _Phrase(NamedTuple):
    meaning: _Meaning
    needs: Sequence[str]
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class CrisisPhrases:
    """Reads explicit phrases of danger in one message, whatever its length."""

    phrases: tuple[_Phrase, ...]
    harmless: tuple[tuple[_HarmlessEntry, re.Pattern[str]], ...]
    denial: re.Pattern[str]
    hedge: re.Pattern[str]
    normaliser: Callable[[str], str]

    def normalise(self, text: str) -> str:
        """Write the text as the patterns and the head read it: plain lower-case words."""
        return self.normaliser(text)

    def read(self, text: str) -> PhraseReading:
        """Return the highest level that a phrase shows, and why, gravest reason first."""
        text = self.normalise(text)
        needs = {need for phrase in self.phrases for need in phrase.needs if need in text}
        sentences = dict.fromkeys(_SENTENCE_END.split(text))
        found = [each for sentence in sentences for each in self._find(sentence, needs)]
        found.sort(key=lambda meaning: -_RANK[meaning.level])
        signals = dict.fromkeys(meaning.signal for meaning in found)
        return PhraseReading(found[0].level if found else "none", tuple(signals))

    def denies(self, text: str) -> bool:
        """Tell whether an answer clearly denies thoughts of suicide or self-harm.

        It must say what it denies: a bare "no" may answer another question of the same reply.
        """
        if len(text) > _LONGEST_DENIAL or self.read(text).level != "none":
            return False
        text = self.normalise(text)
        denied = any(map(self.denial.search, _SENTENCE_END.split(text)))
        return denied and not self.hedge.search(text)

    def _find(self, sentence: str, needs: Set[str]) -> Iterator[_Meaning]:
        excused: Mapping[str, bytearray] | None = None
        needs = {need for need in needs if need in sentence}
        for phrase in self.phrases if needs else ():
            match = None if needs.isdisjoint(phrase.needs) else phrase.pattern.search(sentence)
            while match:
                excused = self._excuse(sentence) if excused is None else excused
                marks = [excused[key] for key in ("", phrase.meaning.signal) if key in excused]
                if all(mark.find(1, *match.span()) < 0 for mark in marks):
                    yield phrase.meaning
                    break
                match = phrase.pattern.search(sentence, match.start() + 1)

    def _excuse(self, sentence: str) -> dict[str, bytearray]:
        """Mark the characters where a phrase means no danger, by signal; "" is any signal."""
        ends = [0, *(end.start() for end in _CLAUSE_END.finditer(sentence)), len(sentence)]
        excused: dict[str, bytearray] = {}
        for entry, pattern in self.harmless:
            for match in pattern.finditer(sentence):
                start, end = match.span()
                if entry.reach == "clause":
                    start = ends[bisect_left(ends, start + 1) - 1]
                    end = ends[bisect_left(ends, end)]
                for signal in entry.signals or ("",):
                    marks = excused.setdefault(signal, bytearray(len(sentence)))
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
    lists, plain = entries.lists, entries.normalise
    ids = [e.id for e in entries.phrase] + [e.id for e in entries.harmless]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    odd = [word for word, meaning in plain.words.items() if plain(meaning) != meaning]
    if twice or odd:
        raise PhraseError(f"{path.name}: ids used twice: {twice}; words not made plain: {odd}")
    return CrisisPhrases(
        phrases=(
            *(_Phrase(e, e.needs, _compile(e.id, e.pattern, lists)) for e in entries.phrase),
            *(_language(each, entries.other_languages, plain) for each in entries.language),
        ),
        harmless=tuple((e, _compile(e.id, e.pattern, lists)) for e in entries.harmless),
        denial=_compile("denial", entries.denial.pattern, lists),
        hedge=_compile("hedge", "%hedge%", lists),
        # Each reading of a turn asks for the same few texts; the encoder remembers them as well.
        normaliser=lru_cache(maxsize=_REMEMBERED)(plain),
    )


def _compile(name: str, pattern: str, lists: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    def spell_out(match: re.Match[str]) -> str:
        return f"(?:{_LIST_NAME.sub(spell_out, '|'.join(lists[match[1]]))})"

    try:
        return re.compile(rf"(?<!\w)(?:{_LIST_NAME.sub(spell_out, pattern)})(?!\w)")
    except (re.error, KeyError, RecursionError) as exc:
        raise PhraseError(f"{name}: bad pattern: {exc}") from exc


def _language(entry: _LanguageEntry, meaning: _Meaning, plain: _Normaliser) -> _Phrase:
    phrases = [plain(phrase) for phrase in entry.phrases]
    start, end = (r"(?<!\w)", r"(?!\w)") if entry.bounded else ("", "")
    start += "".join(rf"(?<!{re.escape(plain(word))} )" for word in entry.unless_before)
    end += "".join(rf"(?! ?{re.escape(plain(word))}{end})" for word in entry.unless_after)
    pattern = re.compile(f"{start}(?:{'|'.join(map(re.escape, phrases))}){end}")
    return _Phrase(meaning, phrases, pattern)
