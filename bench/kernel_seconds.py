"""The time to compile each kernel, for the estimate in genreg_np/backends/numba/pace.py: prints its table SECONDS.

    python bench/kernel_seconds.py

CPU seconds, so that other load on the machine matters little: means over the kernels of several presets, each compiled
by two processes in turn with an empty cache, divided up as in numba/warm.py. The figures are those of this machine; the
estimate uses only their ratios.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PRESETS = ("nodes-small", "seed-mnist-64", "fast", "genreg-2", "evolution-strategy", "mixed", "convolution")


def queues() -> list[list[str]]:
    """Return what the two processes compile, for each preset and for all works."""
    from genreg_np.backends.base import Work
    from genreg_np.backends.numba.warm import EXAMPLES, NEEDED
    from genreg_np.runs.config import TrainConfig
    from genreg_np.strategies import strategy_class

    found, configs = [list(EXAMPLES)], [TrainConfig.from_preset(preset) for preset in PRESETS]
    for config in configs:
        works: tuple[Work, ...] = strategy_class(config.strategy).works(config.options, len(config.hidden) + 1)
        found.append([name for name in EXAMPLES if name in {name for work in works for name in NEEDED[work]}])
    return [names[first::2] for names in found for first in (0, 1)]


def compiled(names: list[str]) -> dict[str, float]:
    """Compile examples in this process, which has an empty cache; return the CPU seconds of each."""
    from genreg_np import backends
    from genreg_np.backends.numba.warm import EXAMPLES

    backend, seconds = backends.create("numba", 1), {}
    for name in names:
        begun = time.process_time()
        EXAMPLES[name](backend)
        seconds[name] = time.process_time() - begun
    return seconds


def main() -> None:
    """Measure, and print a line of the table for each kernel."""
    if sys.argv[1:]:
        print(json.dumps(compiled(sys.argv[1:])))
        return
    seconds: dict[str, list[float]] = {}
    for names in queues():
        with tempfile.TemporaryDirectory() as cache:
            os.chmod(cache, 0o700)
            command = [sys.executable, __file__, *names]
            done = subprocess.run(
                command, env=os.environ | {"XDG_CACHE_HOME": cache}, stdout=subprocess.PIPE, text=True, check=True
            )
        for name, took in json.loads(done.stdout).items():
            seconds.setdefault(name, []).append(took)
    for name, found in seconds.items():
        print(f'    "{name}": {statistics.mean(found):.1f},  # {min(found):.1f} - {max(found):.1f}')


if __name__ == "__main__":
    main()
