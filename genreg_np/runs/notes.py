"""Notes about a run that do not determine its result: run.json."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from genreg_np.version import __version__

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations


def run_notes(evolution: Generations) -> dict[str, Any]:
    """Return when, where and with what a run is computed."""
    return {
        "started": now(),
        "backend": evolution.backend.name,
        "device": evolution.backend.describe(),
        "threads": evolution.backend.threads,
        "network": evolution.network.describe(),
        "compile_seconds": round(evolution.compile_seconds, 3),
        "versions": {
            "genreg-np": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            **{name: sys.modules[name].__version__ for name in ("numba", "scipy", "cupy") if name in sys.modules},
        },
        "machine": platform.machine(),
        "command": sys.argv,
    }


def resumed_notes(evolution: Generations, before: dict[str, Any], generation: int) -> dict[str, Any]:
    """Return the notes of a run resumed at a generation: the earlier ones, with another entry in `resumes`."""
    resumes = before.get("resumes")
    again = [{"generation": generation, "time": now(), "backend": evolution.backend.name}]
    again = resumes + again if isinstance(resumes, list) else again
    return run_notes(evolution) | {"started": before.get("started"), "resumes": again}


def now() -> str:
    """Return the current time in UTC, to the second, in ISO format."""
    return datetime.now(UTC).isoformat(timespec="seconds")
