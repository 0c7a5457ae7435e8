"""`search_images`: search for a network for a dataset of images, such as a classifier or an autoencoder.

The winner is trained from scratch on everything except the test split, several times with different seeds. The model
is that of the first seed, whatever the others reach (for GANs, the best on the search split), and the test split is
used once, by these models.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np import backends
from genreg_np.data.dataset import Dataset
from genreg_np.data.shared import shared_note
from genreg_np.engines import create as create_engine
from genreg_np.engines.base import OK, Engine
from genreg_np.engines.processes import leave_if_still_importing
from genreg_np.errors import GenregError, RunError, UsageError
from genreg_np.infer import ModelError
from genreg_np.model import Model, load
from genreg_np.runs.held_folder import as_run_error, json_of
from genreg_np.runs.notes import now
from genreg_np.runs.provenance import fingerprint
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import FINAL, SearchFolder, trials_in
from genreg_np.search.kinds import kind_of, space_of
from genreg_np.search.kinds.base import Kind, Preparing
from genreg_np.search.lessons.base import Learned, Lesson, backend_for, learn, prepare
from genreg_np.search.metrics import Goal
from genreg_np.search.networks import NetworkSearch
from genreg_np.search.searching import Watcher
from genreg_np.search.sharing import Parts, check_images
from genreg_np.search.stored import numbers_in, with_select
from genreg_np.search.trials import Trial, leaders_of
from genreg_np.settings import usable_processors
from genreg_np.version import __version__


@dataclass(frozen=True)
class Found:
    """The result of a search for networks.

    Parameters
    ----------
    winner : Trial or None
        None if all trials failed: then the default network was trained.
    network : str
        In words.
    genome : mapping
    model : Model
    finals : sequence of mapping
        Measures on the test split for each training from scratch; those of the model come first.
    tried : sequence of Trial
        The trials that the winner is chosen from.
    ended : str
        Why breeding stopped: generations, budget, target, crashes.
    seconds : float
    folder : Path
    file : str
        The model's file name in the folder.
    why : str
        What is wrong with the training that was saved; "" if nothing is.
    judge : str
        The judge's digest; "" if there is none.
    floor : mapping
        Measures of real images by that judge, with which those of generated ones are compared.
    """

    winner: Trial | None
    network: str
    genome: Mapping[str, Any]
    model: Model
    finals: Sequence[Mapping[str, float]]
    tried: Sequence[Trial]
    ended: str
    seconds: float
    folder: Path
    file: str = "model.npz"
    why: str = ""
    judge: str = ""
    floor: Mapping[str, float] = field(default_factory=dict)

    @property
    def trials(self) -> int:
        """How many trials the winner is chosen from."""
        return len(self.tried)

    @property
    def path(self) -> Path:
        """The path of the model's file."""
        return self.folder / self.file

    @property
    def test(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of each measure over the seeds."""
        return {
            name: (float(np.mean(values)), float(np.std(values)))
            for name in (self.finals[0] if self.finals else ())
            if (values := [one[name] for one in self.finals])
        }


def search_images(
    dataset: Dataset,
    config: SearchConfig,
    folder: str | os.PathLike[str],
    *,
    budget: float | None = None,
    target: float | None = None,
    workers: int | None = None,
    engine: str = "processes",
    address: str = "",
    backend: str = "auto",
    watcher: Watcher | None = None,
    clock: Callable[[], float] = time.monotonic,
    started: float | None = None,
) -> Found:
    """Search for a network for images, of the kind that `config.kind` names.

    Parameters
    ----------
    dataset : Dataset
        Images with integer pixels.
    config : SearchConfig
    folder : path
        The folder of the search; if it holds a search of the same data and settings, that search continues.
    budget : float, optional
        Seconds in all; required if config has no generations.
    target : float, optional
        The value of the metric on the search split at which the search stops.
    workers : int, optional
        Processes; by default one for each core available to this process.
    engine : str
        Where individuals learn: processes, serial or ray.
    address : str
        The address of a Ray cluster whose machines can all read the folder.
    backend : str
        auto (as before in this folder, else the fastest on the CPU), numpy, numba or cupy.
    watcher : Watcher, optional
    clock : callable
        Returns seconds; must be monotonic.
    started : float, optional
        The clock's time from which the budget counts; by default that of the call.

    Returns
    -------
    Found

    Raises
    ------
    UsageError
        For data that are not images, limits that allow no individual, or a folder that holds another search.
    RunError
        If the folder cannot be written, or even the default network cannot be trained.
    """
    if engine != "serial":
        leave_if_still_importing()
    started = clock() if started is None else started
    watcher = watcher or Watcher()
    if budget is None and not config.generations:
        raise UsageError("a search needs generations or a budget: how long should it run?")
    check_images(dataset)
    kind = kind_of(config, dataset.input_shape, dataset.class_names)
    goal = Goal.of(config.metric, config.weights, dataset.class_names, kind.metrics)
    if target is not None:
        goal.metric.check_target(target)
    if not (Path(folder) / "config.toml").exists():  # a search of before this was checked goes on
        goal.check_signs()
    if not kind.beginnings() and (why := kind.misfit()):
        raise UsageError(f"{dataset.name}: no network of a search fits its images: {why}")
    for genome in kind.given():  # refuses an infeasible genome before anything is done
        for remark in kind.space.without_effect(config.genome, genome):
            watcher.on_remark(remark)
    deadline = math.inf if budget is None else started + budget
    kept = {"data": fingerprint(dataset), "space": space_of(config).digest}
    with SearchFolder.of_search(Path(folder), config, kept, {**(dataset.origin or {}), "version": __version__}) as own:
        if target is None and (found := _done_before(own, config, kind)) is not None:
            return found
        with own.discarded_if_empty():
            backend, is_as_before = _backend_of(own, backend, watcher.on_remark)
            if engine != "serial":  # once, before several workers need it
                backends.create(backend).warm_up(kind.works, watcher.on_compiling)
            is_alone = engine == "serial" or backend.startswith("cupy")
            if is_alone and (workers or 1) > 1:
                why = "--engine serial" if engine == "serial" else f"--backend {backend}"
                watcher.on_remark(f"one worker, not {workers}: {why} trains one individual after another")
            if engine == "serial" and config.max_seconds:
                watcher.on_remark("--max-seconds has no effect with --engine serial, which has no process to end")
            count = 1 if is_alone else workers or (0 if engine == "ray" else usable_processors())
            watcher.on_phase("preparing")
            with own.shared() as shared, create_engine(engine, learn, count, prepare, address) as running:
                workers = running.size
                running.check_seen(shared)
                images = len(dataset.train) + len(dataset.validation)
                folds = config.folds_for(images) if kind.is_validated_by_folds else 0
                cut = Parts.of(dataset, folds, kind.by_labels)
                if note := shared_note(cut.shared()):
                    watcher.on_remark(note)
                with as_run_error(shared):
                    parts = cut.share(shared, dataset.input_range)
                preparing = Preparing(
                    fingerprint(dataset), lambda: backend_for(backend, kind.works), watcher.on_phase, watcher.on_remark
                )
                notes = kind.prepared(parts, own, preparing) | ({"remark": note} if note else {})
                search = NetworkSearch(
                    config, dataset, parts, own, running, kind, workers=workers, backend=backend,
                    trusts_times=is_as_before, deadline=deadline, target=target, watcher=watcher, clock=clock,
                )  # fmt: skip
                watcher.on_phase("searching")
                search.run()
                watcher.on_phase("training")
                winner, genome, model, finals, why = _trained(search, running)
        own.ends()
        for name, one in {kind.file: model, **kind.pieces(model)}.items():
            own.save(name, one)
        network = kind.answering(genome)
        found = Found(
            winner, network, genome, model, finals, search.trials, search.ended, clock() - started,
            own.path, kind.file, why, notes.get("judge", ""), notes.get("floor", {}),
        )  # fmt: skip
        own.write("winner.toml", search.space.to_toml(genome).encode("utf-8"))
        own.write_json("search.json", _notes(found, search, workers, backend) | notes)
        own.clear_states()
        return found


def _backend_of(own: SearchFolder, asked: str, tell: Callable[[str], None]) -> tuple[str, bool]:
    """Return the backend of a search, and whether it is the one of the folder's trials so far; record it.

    A search that goes on keeps its backend unless another one is asked for, as results differ in the last digits.
    """
    config, origin = own.read_config()
    before = origin.get("backend")
    found = asked
    if asked == "auto" and isinstance(before, str):
        try:
            backends.create(before, 1 if before == "numba" else None)
            found = before
        except GenregError:
            pass
    if found in ("auto", "cpu"):
        found = backends.create("cpu", 1).name
    if before not in (None, found):
        why = "is not available here" if asked == "auto" else "was used so far"
        tell(f"backend {before} {why}; the search goes on with {found}, whose results may differ slightly")
    own.write_config(config, origin | {"backend": found})
    return found, before in (None, found)


def _done_before(own: SearchFolder, config: SearchConfig, kind: Kind) -> Found | None:
    """Return the result of the same search if it has already ended; None if there is none or it can go on."""
    notes = json_of(own.path / "search.json")
    if not config.generations or notes.get("ended") != "generations" or notes.get("generations") != config.generations:
        return None
    trials = with_select(trials_in(own.path / "trials.jsonl"), notes)
    trials = [trial for trial in trials if kind.space.holds(trial.genome)]
    child = notes.get("winner")
    winner = next((trial for trial in leaders_of(trials) if trial.child == child), None)
    genome = kind.fallback if winner is None else winner.genome
    try:
        model = load(own.path / kind.file)
        finals, seconds = notes["finals"], notes["seconds"]
    except (ModelError, KeyError):
        return None
    if genome is None or (winner is None) != (child is None):
        return None
    return Found(
        winner, kind.answering(genome), genome, model, finals, trials, "generations", seconds, own.path, kind.file,
        notes.get("why", ""), notes.get("judge", ""), numbers_in(notes, "floor"),
    )  # fmt: skip


def _trained(
    search: NetworkSearch, engine: Engine
) -> tuple[Trial | None, Mapping[str, Any], Model, list[Mapping[str, float]], str]:
    """Train the finalists from scratch until one does not diverge; if all trials failed, the given or default network.

    Raises
    ------
    RunError
        If no network could be trained.
    """
    candidates: list[tuple[Trial | None, Mapping[str, Any]]] = [(trial, trial.genome) for trial in search.finalists()]
    if not candidates and search.kind.fallback is not None:
        candidates = [(None, search.kind.fallback)]
    why = "every individual failed; trials.jsonl says why"
    for place, (winner, genome) in enumerate(candidates):
        try:
            return winner, genome, *_finals(search, engine, genome, winner)
        except RunError as error:
            why = str(error)
            if winner is not None and place + 1 < len(candidates):
                search.tell(f"individual {winner.child}: {why}; the next best of {len(candidates)} is trained instead")
    if not search.kind.is_first_saved and search.best is not None:  # better than no network
        search.tell(f"{why}: saved individual {search.best.child} as it was in the search")
        saved = load(search.folder.path / search.folder.name_so_far(search.kind.file))
        return search.best, search.best.genome, saved, [], ""
    path = search.folder.path / search.folder.name_so_far(search.kind.file)
    best = f"; the best so far is {path}" if search.best is not None and path.exists() else ""
    raise RunError(f"{search.folder.path}: {why}{best}")


def _finals(
    search: NetworkSearch, engine: Engine, genome: Mapping[str, Any], winner: Trial | None
) -> tuple[Model, list[Mapping[str, float]], str]:
    """Train a genome from scratch on all data, several times.

    Returns the model, all measures on the test split, and what is wrong with the model's training, if anything is.
    """
    kind = search.kind
    individual = kind.individual_of(genome)
    samples, seeds = search.finals(genome, winner)
    if winner is not None and (before := _trained_before(search, winner, samples)) is not None:
        return before
    search.remark_late(genome, winner, samples)
    judged = kind.judged_at_the_end(len(search.dataset.test))
    lessons: list[Lesson] = [
        search.lesson_of(genome, individual, (samples,), kind.retrained, judged, f"{FINAL}-{seed}")
        for seed in range(seeds)
    ]
    done: list[tuple[Lesson, Learned]] = []
    why = ""
    for number, outcome in enumerate(engine.map(lessons, search.final_limits(genome, winner, samples))):
        learned: Learned | None = outcome.value
        if outcome.status == OK and learned is not None and learned.status == OK:
            done.append((lessons[number], learned))
        else:
            fault = outcome.why or (learned.why if learned else "") or outcome.status
            why = why or fault
            if number or not kind.is_first_saved:
                search.tell(f"training {number + 1} of {seeds} of the winner failed, and is left out: {fault}")
            if number == 0 and kind.is_first_saved:
                break
    if not done:
        raise RunError(f"the best network could not be trained from scratch: {why}")
    best = kind.best_of([learned.measures for _, learned in done])
    done.insert(0, done.pop(best))
    finals = [learned.measures.get("test", {}) for _, learned in done]
    told: dict[str, Any] = {"genome": dict(search.space.expressed(genome)), "test": dict(finals[0])}
    if "accuracy" in finals[0]:
        told["accuracies"] = {"test": {"best": finals[0]["accuracy"]}}
    if winner:
        told |= {"trial": winner.number, "search": dict(winner.metrics), "select": dict(winner.select)}
    lesson, learned = done[0]
    told["state"] = Path(lesson.states[-1]).name
    model = search.model_of(lesson, learned.steps, told)
    if model is None:
        raise RunError(f"{search.folder.states}: the trained network is missing: is the disc full?")
    return model, finals, learned.why


def _trained_before(
    search: NetworkSearch, winner: Trial, samples: int
) -> tuple[Model, list[Mapping[str, float]], str] | None:
    """Return what `_finals` returned at an earlier end, if the winner is the same and learned from more samples then.

    So a short budget that goes on with a search never replaces a model by one of less training.
    """
    path = search.folder.path
    try:
        model, notes = load(path / search.kind.file), json_of(path / "search.json")
        finals: list[Mapping[str, float]] = [dict(one) for one in notes["finals"]]
    except (ModelError, KeyError, TypeError, ValueError):
        return None
    told, learned_from = model.training, model.training.get("samples", 0)
    is_same = told.get("trial") == winner.number and told.get("genome") == dict(search.space.expressed(winner.genome))
    if not finals or not is_same or not isinstance(learned_from, int) or learned_from <= samples:
        return None
    search.tell(
        f"individual {winner.child} won before, and learned from {learned_from:,} samples then: that model is kept, as "
        f"the time left is enough for {samples:,}"
    )
    return model, finals, str(notes.get("why", ""))


def _notes(found: Found, search: NetworkSearch, workers: int, backend: str) -> dict[str, Any]:
    """Return what search.json records of a search without determining it."""
    return {
        "ended": found.ended, "generations": search.config.generations,
        "when": now(), "seconds": round(found.seconds, 3), "trials": found.trials,
        "workers": workers, "backend": backend, "version": __version__, "network": found.network,
        "winner": None if found.winner is None else found.winner.child, "finals": [dict(one) for one in found.finals],
        "why": found.why, "refused": search.course.faults, "state": found.model.training.get("state", ""),
        "parameters": found.model.network.gene_count, "folds": search.folds,
        "select": {str(number): dict(measures) for number, measures in search.selected.items()},
    }  # fmt: skip
