"""A complete training run: evolve on a dataset, keep a run folder, choose the champion, use the test split once.

result = train(TrainConfig.from_preset("small"), Dataset.from_arrays(inputs, labels))        not saved
result = train(TrainConfig.from_preset("seed-mnist-64", seed=1), load_dataset("mnist"), "runs/first")
result = resume("runs/first", changes={"child_mutation_rate": 0.05})
"""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from genreg_np.backends.base import Backend
from genreg_np.data.dataset import Dataset
from genreg_np.errors import GenregError, RunError, UsageError
from genreg_np.fitness import ImageFitness
from genreg_np.model import Model, Network, load
from genreg_np.runs.budget import fit_to_budget
from genreg_np.runs.champion import chosen
from genreg_np.runs.checkpoint import read_checkpoint
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.generations import Record
from genreg_np.runs.no_folder import NoFolder
from genreg_np.runs.notes import now, resumed_notes, run_notes
from genreg_np.runs.own_folder import OWN_FITNESS
from genreg_np.runs.provenance import (
    IN_MEMORY,
    fingerprint,
    fingerprint_of_names,
    fingerprint_of_network,
    lasting,
    load_again,
)
from genreg_np.runs.refit import Start, refitted
from genreg_np.runs.result import Folder, Result, Watcher
from genreg_np.runs.run_folder import SAVE_EVERY_SECONDS, RunFolder
from genreg_np.runs.start import check_kinds, check_total, described

INITIAL = "initial.npz"  # in a run folder: the model that the run started from
BUDGET = "budget"  # in the origin of config.toml: seconds not yet converted to a number of generations
COLUMNS = "columns"  # also there: the fingerprint of the column names
NETWORK = "network"  # also there: that of a network that no description expresses
NO_REFIT = "keep = refit starts from scratch, not from a model: leave it at best, or leave out the model to start from"


