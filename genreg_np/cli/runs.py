"""What `train` and `mixed` share: the dataset, signals, progress, the run folder, the GPU, what to do next."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from genreg_np.backends.threads import can_limit_blas
from genreg_np.checkpoint import RunFolder
from genreg_np.cli.output import DownloadLines, Progress, duration
from genreg_np.cli.reading import reader_arguments, reader_words
from genreg_np.config import TrainConfig
from genreg_np.data import dataset_names
from genreg_np.data.dataset import SPLITS, Dataset
from genreg_np.errors import UsageError
from genreg_np.training import Result, Watcher

INTERRUPTED = 130  # exit code after Ctrl-C or SIGTERM


def choose_device(options: dict[str, Any]) -> None:
    """Turn --device into the name of a backend."""
    if options["device"] is not None and options["backend"] != "cupy":
        raise UsageError("--device chooses a GPU: it goes with --backend cupy")
    if options["device"] is not None:
        options["backend"] = f"cupy:{options['device']}"


def read_data(
    settings: dict[str, Any], options: dict[str, Any], progress: Progress
) -> tuple[Dataset, str, dict[str, Any]]:
    """Load the dataset of a new run and say what there is to say of it; return it, its name or path, and its origin.

    The origin is what a resumed run needs to load it again.
    """
    from genreg_np.data import load_dataset

    named = str(settings.get("dataset", "auto"))
    reading = reader_arguments(options)
    dataset = load_dataset(
        named,
        data_dir=options["data_dir"],
        variations=settings.get("variations", 1),
        progress=DownloadLines(progress.say),
        **reading,
    )
    for note in dataset.note.split("; "):
        if note and not note.startswith("split by class"):
            progress.say(note)
    sizes = ", ".join(f"{len(dataset.split(name)):,} {name}" for name in SPLITS)
    progress.say(f"dataset {dataset.name}: {sizes}")
    source = dataset.name if named == "auto" else named
    return dataset, source, {
        "source": source if source in dataset_names() else os.path.abspath(source),
        "data_dir": options["data_dir"] and os.path.abspath(options["data_dir"]),
        **reading,
    }  # fmt: skip


def config_of(run: str) -> TrainConfig:
    """Return the configuration of a run folder.

    Raises
    ------
    RunError
        If it holds no run, or another process works on it.
    """
    with RunFolder.open(Path(run)) as folder:
        return folder.read_config()[0]


def stopped_lines(result: Result, command: str) -> list[str]:
    """Return what is said of a run that was stopped: what is saved, and how to go on."""
    again = f"  genreg-np {command} --resume {shlex.quote(str(result.run))}"
    if result.generations:
        return [f"stopped and saved after generation {result.generations}. Go on with:", again]
    return ["stopped before the first generation had ended: only settings are saved. Begin again with:", again]


def next_lines(model: Path, options: dict[str, Any]) -> list[str]:
    """Return the command to try next: the model's accuracy on the dataset that it was trained on."""
    command = ["genreg-np", "eval", str(model)]
    if options["dataset"] and options["dataset"] not in dataset_names():
        command += ["--dataset", options["dataset"]] if options["dataset"] != "auto" else []
    command += ["--data-dir", options["data_dir"]] if options["data_dir"] else []
    command += reader_words(reader_arguments(options))
    return ["", "try next:", f"  {shlex.join(command)}"]


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
def stop_on_signal(when: str = "after this generation") -> Iterator[list[bool]]:
    """Give a list that fills at Ctrl-C or SIGTERM; a second Ctrl-C ends at once (nothing saved is lost)."""
    stopped: list[bool] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(True)
        os.write(2, f"\nstopping {when} ...\n".encode())

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
