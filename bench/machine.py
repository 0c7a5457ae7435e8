"""The machine of a measurement, for the JSON with the results."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

PEERS = ("torch", "evotorch", "jax", "evosax", "pygad")


def describe(peers: str | None = None) -> dict[str, Any]:
    """Return processor, cores, versions, BLAS kernels, load and the git revision; `peers` is the peers' Python."""
    from genreg_np import __version__
    from genreg_np.experiments.record import processor

    versions = {"python": platform.python_version(), "genreg-np": __version__}
    for name in ("numpy", "scipy", "numba"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    if peers:
        code = "import sys; from importlib import metadata; print(*map(metadata.version, sys.argv[1:]))"
        found = subprocess.run([peers, "-c", code, *PEERS], capture_output=True, text=True, check=True)
        versions |= dict(zip(PEERS, found.stdout.split(), strict=True))
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "versions": versions,
        "blas": _blas(),
        "blas_environment": {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")},
        "load": round(os.getloadavg()[0], 2),  # over the last minute: other load on the machine
        "revision": revision(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def peak_megabytes() -> int:
    """Return the peak memory of this process, in MB of 10**6 bytes."""
    try:
        # getrusage would include the parent's memory at the fork.
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024 // 10**6
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 10**6  # macOS counts bytes


def _blas() -> list[str]:
    try:
        import threadpoolctl
    except ImportError:  # not needed for anything else
        return []
    return sorted({str(info.get("architecture")) for info in threadpoolctl.threadpool_info()})


def revision(checkout: str | os.PathLike[str] = ".") -> str:
    """Return git's description of the version in a folder."""
    command = ["git", "-C", os.fspath(checkout), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
