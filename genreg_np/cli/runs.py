"""Code shared by `train` and `mixed`: the dataset, progress, stopping, the run folder, the GPU, the next command."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genreg_np.backends.threads import can_limit_blas
from genreg_np.cli.measured import OF_TRAINING
from genreg_np.cli.output import DownloadLines, Progress, ReadingLines, duration, pictures_words
from genreg_np.cli.reading import reader_arguments, reader_words
from genreg_np.cli.signals import Stopping
from genreg_np.data import dataset_names
from genreg_np.data import reader_arguments as data_arguments
from genreg_np.data.dataset import SPLITS, Dataset
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.own_folder import OWN_FITNESS
from genreg_np.runs.provenance import is_path
from genreg_np.runs.result import Folder, Result, Watcher
from genreg_np.runs.run_folder import RunFolder

KNOWN = ("size", "fit", "color")  # options for images that a model trained on a folder of images knows itself
WAITED_FOR = {  # by phase
    "generations": "this generation",
    "finishing": "the final measurement of accuracy",
    "refitting": "this generation",
}


@dataclass
class Started:
    """What a run reported when it started."""

    run: Path | None = None  # its folder, once it holds something to resume from
    new: RunFolder | None = None  # its folder, while it is empty
    evolution: Any = None
    origin: dict[str, Any] = field(default_factory=dict)  # of its data


def folder_of(result: Result) -> Path:
    """Return the run folder of a result, which commands always have."""
    assert result.run is not None
    return result.run


def choose_device(options: dict[str, Any]) -> None:
    """Turn --device into the name of a backend."""
    if options["device"] is not None and options["backend"] != "cupy":
        raise UsageError("--device chooses a GPU: it needs --backend cupy")
    if options["device"] is not None:
        options["backend"], options["device"] = f"cupy:{options['device']}", None


@contextlib.contextmanager
def shared_out(options: dict[str, Any]) -> Iterator[Any]:
    """Yield the backend of a run on data: its name, or one whose genomes are scored by --engine."""
    choose_device(options)
    engine, name = options["engine"], options["backend"]
    if engine in (None, "serial"):
        if options["address"]:
            raise UsageError("--address is the address of a Ray cluster: it needs --engine ray")
        yield name
        return
    from genreg_np import backends
    from genreg_np.runs.shared_scores import SharedBackend

    host = backends.create("cpu" if name in (None, "auto") else name, 1)
    with SharedBackend(host, engine, options["threads"] or 0, options["address"] or "") as shared:
        options["threads"] = None
        yield shared


def read_data(
    settings: dict[str, Any], options: dict[str, Any], progress: Progress
) -> tuple[Dataset, str, dict[str, Any]]:
    """Load the dataset of a new run and describe it; return it, its name or path, and its origin.

    The origin is what a resumed run needs to load the dataset again.
    """
    from genreg_np.data import load_dataset

    named = str(settings.get("dataset", "auto"))
    reading = reader_arguments(options)
    dataset = load_dataset(
        named,
        data_dir=options["data_dir"],
        variations=settings.get("variations", 1),
        progress=DownloadLines(progress.say),
        on_picture=ReadingLines(progress.say),
        **reading,
    )
    for note in dataset.note.split("; "):
        if note and not note.startswith(("split by class", "split at random")):
            progress.say(note)
    sizes = ", ".join(f"{len(dataset.split(name)):,} {name}" for name in SPLITS)
    progress.say(f"dataset {dataset.name}: {sizes}{pictures_words(dataset)}")
    source = dataset.name if named == "auto" else named
    return dataset, source, {
        **(dataset.origin or {}),
        "source": source if source in dataset_names() else os.path.abspath(source),
        "data_dir": options["data_dir"] and os.path.abspath(options["data_dir"]),
    }  # fmt: skip


def saved_run(run: str, named: str | None, progress: Progress) -> TrainConfig:
    """Return the configuration of a run to resume, and print which data it reads: `named`, or its own.

    Raises
    ------
    RunError
        If the folder holds no run, or another process is using it.
    """
    with RunFolder.open(Path(run)) as folder:
        config, _, origin = folder.read_config()
    if OWN_FITNESS not in origin:
        progress.say(f"dataset {named or origin.get('source', config.dataset)}")
    return config


def go_on(run: Path, command: str) -> str:
    """Return the command that resumes a run, as an indented line."""
    return f"  genreg-np {command} --resume {shlex.quote(str(run))}"


def stopped_lines(run: Path, generations: int, command: str) -> list[str]:
    """Return lines about a run that was stopped: what is saved, and how to resume it."""
    if generations:
        return [f"stopped and saved after generation {generations}. Resume with:", go_on(run, command)]
    return ["stopped before the first generation had ended: only settings are saved. Start again with:",
            go_on(run, command)]  # fmt: skip


def next_lines(model: Path, origin: dict[str, Any]) -> list[str]:
    """Return the command to try next: eval on the training's dataset, read with the options that eval takes."""
    command = ["genreg-np", "eval", str(model)]
    if is_path(origin["source"]):
        command += ["--dataset", _shown(origin["source"])]
    command += ["--data-dir", _shown(origin["data_dir"])] if origin.get("data_dir") else []
    known = (*KNOWN, *OF_TRAINING)
    arguments = {name: value for name, value in data_arguments(origin).items() if name not in known}
    command += reader_words(arguments)
    return ["", "try next:", f"  {shlex.join(command)}"]


