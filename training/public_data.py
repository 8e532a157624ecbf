"""Downloads the public training sets and converts them once into the layout of `training.data`."""

from __future__ import annotations

import csv
import gzip
import hashlib
import http.client
import json
import shutil
import sys
import tarfile
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from training.data import DataError
from training.public_sets import SETS, PublicSet

_TIMEOUT: Final = 30
"""Seconds without a byte after which a download is given up."""

_CHUNK: Final = 1 << 16

Download = Callable[..., None]
"""`download`, or a stand-in: (url, path, *, progress)."""


def download(url: str, path: Path, *, progress: bool = True) -> None:
    """Download a file; the path exists only once the file is whole.

    Raises:
        DataError: no network, an HTTP error, or a download that broke off.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with (
            closing(urllib.request.urlopen(url, timeout=_TIMEOUT)) as response,
            part.open("wb") as file,
            tqdm(
                total=response.length,
                desc=path.name,
                unit="B",
                unit_scale=True,
                leave=False,
                disable=not progress,
            ) as bar,
        ):
            expected = response.length
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
        # Reading in chunks does not fail when the connection closes early.
        if expected is not None and part.stat().st_size != expected:
            raise DataError(f"{url} broke off after {part.stat().st_size} of {expected} bytes")
        part.replace(path)
    except (OSError, http.client.HTTPException) as exc:
        raise DataError(f"{url} cannot be downloaded: {exc}") from exc
    finally:
        part.unlink(missing_ok=True)


def fetch_public_data(
    folder: Path,
    *,
    progress: bool = True,
    sets: Iterable[PublicSet] | None = None,
    fetch: Download = download,
) -> Path:
    """Download and convert what the folder lacks; an interrupted run goes on where it stopped.

    A set that cannot be had is named on standard error, and the others are still made.

    Args:
        folder: where the converted sets go, laid out as `training.data` reads them.
        progress: whether to show progress bars.
        sets: which sets; all public ones when left out.
        fetch: downloads one file.

    Raises:
        DataError: not one set could be had.
    """
    wanted = tuple(SETS if sets is None else sets)
    missing: dict[str, DataError] = {}
    for each in wanted:
        if not each.ready(folder):
            try:
                _make(each, folder, fetch, progress)
            except DataError as exc:
                missing[each.title] = exc
    faults = "; ".join(f"{title} ({fault})" for title, fault in missing.items())
    if missing and len(missing) == len(wanted):
        raise DataError(
            "no training data: its folder is not there, and no public set can be had. Is there a "
            "network? Otherwise name the folder with --data or EMPATHY_TRAINING_DATA. " + faults
        )
    if missing:
        _say(f"Training goes on where it can without: {faults}")
    return folder


def _make(each: PublicSet, folder: Path, fetch: Download, progress: bool) -> None:
    _say(f"Downloading {each.title}. Licence: {each.licence}")
    downloads = folder / "downloads" / each.title
    try:
        downloads.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataError(f"{downloads} cannot be made: {exc}") from exc
    names = [name for name in each.urls if not (downloads / name).is_file()]
    for name in tqdm(names, desc=each.title, unit="file", disable=not progress):
        fetch(each.urls[name], downloads / name, progress=progress)
    try:
        for name, digest in each.sha256.items():
            _verify(downloads / name, digest)
        for name, rows in each.convert(downloads, folder):
            for stale in each.spoils:
                (folder / stale).unlink(missing_ok=True)
            _write(folder / name, rows, each.outputs[name])
    # What a changed or damaged file can set off on its way through the parsers.
    # Their messages can quote a post, so only the kind is told.
    except (ValueError, LookupError, SyntaxError, EOFError, csv.Error, tarfile.TarError) as exc:
        kind = type(exc).__name__
        raise DataError(f"{each.title} does not have the expected layout: {kind}") from None
    except OSError as exc:
        raise DataError(f"{each.title} cannot be converted: {exc}") from exc
    finally:
        # Read and converted, or of no use: either way nothing to keep. The raw files of SDCNL
        # name their authors, which the converted ones do not.
        shutil.rmtree(downloads, ignore_errors=True)


def _verify(path: Path, digest: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise DataError(f"{path.name} is damaged or has changed: its SHA-256 is {found}")


def _write(path: Path, rows: Iterable[dict[str, Any]], fewest: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with gzip.open(part, "wt", encoding="utf-8") as file:
            for row in rows:
                count += 1
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if count < fewest:
            raise DataError(f"{path.name} has {count} rows of at least {fewest}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _say(text: str) -> None:
    # Not `print`: it would tear a progress bar apart.
    tqdm.write(text, file=sys.stderr)
