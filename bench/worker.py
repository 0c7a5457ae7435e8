"""One implementation in a separate process, timed on demand (driven by workers.py).

    python worker.py IMPLEMENTATION WORKLOAD.npz

Prints one line of JSON after the first generation; for each line on stdin it does another generation and prints its
milliseconds and the process's peak memory.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from machine import peak_megabytes
from workload import Workload


def set_up(implementation: str, workload: Workload) -> Callable[[], object]:
    """Return the function that does one generation; a peer's module has the peer's name in lower case."""
    if Path(__file__).with_name("peers").joinpath(f"{implementation.lower()}.py").exists():
        step: Callable[[], object] = importlib.import_module(f"peers.{implementation.lower()}").set_up(workload)
        return step
    import mixed_steps
    import ours

    return (ours.IMPLEMENTATIONS | mixed_steps.IMPLEMENTATIONS)[implementation](workload)


def main() -> None:
    """Set up, then do a step for each line."""
    step = set_up(sys.argv[1], Workload.load(sys.argv[2]))
    start = time.perf_counter()
    step()
    while True:
        milliseconds = 1000 * (time.perf_counter() - start)
        print(json.dumps({"ms": milliseconds, "peak_mb": peak_megabytes()}), flush=True)
        if not sys.stdin.readline():
            return
        start = time.perf_counter()
        step()


if __name__ == "__main__":
    main()
