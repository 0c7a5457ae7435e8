"""What `train` and `mixed` share: signals, progress, the run folder's name, the GPU."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from genreg_np.backends.threads import can_limit_blas
from genreg_np.cli.output import Progress, duration
from genreg_np.errors import UsageError
from genreg_np.training import Watcher

INTERRUPTED = 130  # exit code after Ctrl-C or SIGTERM


def choose_device(options: dict[str, Any]) -> None:
    """Turn --device into the name of a backend."""
    if options["device"] is not None and options["backend"] != "cupy":
        raise UsageError("--device chooses a GPU: it goes with --backend cupy")
    if options["device"] is not None:
        options["backend"] = f"cupy:{options['device']}"


def watch(progress: Progress, options: dict[str, Any], stopped: list[bool], started: list[Any]) -> Watcher:
    """Return a watcher that shows a run and stops it once `stopped` is not empty; the evolution goes into `started`."""

    def on_start(evolution: Any, folder: Any) -> None:
        started.append(evolution)
        if not can_limit_blas():
            progress.say(
                "threadpoolctl is missing: BLAS may use several threads, so the same seed may give other bytes"
            )
        backend, compiling = evolution.backend, evolution.compile_seconds
        ready = f", kernels ready in {duration(compiling)}" if compiling >= 0.05 else ""
        progress.say(f"network {evolution.network.describe()}; backend {backend.name}, {backend.describe()}{ready}")
        progress.say(
            f"run folder {folder.path}" + (f", from generation {evolution.generation}" if evolution.generation else "")
        )
        if options["verbose"]:
            for name, value in evolution.config.to_dict().items():
                progress.say(f"  {name} = {value}")
            progress.say(f"plan {evolution.plan()}")
        progress.start(evolution.config.generations, evolution.generation)

    def on_record(record: dict[str, Any]) -> None:
        progress.update(record, started[0].config.generations)

    return Watcher(on_start, on_record, lambda: bool(stopped))


@contextmanager
def stop_on_signal() -> Iterator[list[bool]]:
    """Give a list that fills at Ctrl-C or SIGTERM; a second Ctrl-C ends at once (nothing saved is lost)."""
    stopped: list[bool] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(True)
        os.write(2, b"\nstopping after this generation ...\n")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def fresh_folder(dataset: str, preset: str, seed: int) -> Path:
    """Return runs/DATASET-PRESET-SEED, numbered where that is taken."""
    stem = re.sub(r"[^\w.-]+", "-", f"{dataset}-{preset}-{seed}").strip("-.") or "run"
    folder, number = Path("runs") / stem, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{stem}-{number}"
    return folder
