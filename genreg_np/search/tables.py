"""`search_table`: search for a pipeline for a table, and estimate honestly how good it is.

A fifth of the rows is held out before anything else is done. A pipeline is chosen on the others (choosing.py), and
measured once on the held-out rows.

The best of many on the same folds looks better than it is, so the score that is reported beside the held-out one comes
from new folds. The result is a scikit-learn script, or a model if the winner is a network.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time as clocks
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.held_out import packed
from genreg_np.data.layout import Layout
from genreg_np.engines.processes import leave_if_still_importing
from genreg_np.errors import UsageError
from genreg_np.model import Model
from genreg_np.runs.held_folder import json_of
from genreg_np.search.choosing import FOLDS, Splits, check, choose
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import SearchFolder
from genreg_np.search.found_table import FoundTable
from genreg_np.search.searching import Watcher
from genreg_np.search.tabular.reading import Reading
from genreg_np.search.tabular.rows import Rows
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.script import script_of
from genreg_np.search.tabular.script_reading import Source
from genreg_np.search.tabular.space import NETWORK
from genreg_np.settings import usable_processors
from genreg_np.version import __version__


def search_table(
    reading: Reading,
    config: SearchConfig,
    folder: str | os.PathLike[str],
    *,
    budget: float | None = None,
    target: float | None = None,
    workers: int | None = None,
    engine: str = "processes",
    address: str = "",
    watcher: Watcher | None = None,
    clock: Callable[[], float] = clocks.monotonic,
    started: float | None = None,
) -> FoundTable:
    """Search for a pipeline for a table.

    Parameters
    ----------
    reading : Reading
    config : SearchConfig
        Its kind is table; its metric is the name of a scikit-learn scorer, or "" for the usual one.
    folder : path
        The folder of the search; if it holds a search of the same table and settings, that search continues.
    budget : float, optional
        Seconds in all; required if config has no generations.
    target : float, optional
        The cross-validation score at which the search stops.
    workers : int, optional
        Processes; by default one per core.
    engine : str
        processes, serial or ray.
    address : str
        The address of a Ray cluster whose machines can all read the folder.
    watcher : Watcher, optional
    clock : callable
        Returns seconds; must be monotonic.
    started : float, optional
        The clock's time from which the budget counts; by default that of the call.

    Raises
    ------
    UsageError
        For settings that do not fit the table, or a folder that holds another search.
    DataError
        For a table that cannot be read, or has too few rows.
    RunError
        If the folder cannot be written, or no pipeline can be fitted.
    """
    if engine != "serial":
        leave_if_still_importing()
    started, watcher = clock() if started is None else started, watcher or Watcher()
    if budget is None and not config.generations:
        raise UsageError("a search needs generations or a budget: how long should it run?")
    if config.kind != "table":
        raise UsageError(f"kind = {config.kind!r} is for images, with search_images: a table needs kind = 'table'")
    watcher.on_phase("preparing")
    digest = reading.digest
    done = _done_before(Path(folder), digest, config, reading) if target is None else None
    if done is not None:
        return done
    rows, source = reading.read(config.seed)
    for note in rows.notes:
        watcher.on_remark(note)
    scoring, count = Scoring.of(config.metric, bool(rows.class_names), len(rows.class_names)), config.folds or FOLDS
    check(rows, scoring, count)
    config = dataclasses.replace(config, metric=scoring.name, traits=rows.traits.text)
    if target is not None:
        scoring.check_target(target)
    splits = Splits.of(rows, count, config.seed, reading.time is not None)
    splits.check(config, rows, scoring)
    assert splits.last is not None
    learned, held = splits.last
    deadline = math.inf if budget is None else started + budget
    origin = {"source": os.path.abspath(reading.path), "version": __version__}
    kept = {"data": digest, "reading": reading.plain()}
    with SearchFolder.of_search(Path(folder), config, kept, origin) as own, own.shared() as shared:
        workers = 1 if engine == "serial" else workers or (0 if engine == "ray" else usable_processors())
        chosen = choose(
            rows, config, scoring, splits, own, shared, engine=engine, address=address, workers=workers, budget=budget,
            deadline=deadline, target=target, watcher=watcher, clock=clock,
        )  # fmt: skip
        is_network = chosen.verdict.genome["model"] == NETWORK
        found = chosen.found(rows, len(held), "model.npz" if is_network else "pipeline.py", clock() - started)
        if is_network:
            model = _told(chosen.fitted(learned).model_, found, rows, source, config.seed, digest, held)
            found = dataclasses.replace(found, seconds=round(clock() - started, 3))
            own.ends("pipeline.py")
            own.save("model.npz", model)
        else:
            said = _said(found, rows, scoring)
            script = script_of(chosen.verdict.genome, rows, source.beside(own.path), scoring, said)
            own.ends("model.npz")
            own.write("pipeline.py", script.encode("utf-8"))
        chosen.record(own, found, rows, workers)
        return found


def _told(
    model: Model, found: FoundTable, rows: Rows, source: Source, seed: int, digest: str, held: NDArray[np.integer]
) -> Model:
    """Return a network's model with its table, the held-out rows in the order of its lines, and its score on these."""
    scores = {"accuracy": "accuracies", "r2": "r2"}.get(found.metric)
    known = {scores: {"test": {"best": found.judged.held}}} if scores and found.judged.held == found.judged.held else {}
    places = np.argsort(np.argsort(rows.lines))[held]
    training = {
        "method": "search", "seed": seed, "genome": dict(found.genome), "config": {"dataset": Path(source.path).name},
        "sha256": digest, "held_out": packed(places, len(rows)),
    }  # fmt: skip
    header = {**model.header, "training": training | known}
    if not source.header.is_there:
        header["table"] = Layout.of(len(source.names), _names(model), [rows.label]).header()
    return Model(header, model.arrays)


def _names(model: Model) -> list[str]:
    """Return the names of the columns of a network's table."""
    return [column["name"] for column in model.header.get("columns") or ()]


def _said(found: FoundTable, rows: Rows, scoring: Scoring) -> list[str]:
    """Return the header of the generated script."""
    judged, held = found.judged, found.held_rows
    lines = [
        f"Predicts {rows.label!r} of {rows.name}: {found.words}.",
        "",
        f"Found by genreg-np {__version__} among {found.trials:,} trials. Its {found.called}:",
        f"    {scoring.shown(judged.held)}  on {held:,} held-out rows that nothing was chosen by",
    ]
    if found.new_folds:
        told = f"on {found.new_folds} folds of the others, on which only the finalists were compared"
        lines.append(f"    {scoring.shown(judged.score)}  {told} (standard error {judged.error:.4f})")
    return lines


def _done_before(path: Path, digest: str, config: SearchConfig, reading: Reading) -> FoundTable | None:
    """Return the result of the same search if it has already ended; None if there is none or it can go on."""
    notes = json_of(path / "search.json") if (path / "search.json").exists() else {}
    if not config.generations or notes.get("ended") != "generations" or notes.get("generations") != config.generations:
        return None
    with SearchFolder.open(path) as folder:
        before, theirs = folder.read_config()
    same = dataclasses.replace(config, metric=config.metric or before.metric, traits=before.traits) == before
    try:
        same = same and theirs.get("data") == digest and theirs.get("reading") == reading.plain()
        return FoundTable.of(notes["found"], path) if same else None
    except (KeyError, TypeError, ValueError):
        return None
