"""Weights of the Hugging Face hub: found in the local cache first, fetched only when named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.chat import ChatError

if TYPE_CHECKING:
    from collections.abc import Callable

# Safetensors only: other formats are pickles, which can run code when they are read.
_WANTED: Final = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
_UNWANTED: Final = ["*/*", "consolidated*"]


def complete(folder: Path) -> bool:
    """Tell whether `folder` holds a configuration and every file of the weights."""
    if not (folder / "config.json").is_file():
        return False
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return (folder / "model.safetensors").is_file()
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        return False
    return all((folder / shard).is_file() for shard in shards)


def cached_folder(repo: str) -> Path | None:
    """Return the folder of a model that is wholly in the local cache; no network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                repo, local_files_only=True, allow_patterns=_WANTED, ignore_patterns=_UNWANTED
            )
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return folder if complete(folder) else None


def fetch_folder(name: str, *, progress: bool = False) -> Path:
    """Return the folder of a model: a local one, a cached one, or a download.

    Raises:
        ChatError: it is nowhere, or may not be fetched.
    """
    here = Path(name).expanduser()
    if here.is_dir():
        if not complete(here):
            raise ChatError(
                f"{name} is not a whole model: config.json or a .safetensors file is missing"
            )
        return here
    if (cached := cached_folder(name)) is not None:
        return cached
    from huggingface_hub import snapshot_download

    def fetch() -> str:
        return snapshot_download(name, allow_patterns=_WANTED, ignore_patterns=_UNWANTED)

    folder = _fetch(fetch, name, progress=progress)
    if not complete(folder):
        raise ChatError(f"{name} has no weights in the safetensors format; choose another model")
    return folder


def fetch_file(name: str, *, progress: bool = False) -> Path:
    """Return a GGUF file: a local path, or `owner/repository:file.gguf` of the hub.

    Raises:
        ChatError: it is nowhere, or may not be fetched.
    """
    here = Path(name).expanduser()
    if here.is_file():
        return here
    repo, colon, file = name.rpartition(":")
    # A colon after one letter is a Windows drive, not a repository.
    if not colon or "/" not in repo:
        raise ChatError(f"the file {name} does not exist; check EMPATHY_CHAT_MODEL")
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    def fetch() -> str:
        cached = try_to_load_from_cache(repo, file)
        return cached if isinstance(cached, str) else hf_hub_download(repo, file)

    return _fetch(fetch, repo, progress=progress)


def _fetch(fetch: Callable[[], str], repo: str, *, progress: bool) -> Path:
    import httpx
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    quiet = not progress and not are_progress_bars_disabled()
    if quiet:
        disable_progress_bars()
    try:
        return Path(fetch())
    except HFValidationError:
        raise ChatError(
            f"{repo} is neither a folder here nor the name of a model on huggingface.co; "
            "check EMPATHY_CHAT_MODEL"
        ) from None
    # The hub's file transfer reports a broken connection as a plain RuntimeError.
    except (OSError, httpx.HTTPError, RuntimeError) as exc:
        raise _explain(exc, repo) from exc
    finally:
        if quiet:
            enable_progress_bars()


def _explain(exc: Exception, repo: str) -> ChatError:
    from huggingface_hub import errors

    page = f"https://huggingface.co/{repo}"
    if isinstance(exc, errors.GatedRepoError):
        return ChatError(
            f"{repo} asks you to accept its licence: do so on {page}, then run `hf auth login`"
        )
    if isinstance(exc, errors.EntryNotFoundError) and not isinstance(
        exc, errors.LocalEntryNotFoundError
    ):
        return ChatError(f"{repo} has no such file; see {page}/tree/main")
    if isinstance(exc, errors.RepositoryNotFoundError):
        return ChatError(
            f"there is no model {repo} on huggingface.co, or it is private: check "
            "EMPATHY_CHAT_MODEL, or run `hf auth login`"
        )
    if isinstance(exc, OSError) and exc.errno is not None:
        return ChatError(f"{repo} could not be stored ({type(exc).__name__}); is the disk full?")
    return ChatError(
        f"{repo} is not on this machine, and the Hugging Face hub is out of reach "
        f"({type(exc).__name__}); connect once to fetch it, or set EMPATHY_CHAT_MODEL=embedded"
    )
