"""Several implementations of one workload, each in a separate process (worker.py), taking turns.

A busy machine then disturbs all alike. OPENBLAS_CORETYPE and the like are unset: every BLAS chooses its own kernels.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workload import Workload

HERE = Path(__file__).parent
PAUSE = 0.05  # seconds between turns: BLAS threads keep spinning for a while after a call
TURN_MS = 150.0  # how long a turn should take
SLOW_MS = 1000.0  # a generation this long needs no warm-up


@dataclass(frozen=True)
class Launch:
    """How to start an implementation."""

    implementation: str  # its name in worker.py
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)  # in addition to ours


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    turns: int  # per implementation
    seconds: float  # an implementation that has been timed for this long skips further turns


class Worker:
    """An implementation in a separate process, which has done one generation when the constructor returns."""

    def __init__(self, launch: Launch, workload: Path) -> None:
        command = [launch.python, str(HERE / "worker.py"), launch.implementation, str(workload)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        started = time.perf_counter()
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the worker
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment | dict(launch.environment),
        )
        self.peak_mb = 0
        self.last_ms = self._read()
        self.ready_seconds = time.perf_counter() - started  # from process start to the end of the first generation

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def _read(self) -> float:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                self.peak_mb = told["peak_mb"]
                return float(told["ms"])
        self.log.seek(0)
        raise RuntimeError(f"a worker died: {' '.join(self.process.args)}\n{self.log.read()[-2000:]}")  # type: ignore[arg-type]

    def step(self) -> float:
        """Do one generation; return its milliseconds."""
        assert self.process.stdin is not None
        print("go", file=self.process.stdin, flush=True)
        self.last_ms = self._read()
        return self.last_ms

    def turn(self) -> list[float]:
        """Do a few generations, not counting the first, since caches hold another process's data."""
        time.sleep(PAUSE)
        if self.last_ms < SLOW_MS:
            self.step()
        return [self.step() for _ in range(max(1, min(5, int(TURN_MS / self.last_ms))))]


def validate(workload: Path) -> None:
    """Compare our implementations with the specification on a workload.

    Raises
    ------
    RuntimeError
        If one differs, so that its time would be meaningless.
    """
    command = [sys.executable, str(HERE / "validate.py"), str(workload)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{workload}: {done.stderr}")


def measure(workload: Workload, launches: Mapping[str, Launch], effort: Effort) -> dict[str, Any]:
    """Return the figures of each implementation for a workload, checked first, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in launches}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "workload.npz"
        workload.save(path)
        validate(path)
        workers = {name: stack.enter_context(Worker(launch, path)) for name, launch in launches.items()}
        for _ in range(effort.turns):
            for name, worker in workers.items():
                if sum(times[name]) < 1000 * effort.seconds:
                    times[name] += worker.turn()
        return {
            name: {
                "median_ms": round(statistics.median(values), 2),
                "fastest_ms": round(min(values), 2),
                "slowest_ms": round(max(values), 2),
                "generations": len(values),
                "peak_mb": workers[name].peak_mb,
            }
            for name, values in times.items()
        }
