"""Coping cards of one's own: found among other files, checked, and copied to the data folder."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knowledge.cards import DEFAULT_FOLDER, Card, CardError, load_card, load_valid_cards

OWN_FOLDER: Final = "cards"

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$", re.S | re.M)
_CARD_KEYS: Final = re.compile(r"^(emotions|situations|steps|short|when_not|evidence)[ \t]*:", re.M)
_KEYS_OF_A_CARD: Final = 3
_HEAD_CHARS: Final = 1 << 16


@dataclass(frozen=True)
class CopiedCards:
    """What became of card files, by id."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    errors: tuple[CardError, ...] = ()


def is_card(path: Path) -> bool:
    """Tell whether a file is meant as a card, even one that has mistakes.

    Front matter alone does not make one: a guide may name its title and licence there.
    """
    if path.suffix.lower() != ".md":
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            match = _FRONT_MATTER.match(file.read(_HEAD_CHARS))
    except OSError:
        return False
    return match is not None and len(set(_CARD_KEYS.findall(match[1]))) >= _KEYS_OF_A_CARD


def copy_cards(paths: Sequence[Path], data_dir: Path) -> CopiedCards:
    """Check the card files `paths` and keep a copy of each.

    A file that cannot be used is reported, and the rest goes on.

    Raises:
        OSError: the copy cannot be written.
    """
    folder = data_dir / OWN_FOLDER
    seen: dict[str, Path] = {}
    done: dict[str, list[str]] = {"added": [], "updated": [], "unchanged": []}
    errors: list[CardError] = []
    for path in dict.fromkeys(paths):
        try:
            card = load_card(path)
            earlier = seen.setdefault(card.id, path)
            if earlier != path:
                raise CardError(path, f"is already the id of {earlier}", field="id")
            done[_keep(path, folder / f"{card.id}.md")].append(card.id)
        except CardError as exc:
            errors.append(exc)
    return CopiedCards(
        added=tuple(done["added"]),
        updated=tuple(done["updated"]),
        unchanged=tuple(done["unchanged"]),
        errors=tuple(errors),
    )


def load_all_cards(
    data_dir: Path, shipped: Path = DEFAULT_FOLDER
) -> tuple[list[Card], list[CardError]]:
    """Read the shipped cards and the own ones in `data_dir`, which win where the id is the same."""
    own = data_dir / OWN_FOLDER
    return load_valid_cards(shipped, *([own] if own.is_dir() else []))


def _keep(path: Path, target: Path) -> str:
    """Copy `path` to `target` in one step; say whether that was new."""
    content = path.read_bytes()
    existed = target.exists()
    if existed and target.read_bytes() == content:
        return "unchanged"
    target.parent.mkdir(parents=True, exist_ok=True)
    # The hidden draft is never read as a card, even when a kill leaves it behind.
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as draft:
            draft.write(content)
        Path(name).replace(target)
    except BaseException:  # Ctrl-C too must leave nothing half-made behind.
        with suppress(OSError):
            Path(name).unlink()
        raise
    return "updated" if existed else "added"
