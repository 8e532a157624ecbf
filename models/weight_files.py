"""Files of weights: safetensors with a note of what they are, checked against a manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

WEIGHTS_DIR: Final = Path(__file__).parent / "weights"
MANIFEST: Final = "SHA256SUMS"
RESTORE: Final = "restore the file or train it again"

Tensors = dict[str, NDArray[Any]]

_NOTE: Final = "about"
"""One entry of metadata: safetensors keeps no order of several, and the checksum would change."""


class WeightsError(RuntimeError):
    """Weights are missing, damaged, or made for another encoder."""


def weights_path(name: str, folder: Path) -> Path:
    """Return where the weights of this name lie."""
    return folder / f"{name}.safetensors"


def write_tensors(
    tensors: Mapping[str, NDArray[Any]], about: Mapping[str, Any], path: Path
) -> Path:
    """Write one file of weights and record its checksum in the folder's manifest.

    Args:
        tensors: the weights by name.
        about: what they are, as JSON can hold it.
        path: the file; its folder is made when missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}
    save_file(arrays, path, metadata={_NOTE: json.dumps(dict(about), sort_keys=True)})
    manifest = path.parent / MANIFEST
    sums = _read_manifest(path.parent) if manifest.exists() else {}
    sums[path.name] = _sha256(path)
    lines = [f"{digest}  {file}\n" for file, digest in sorted(sums.items())]
    manifest.write_text("".join(lines), encoding="utf-8")
    return path


def read_tensors(path: Path) -> tuple[Tensors, dict[str, Any], str]:
    """Return the tensors of a file, what it says about them, and its checksum.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    digest = check_sum(path)
    try:
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {})[_NOTE])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if not isinstance(about, dict):
            raise ValueError("the note is no JSON object")
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as exc:
        raise WeightsError(f"{path} cannot be read ({type(exc).__name__}): {RESTORE}") from exc
    return tensors, about, digest


def check_sum(path: Path) -> str:
    """Return the checksum of a file of weights.

    Raises:
        WeightsError: the file is missing, or its checksum is not the one in the manifest.
    """
    try:
        digest = _sha256(path)
        expected = _read_manifest(path.parent).get(path.name)
    except FileNotFoundError as exc:
        raise WeightsError(f"{exc.filename} is missing: {RESTORE}") from exc
    except (OSError, ValueError) as exc:
        raise WeightsError(f"{path} cannot be read ({type(exc).__name__}): {RESTORE}") from exc
    if digest != expected:
        raise WeightsError(f"{path} does not match {MANIFEST}: {RESTORE}")
    return digest


def _read_manifest(folder: Path) -> dict[str, str]:
    lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {file.strip(): digest for digest, file in pairs}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