def train(
    config: TrainConfig,
    dataset: Dataset,
    out: str | os.PathLike[str] | None = None,
    *,
    backend: str | Backend = "auto",
    threads: int | None = None,
    budget_seconds: float | None = None,
    initial: Model | None = None,
    network: str | Network | None = None,
    image_fitness: ImageFitness | None = None,
    origin: dict[str, Any] | None = None,
    watcher: Watcher | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    """Train a model; with a run folder, the run can be stopped and resumed.

    Parameters
    ----------
    config : TrainConfig
    dataset : Dataset
    out : path, optional
        The run folder; it must not hold a run yet. Without it nothing is written, and the result is the same.
    backend, threads
        See backends.create.
    budget_seconds : float, optional
        Converted, before the first generation, to the number of generations that fit (budget.py). A run that is stopped
        before that keeps its budget, and has all of it when it is resumed.
    initial : Model, optional
        A model whose mutated copies are generation 0.
    network : str or Network, optional
        The layers to train, as in the setting `network`, or a Network. One that no description expresses, such as one
        with fixed layers of its own, must be passed again to resume.
    image_fitness : callable, optional
        A custom fitness for node-perturbation (see Evolution); must be passed again to resume.
    origin : dict, optional
        The arguments of load_dataset: `source` (name or path), `data_dir` and `label`, `size`, ... (READER_OPTIONS);
        resume uses them to load the dataset again. By default the dataset's own.
    watcher : Watcher, optional
    clock : callable
        The time in seconds, from any start: measures budgets, intervals of saving and `seconds`.

    Returns
    -------
    Result
        The model, which champion it is, and the scores of all champions.

    Raises
    ------
    UsageError
        For settings, a budget or an initial model that do not fit.
    DataError
        For data from which nothing can be learned: a single class, too few rows.
    RunError
        If the folder cannot be used.
    BackendError, MissingExtraError
        If the backend cannot be used.
    """
    watcher = _watcher(watcher)
    check_kinds(("config", "dataset"), config=config, dataset=dataset, initial=initial)
    config, own_network = described(config, dataset, network)
    if budget_seconds is not None and not _is_seconds(budget_seconds):
        raise UsageError(f"budget_seconds = {budget_seconds!r} must be a number of seconds greater than 0")
    budget = None if budget_seconds is None else float(budget_seconds)
    with NoFolder() if out is None else RunFolder.create(Path(out)) as folder:
        try:
            if config.fitness == "custom" and image_fitness is None:
                raise UsageError(
                    "fitness = custom is for Evolution.ask and tell: a run on a dataset needs a built-in fitness"
                )
            watcher.on_phase("preparing", folder)
            if initial is not None and config.keep == "refit":
                raise UsageError(NO_REFIT)
            evolution = Evolution(
                config, dataset, network=own_network, backend=backend, threads=threads, initial=initial,
                image_fitness=image_fitness, on_compiling=watcher.on_compiling, clock=clock,
            )  # fmt: skip
            known = {"source": IN_MEMORY, **(dataset.origin or {}), **(origin or {})}
            known |= {"backend": evolution.backend.name, "data": fingerprint(dataset), BUDGET: budget}
            known |= {"source": lasting(known["source"]), COLUMNS: fingerprint_of_names(dataset)}
            known |= {NETWORK: fingerprint_of_network(own_network)}
            if initial is not None:
                folder.save(INITIAL, initial)
            folder.write_config(evolution.config, [], known)
        except BaseException:
            folder.discard()
            raise
        notes = run_notes(evolution) | {"budget_seconds": budget}
        run = _Run(folder, evolution, known, notes, watcher, _start_again(evolution, own_network, image_fitness))
        try:
            run.fit_to_budget()
        except GenregError:  # no generation fits into the budget
            folder.discard()
            raise
        return run.go()


def resume(
    run: str | os.PathLike[str],
    *,
    changes: dict[str, Any] | None = None,
    extend: bool = False,
    dataset: Dataset | None = None,
    network: Network | None = None,
    source: str | None = None,
    backend: str | None = None,
    threads: int | None = None,
    data_dir: str | None = None,
    image_fitness: ImageFitness | None = None,
    watcher: Watcher | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    """Resume a run from its checkpoint; the result is byte-identical to that of a run that was never stopped.

    Parameters
    ----------
    run : path
        The run folder.
    changes : dict, optional
        Settings to change from here on; logged in config.toml and in the model. A new total of `generations` is not
        logged: the run continues as if that had been the total from the start, unless its steps are annealed.
    extend : bool
        Allow another total for an annealed run; logged as a change.
    dataset : Dataset, optional
        By default loaded again; required if the run's data were arrays in memory.
    network : Network, optional
        Required if the run was given one that no description expresses.
    source : str, optional
        The place of the same data, if they were moved. Required if they are a file or folder and the run folder has no
        fingerprint of them: the folder is not trusted, and could name any file.
    backend : str, optional
        By default the run's own; another one gives another, equally valid, run.
    threads : int, optional
    data_dir : str, optional
        Where to look for the dataset first.
    image_fitness : callable, optional
        The one that the run was started with.
    watcher : Watcher, optional
    clock : callable
        The time in seconds, from any start.

    Raises
    ------
    RunError
        If there is no run, it is in use, its files are damaged, or its data have changed.
    UsageError
        For a setting that can no longer change, or data that must be named and were not.
    """
    watcher = _watcher(watcher)
    check_kinds(dataset=dataset, network=network)
    with RunFolder.open(Path(run)) as folder:
        watcher.on_phase("preparing", folder)
        config, logged, origin = folder.read_config()
        if OWN_FITNESS in origin:
            raise UsageError(
                f"{folder.path}: is a run on a custom fitness: resume it in Python, with Evolution.load of its "
                "checkpoint.npz and run(fitness=..., out=...)"
            )
        reached = _reached(folder)
        if reached or "generations" in (changes or {}):
            origin.pop(BUDGET, None)  # the number of generations is known
        if BUDGET in origin and not _is_seconds(origin[BUDGET]):
            raise RunError(f"{folder.path}: config.toml: budget = {origin[BUDGET]!r} is not a number of seconds")
        new = config.changed(**(changes or {}))
        check_total(config, new, reached, extend)
        if new.keep == "refit" and (folder.path / INITIAL).exists():
            raise UsageError(NO_REFIT)
        logged = [*logged, *config.changes_to(new, reached, changes or {})]
        if data_dir is not None:
            origin |= {"data_dir": os.path.abspath(data_dir)}
        if source is not None:
            origin |= {"source": lasting(source)}
        if dataset is None:
            origin.setdefault("source", config.dataset)
            dataset = load_again(folder.path, origin, config.variations, named=source is not None)
        found, columns = fingerprint(dataset), fingerprint_of_names(dataset)
        if origin.get("data", found) != found or origin.get(COLUMNS, columns) != columns:
            raise RunError(
                f"{folder.path}: the data of {dataset.name} are not those this run began with: restore them, "
                "name their place with --dataset, or start a new run"
            )
        if fingerprint_of_network(network) != origin.get(NETWORK):
            raise RunError(
                f"{folder.path}: needs the network this run began with, and no other: "
                + (
                    "call resume(run, network=...) from Python"
                    if NETWORK in origin
                    else "leave it out, config.toml has it"
                )
            )
        backend = backend or origin.get("backend", "auto")
        evolution = _evolution(
            folder, reached, new, dataset, network=network, backend=backend, threads=threads,
            image_fitness=image_fitness, on_compiling=watcher.on_compiling, clock=clock,
        )  # fmt: skip
        evolution.changes = logged
        origin |= {"backend": evolution.backend.name, "data": found, COLUMNS: columns}
        folder.write_config(new, logged, origin)
        folder.cut_metrics(reached)
        notes = resumed_notes(evolution, folder.read_json("run.json"), reached)
        under_way = _Run(folder, evolution, origin, notes, watcher, _start_again(evolution, network, image_fitness))
        under_way.fit_to_budget()
        return under_way.go()


def _watcher(watcher: Watcher | None) -> Watcher:
    """Return the given watcher, or one without callbacks."""
    if not isinstance(watcher, Watcher | None):
        kind = type(watcher).__name__
        raise UsageError(f"watcher must be a Watcher, not {kind}: Watcher(on_record=...) makes one from a function")
    return watcher or Watcher()


def _is_seconds(budget: Any) -> bool:
    """Return whether a budget is a positive finite number."""
    if not isinstance(budget, Real) or isinstance(budget, bool):
        return False
    try:
        return 0 < float(budget) < math.inf
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _reached(folder: RunFolder) -> int:
    """Return the generation of a run's checkpoint, 0 before its first one."""
    path = folder.path / "checkpoint.npz"
    return int(read_checkpoint(path)[1]["generation"]) if path.exists() else 0


def _evolution(
    folder: RunFolder,
    reached: int,
    config: TrainConfig,
    dataset: Dataset,
    **how: Any,
) -> Evolution:
    """Return the evolution of a run as last saved, or as it began; `how` holds arguments of both cases."""
    if reached:
        return Evolution.load(folder.path / "checkpoint.npz", dataset, config=config, **how)
    start = folder.path / INITIAL
    return Evolution(config, dataset, initial=load(start) if start.exists() else None, **how)


def _start_again(run: Evolution, network: Network | None, image_fitness: ImageFitness | None) -> Start:
    """Return a function that starts a run like another one on another dataset."""
    return functools.partial(
        Evolution, network=network, backend=run.backend, image_fitness=image_fitness, clock=run.clock
    )


@dataclass
class _Run:
    """A run in progress: saves, and at the end validates, chooses and tests."""

    folder: Folder
    evolution: Evolution
    origin: dict[str, Any]
    notes: dict[str, Any]
    watcher: Watcher
    start_again: Start

    def __post_init__(self) -> None:
        self._saved_at = self.evolution.clock()

    def fit_to_budget(self) -> None:
        """Convert a budget, if the run has one, to a number of generations, unless it is stopped first."""
        if (budget := self.origin.get(BUDGET)) is None:
            return
        self.watcher.on_phase("measuring", self.folder)
        if fit_to_budget(self.evolution, budget, self.watcher.should_stop):
            self.origin[BUDGET] = None
            self.folder.write_config(self.evolution.config, self.evolution.changes, self.origin)

    def go(self) -> Result:
        """Evolve and save; at the end validate and test."""
        self.folder.write_json("run.json", self.notes)
        if self.origin.get(BUDGET) is not None:  # stopped while it was measured
            return self._finish("stopped")
        self.watcher.on_start(self.evolution, self.folder)
        self.watcher.on_phase("generations", self.folder)
        ended = self.evolution.run(on_record=self._record, should_stop=self.watcher.should_stop)
        self.watcher.on_phase("finishing", self.folder)
        return self._finish(ended)

    def _record(self, record: Record) -> None:
        self.folder.record(record)
        if self.evolution.clock() - self._saved_at >= SAVE_EVERY_SECONDS:
            self._save()
        self.watcher.on_record(record)

    def _save(self) -> None:
        self.folder.save("checkpoint.npz", self.evolution)
        self._saved_at = self.evolution.clock()

    def _finish(self, ended: str) -> Result:
        evolution = self.evolution
        if evolution.generation == 0:  # stopped before there was anything to save except the configuration
            return Result(self.folder.path, None, "", 0, evolution.seconds, ended, {}, {})
        self._save()
        started = evolution.clock()
        candidates = evolution.candidates()
        genome = chosen(evolution.config.champion, candidates)
        validation = {name: found.fitness for name, found in candidates.items()}
        by, judged = evolution, candidates
        if evolution.config.keep == "refit" and ended != "stopped":
            self.watcher.on_phase("refitting", self.folder)
            refit = refitted(evolution, genome, candidates[genome], self.start_again, self.watcher.should_stop)
            if refit is None:
                ended = "stopped"
            else:
                by, judged = refit.run, {genome: refit.champion}
        tests = ended != "stopped" and evolution.dataset is not None and "test" not in evolution.dataset.absent
        test = {name: by.evaluation(of.genes, "test") for name, of in judged.items()} if tests else {}
        tested = {name: evaluation.score for name, evaluation in test.items()}
        model = evolution.result_of(genome, candidates | judged, tested, by)
        self.folder.save("model.npz", model)
        evolution.seconds += evolution.clock() - started
        self.notes |= {
            "ended": ended,
            "generations": evolution.generation,
            "seconds": round(evolution.seconds, 3),
            "finished": now(),
            "genome": genome,
            "generation": candidates[genome].generation,
            "validation": validation,
            "test": tested,
        }
        self.folder.write_json("run.json", self.notes)
        return Result(self.folder.path, model, genome, evolution.generation, evolution.seconds, ended, validation, test)
