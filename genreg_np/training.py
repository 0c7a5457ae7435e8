"""A whole training run: evolve on a dataset, keep a run folder, choose the champion, look at the test split once.

result = train(preset="seed-mnist-64", seed=1)
result = resume("runs/mnist-seed-mnist-64-0", child_mutation_rate=0.05)
"""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np import __version__
from genreg_np.checkpoint import RunFolder, read_checkpoint
from genreg_np.config import TrainConfig
from genreg_np.data import load_dataset
from genreg_np.data.dataset import Dataset
from genreg_np.errors import RunError, UsageError
from genreg_np.evaluation import Evaluation
from genreg_np.evolution import Evolution, Record
from genreg_np.model import Model

SAVE_EVERY_SECONDS = 30.0
CALIBRATION_GENERATIONS = 10  # timed to turn a time budget into a number of generations


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    run: Path  # the run folder
    model: Model  # the chosen champion, as saved in model.npz
    genome: str  # which one it is: best or consensus
    generations: int
    seconds: float  # from arrays in memory to the saved model, earlier processes of a resumed run included
    ended: str  # generations, target or stopped
    validation: dict[str, float]  # accuracy of each champion
    test: dict[str, Evaluation]  # of each champion; empty for a stopped run, which does not look at the test split

    @property
    def test_accuracy(self) -> float | None:
        """The saved model's accuracy on the test split; None for a stopped run."""
        return self.test[self.genome].accuracy if self.test else None


@dataclass(frozen=True)
class Watcher:
    """What a caller may hear of a run, and how it may stop it; every part is optional."""

    on_start: Callable[[Evolution, RunFolder], None] = lambda evolution, folder: None
    on_record: Callable[[Record], None] = lambda record: None
    should_stop: Callable[[], bool] = lambda: False


