"""What a measurement ran on, for the JSON beside every figure."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from typing import Any


def describe() -> dict[str, Any]:
    """Return processor, cores, versions, BLAS kernels and the revision measured."""
    import threadpoolctl

    versions = {"python": platform.python_version(), "genreg-np": metadata.version("genreg-np")}
    for name in ("numpy", "scipy", "numba"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "versions": versions,
        "blas": sorted({str(info.get("architecture")) for info in threadpoolctl.threadpool_info()}),
        "blas_environment": {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")},
        "revision": _revision(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _revision() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
