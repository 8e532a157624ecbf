"""The process around the libraries: telemetry off, threads as set."""

from __future__ import annotations

import os

from graph.settings import Settings


def quiet_environment(settings: Settings) -> None:
    """Turn off the libraries' telemetry and set their threads; what is set already stays."""
    for name, value in {
        "ANONYMIZED_TELEMETRY": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "LANGSMITH_TRACING": "false",
        # Read by torch when it is imported, which happens after this.
        "OMP_NUM_THREADS": str(settings.threads),
    }.items():
        os.environ.setdefault(name, value)