def train(
    config: TrainConfig,
    dataset: Dataset,
    out: str | os.PathLike[str],
    *,
    backend: str = "auto",
    threads: int | None = None,
    budget_seconds: float | None = None,
    initial: Model | None = None,
    provenance: dict[str, Any] | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """Start a run in a new folder.

    Parameters
    ----------
    config : TrainConfig
    dataset : Dataset
    out : path
        The run folder; must not hold a run yet.
    backend, threads
        See backends.create.
    budget_seconds : float, optional
        Turned, after ten timed generations, into the number of generations that fits.
    initial : Model, optional
        A model whose mutated copies are generation 0.
    provenance : dict, optional
        What resume needs to load the dataset again, and anything worth noting; goes to run.json.
    watcher : Watcher, optional

    Raises
    ------
    GenregError
        If the folder or the backend cannot be used, or settings do not fit.
    """
    with RunFolder.create(Path(out)) as folder:
        evolution = Evolution(config, dataset, backend=backend, threads=threads, initial=initial)
        folder.write_config(config, [])
        notes = _run_notes(evolution) | (provenance or {})
        if initial is not None:
            notes["initial"] = initial.training
        return _Run(folder, evolution, [], notes, watcher or Watcher()).go(budget_seconds)


def resume(
    run: str | os.PathLike[str],
    *,
    generations: int | None = None,
    changes: dict[str, Any] | None = None,
    dataset: Dataset | None = None,
    backend: str | None = None,
    threads: int | None = None,
    data_dir: str | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """Go on with a run from its checkpoint; ends byte-identical to a run that was never stopped.

    Parameters
    ----------
    run : path
        The run folder.
    generations : int, optional
        A new total.
    changes : dict, optional
        Settings to change from here on; logged in config.toml and in the model.
    dataset : Dataset, optional
        By default loaded again as the run did.
    backend : str, optional
        By default the run's own: another one gives another, equally valid, run.
    threads : int, optional
    data_dir : str, optional
        Where to look for the dataset first.
    watcher : Watcher, optional

    Raises
    ------
    RunError
        If there is no run, it is in use, or its files are damaged.
    UsageError
        For a change that cannot apply any more.
    """
    with RunFolder.open(Path(run)) as folder:
        config, logged = folder.read_config()
        notes = folder.read_json("run.json")
        if dataset is None:
            dataset = load_dataset(
                config.dataset,
                data_dir=data_dir or notes.get("data_dir"),
                variations=config.variations,
                label=notes.get("label"),
                size=tuple(notes["size"]) if notes.get("size") else None,
            )
        reached = _reached(folder)
        new = config.changed(**(changes or {}))
        for name in changes or {}:
            old, value = config.to_dict()[name], new.to_dict()[name]
            if old != value:
                logged = [*logged, {"generation": reached, "setting": name, "old": old, "new": value}]
        if generations is not None:
            if generations < reached:
                raise UsageError(f"generations {generations} is less than the {reached} this run has already done")
            new = new.replace(generations=generations)
        chosen = backend or notes.get("backend", "auto")
        if reached:
            path = folder.path / "checkpoint.npz"
            evolution = Evolution.load(path, dataset, config=new, backend=chosen, threads=threads)
        else:
            evolution = Evolution(new, dataset, backend=chosen, threads=threads)
        folder.write_config(new, logged)
        folder.cut_metrics(reached)
        resumes = [
            *notes.get("resumes", []),
            {"generation": reached, "time": _now(), "backend": evolution.backend.name},
        ]
        notes = notes | _run_notes(evolution) | {"started": notes.get("started"), "resumes": resumes}
        return _Run(folder, evolution, logged, notes, watcher or Watcher()).go(None)


def _reached(folder: RunFolder) -> int:
    """Return the generation of a run's checkpoint, 0 before its first one."""
    path = folder.path / "checkpoint.npz"
    if not path.exists():
        if folder.read_json("run.json").get("initial") is not None:
            raise RunError(f"{folder.path}: was stopped before its first save, so start it again with its --init model")
        return 0
    _, fields = read_checkpoint(path)
    return int(fields["generation"])


@dataclass
class _Run:
    """A run under way: saves, validates at the end, chooses, tests."""

    folder: RunFolder
    evolution: Evolution
    changes: list[dict[str, Any]]
    notes: dict[str, Any]
    watcher: Watcher
    saved_at: float = dataclasses.field(default_factory=time.monotonic)

    def go(self, budget_seconds: float | None) -> Result:
        self.folder.write_json("run.json", self.notes)
        self.watcher.on_start(self.evolution, self.folder)
        stop = self.watcher.should_stop
        if budget_seconds is not None:
            ended = self.evolution.run(CALIBRATION_GENERATIONS, on_record=self._record, should_stop=stop)
            if ended == "generations":
                self._calibrate(budget_seconds)
        ended = self.evolution.run(on_record=self._record, should_stop=stop)
        return self._finish(ended)

    def _calibrate(self, budget_seconds: float) -> None:
        per_generation = self.evolution.seconds / self.evolution.generation
        total = max(self.evolution.generation, int(budget_seconds / per_generation))
        self.evolution.config = self.evolution.config.replace(generations=total)
        self.folder.write_config(self.evolution.config, self.changes)

    def _record(self, record: Record) -> None:
        self.folder.record(record)
        if time.monotonic() - self.saved_at >= SAVE_EVERY_SECONDS:
            self._save()
        self.watcher.on_record(record)

    def _save(self) -> None:
        self.folder.write("checkpoint.npz", self.evolution.pack())
        self.saved_at = time.monotonic()

    def _finish(self, ended: str) -> Result:
        evolution = self.evolution
        if evolution.generation == 0:
            raise RunError(f"{self.folder.path}: stopped before the first generation, nothing to save")
        self._save()
        started = time.perf_counter()
        validation = evolution.accuracies("validation")
        genome = evolution.config.champion
        if genome == "auto" or genome not in validation:
            genome = max(validation, key=lambda name: validation[name])
        test = {} if ended == "stopped" else self._test()
        model = self._model(genome, validation, test)
        self.folder.write("model.npz", model.pack())
        evolution.seconds += time.perf_counter() - started
        self.notes |= {
            "ended": ended,
            "generations": evolution.generation,
            "seconds": round(evolution.seconds, 3),
            "finished": _now(),
            "genome": genome,
            "validation": validation,
            "test": {name: result.accuracy for name, result in test.items()},
        }
        self.folder.write_json("run.json", self.notes)
        return Result(self.folder.path, model, genome, evolution.generation, evolution.seconds, ended, validation, test)

    def _test(self) -> dict[str, Evaluation]:
        assert self.evolution.dataset is not None
        labels, classes = self.evolution.dataset.test.labels, len(self.evolution.dataset.class_names)
        champions = self.evolution.strategy.champions(self.evolution.state)
        return {
            name: Evaluation.of(self.evolution.predict(genes, "test"), labels, classes)
            for name, genes in champions.items()
        }

    def _model(self, genome: str, validation: dict[str, float], test: dict[str, Evaluation]) -> Model:
        """Return the champion with everything that determined it, and nothing else: equal runs give equal bytes."""
        evolution, dataset = self.evolution, self.evolution.dataset
        assert dataset is not None
        accuracies: dict[str, Any] = {"validation": validation}
        if test:
            accuracies["test"] = {name: result.accuracy for name, result in test.items()}
        training = {
            "method": evolution.config.strategy,
            "genome": genome,
            "generations": evolution.generation,
            "seed": evolution.config.seed,
            "config": evolution.config.to_dict() | {"dataset": dataset.name},
            "changes": self.changes,
            "accuracies": accuracies,
        }
        genes = evolution.strategy.champions(evolution.state)[genome]
        return Model.build(evolution.network, genes, dataset.class_names, dataset.input_range, training)


def _run_notes(evolution: Evolution) -> dict[str, Any]:
    """Return what does not determine the result but is worth knowing."""
    return {
        "started": _now(),
        "backend": evolution.backend.name,
        "threads": getattr(evolution.backend, "threads", 1),
        "compile_seconds": round(evolution.compile_seconds, 3),
        "versions": {
            "genreg-np": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            **{name: sys.modules[name].__version__ for name in ("numba", "scipy") if name in sys.modules},
        },
        "machine": platform.machine(),
        "command": sys.argv,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