def _shown(path: str) -> str:
    """Return a path relative to the working directory if it lies there, to be short to type."""
    try:
        here = os.path.relpath(path)
    except ValueError:  # on another drive
        return path
    return path if here.startswith(("..", "-")) or not is_path(here) else here


def watch(progress: Progress, options: dict[str, Any], stopping: Stopping, started: Started, command: str) -> Watcher:
    """Return a watcher that shows a run, stops it on request, and keeps what it reports in `started`."""
    stopping.last_words = ["stopped; no run was started"]

    def on_phase(phase: str, folder: Folder) -> None:
        assert isinstance(folder, RunFolder)
        stopping.waiting_for = WAITED_FOR.get(phase, "")
        begun = (folder.path / "config.toml").exists()
        started.new = None if begun else folder
        if phase == "preparing" and begun:
            started.run = folder.path
            stopping.last_words = ["stopped; the run is unchanged. Resume with:", go_on(folder.path, command)]
        elif phase == "measuring":
            started.run, stopping.last_words = folder.path, stopped_lines(folder.path, 0, command)
            progress.say("measuring how many generations fit into the budget ...")
        elif phase == "refitting":
            progress.say("training again, with the validation split as well ...")

    def on_start(evolution: Any, folder: Folder) -> None:
        assert isinstance(folder, RunFolder)
        started.evolution, started.origin = evolution, folder.read_config()[2]
        if not evolution.generation:
            started.run, stopping.last_words = folder.path, stopped_lines(folder.path, 0, command)
        if not can_limit_blas():
            progress.say(
                "threadpoolctl is missing: BLAS may use several threads, so the same seed may give other bytes"
            )
        backend, compiling = evolution.backend, evolution.compile_seconds
        ready = f", kernels ready in {duration(compiling)}" if compiling >= 0.05 and not progress.compiled else ""
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
        progress.update(record, started.evolution.config.generations)

    return Watcher(on_start, on_record, lambda: stopping.asked, on_phase, progress.compiling)


def leaving(
    progress: Progress, stopping: Stopping, started: Started, print_result: Callable[[], None]
) -> Callable[[], bool]:
    """Return Stopping.leave for `train` and `mixed`: what they do if they end without a KeyboardInterrupt."""

    def leave() -> bool:
        progress.stop()
        if started.new is not None:
            started.new.discard()
        for line in stopping.last_words:
            progress.say(line)
        print_result()
        return True

    return leave


def fresh_folder(dataset: str, preset: str, seed: int) -> Path:
    """Create the folder runs/DATASET-PRESET-SEED, numbered if that exists; concurrent calls get one each.

    Raises
    ------
    RunError
        If it cannot be created.
    """
    stem = re.sub(r"[^\w.-]+", "-", f"{dataset}-{preset}-{seed}").strip("-.") or "run"
    for number in itertools.count(1):
        folder = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            if not os.path.lexists(folder):
                raise RunError(f"{folder}: cannot be created ({error.strerror}); name a folder with --out") from None
        else:
            break
    return folder


def seconds_of(text: str | None, option: str = "--budget") -> float | None:
    """Return a time such as 60s, 5m or 1h in seconds; None for None.

    Raises
    ------
    UsageError
        For anything else.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", text.strip())
    if not match or float(match[1]) <= 0:
        raise UsageError(f"{option} {text!r} must look like 60s, 5m or 1h")
    return float(match[1]) * {"s": 1, "": 1, "m": 60, "h": 3600}[match[2]]
