"""`search_table`: from a table to a pipeline that was found for it, and an honest number of how good it is.

    hold out     a fifth of the rows, which nothing is chosen by
    search       by folds of the others, the same for all (pipelines.py)
    judge again  the best five, and what is usual, by folds that nobody was chosen by: who is the best there wins
    measure      the winner, once, by the rows that were held out

The best of many by the same folds looks better than it is; the number that is told beside the hold-out's is that of the
new folds. What is handed over is a script of scikit-learn, or a model where the winner is a network.
"""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import time as clocks
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.engines import create as create_engine
from genreg_np.errors import DataError, UsageError
from genreg_np.model import Model
from genreg_np.runs.held_folder import json_of
from genreg_np.runs.notes import now
from genreg_np.search.config import SearchConfig
from genreg_np.search.ending import End, Judged
from genreg_np.search.folder import SearchFolder
from genreg_np.search.genes import Genome
from genreg_np.search.kinds import space_of
from genreg_np.search.lessons.base import learn
from genreg_np.search.pipelines import RERUNS, PipelineSearch, words_of
from genreg_np.search.searching import Watcher
from genreg_np.search.selections.base import Bred
from genreg_np.search.tabular.folds import HELD, folds_of, held_out
from genreg_np.search.tabular.lesson import Task
from genreg_np.search.tabular.reading import Reading
from genreg_np.search.tabular.rows import Rows
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.script import script_of
from genreg_np.search.tabular.space import NETWORK, models_of, plain
from genreg_np.version import __version__

FOLDS = 5
SEARCH_FOLDS, NEW_FOLDS = 1, 1_000_001  # what is added to the seed


@dataclass(frozen=True)
class FoundTable:
    """What a search came to.

    Parameters
    ----------
    winner : int or None
        The individual; None of what is usual, where nothing was tried in time.
    genome : mapping
    words : str
    metric : str
    called : str
        The metric in words, with the class that it is of.
    judged : Judged
        The winner.
    beside : tuple of Judged
        What is usual, and no model at all.
    rows, held_rows : int
        Of the table, and of them those that were held out.
    new_folds : int
        That `judged.score` is the mean of; 0 where there was no time for any: then it is that of the search.
    trials : int
    ended : str
        generations, budget, target, crashes.
    seconds : float
    file : str
        pipeline.py, or model.npz of a network.
    folder : Path
    """

    winner: int | None
    genome: Genome
    words: str
    metric: str
    called: str
    judged: Judged
    beside: tuple[Judged, ...]
    rows: int
    held_rows: int
    new_folds: int
    trials: int
    ended: str
    seconds: float
    file: str
    folder: Path

    @property
    def path(self) -> Path:
        """The file that is handed over."""
        return self.folder / self.file

    @property
    def gap(self) -> float:
        """By how much the score of the new folds is above that of the hold-out."""
        return self.judged.score - self.judged.held

    def notes(self) -> dict[str, Any]:
        """Return it as plain values; a score that is not known is None."""
        found = {name: value for name, value in dataclasses.asdict(self).items() if name != "folder"}
        return found | {"judged": self.judged.plain(), "beside": [one.plain() for one in self.beside]}

    @classmethod
    def of(cls, notes: Mapping[str, Any], folder: Path) -> FoundTable:
        """Return what `notes` wrote.

        Raises
        ------
        KeyError, TypeError
            For anything else.
        """
        beside = tuple(Judged.of(one) for one in notes["beside"])
        own = {**notes, "judged": Judged.of(notes["judged"]), "beside": beside}
        return cls(**own, folder=folder)


def search_table(
    reading: Reading,
    config: SearchConfig,
    folder: str | os.PathLike[str],
    *,
    budget: float | None = None,
    target: float | None = None,
    workers: int | None = None,
    engine: str = "processes",
    watcher: Watcher | None = None,
    clock: Callable[[], float] = clocks.monotonic,
) -> FoundTable:
    """Search for a pipeline for a table.

    Parameters
    ----------
    reading : Reading
    config : SearchConfig
        Of kind table; its metric is the name of a scorer of scikit-learn, or "" for the usual one.
    folder : path
        The search's; one that has a search of the same table and settings goes on.
    budget : float, optional
        Seconds in all; needed where config has no generations.
    target : float, optional
        A score by cross-validation with which the search is done.
    workers : int, optional
        Processes; by default one for each core.
    engine : str
        processes or serial.
    watcher : Watcher, optional
    clock : callable
        Seconds, which never go back.

    Raises
    ------
    UsageError
        For settings that do not go with the table, or a folder with another search.
    DataError
        For a table that cannot be read, or has too few rows.
    RunError
        If the folder cannot be written, or nothing can be fitted.
    """
    started, watcher = clock(), watcher or Watcher()
    if budget is None and not config.generations:
        raise UsageError("a search needs generations or a budget: how long is it to go on?")
    watcher.on_phase("preparing")
    digest = reading.digest
    done = _done_before(Path(folder), digest, config, reading) if target is None else None
    if done is not None:
        return done
    rows, source = reading.read(config.seed)
    _check(rows)
    count = config.folds or FOLDS
    for note in rows.notes:
        watcher.on_remark(note)
    scoring = Scoring.of(config.metric, bool(rows.class_names), len(rows.class_names))
    if scoring.by_probabilities:
        _check_classes(rows, scoring, count)
    config = dataclasses.replace(config, metric=scoring.name, traits=rows.traits.text)
    in_time = reading.time is not None
    learned, held = held_out(rows, config.seed, in_time)
    inner = rows.of(learned)
    folds, new = (
        [(learned[a], learned[b]) for a, b in folds_of(inner, count, config.seed + salt, in_time, repeats)]
        for salt, repeats in ((SEARCH_FOLDS, 0), (NEW_FOLDS, RERUNS))
    )
    deadline = math.inf if budget is None else started + budget
    origin = {"source": os.path.abspath(reading.path), "version": __version__}
    kept = {"data": digest, "reading": reading.plain()}
    with SearchFolder.of_search(Path(folder), config, kept, origin) as own, tempfile.TemporaryDirectory() as shared:
        workers = workers or os.cpu_count() or 1
        task = Task(
            rows.save(Path(shared)), rows.columns, rows.layout, rows.traits, rows.class_names, rows.label, scoring.name
        )
        try:
            with create_engine(engine, learn, workers) as running:
                search = PipelineSearch(
                    config, space_of(config), task, folds, own, running, budget=budget, workers=workers,
                    first=_given(config), deadline=deadline, target=target, watcher=watcher, clock=clock,
                    save=lambda trial: own.write("winner.toml", search.space.to_toml(trial.genome).encode("utf-8")),
                )  # fmt: skip
                watcher.on_phase("searching")
                search.run()
                watcher.on_phase("judging again")
                end = End(search, running, new, (learned, held))
                genome, winner, judged, beside, repeats = end.judge(deadline - clock())
        except BaseException:
            own.discard_if_empty()
            raise
        called = scoring.called(rows.class_names)
        found = FoundTable(
            None if winner is None else winner.child, dict(search.space.expressed(genome)),
            words_of(search.space, genome), scoring.name, called, judged, beside, len(rows), len(held), repeats,
            len(search.course.trials), search.ended, round(clock() - started, 3),
            "model.npz" if genome["model"] == NETWORK else "pipeline.py", own.path,
        )  # fmt: skip
        own.write("winner.toml", search.space.to_toml(genome).encode("utf-8"))
        if genome["model"] == NETWORK:
            inputs, labels = task.shared.read()
            network = task.estimator(genome, search.lesson_of(genome, ()).seed, last=True)
            network.fit(inputs[learned], labels[learned])
            own.save("model.npz", _told(network.model_, found, rows, config.seed))
        else:
            script = script_of(genome, rows, source.beside(own.path), scoring, _said(found, rows, scoring))
            own.write("pipeline.py", script.encode("utf-8"))
        own.write_json("search.json", {
            "ended": found.ended, "generations": config.generations, "when": now(), "version": __version__,
            "workers": workers, "found": found.notes(), "winner": found.winner, "remarks": list(rows.notes),
        })  # fmt: skip
        return found


def _check(rows: Rows) -> None:
    """Refuse what nothing can be learned from.

    Raises
    ------
    DataError
        With what it lacks.
    """
    if len(rows) < 2 * FOLDS:
        raise DataError(f"{rows.name}: {len(rows)} rows are too few: {2 * FOLDS} at least")
    if len(rows.class_names) == 1 or (not rows.class_names and rows.labels.std() == 0):
        raise DataError(f"{rows.name}: the label is the same in all rows: nothing is to be predicted")


def _check_classes(rows: Rows, scoring: Scoring, folds: int) -> None:
    """Refuse classes of fewer rows than a metric of probabilities needs, which takes each class in every fold.

    Raises
    ------
    DataError
        Naming the rarest.
    """
    counts, needed = np.bincount(rows.labels, minlength=len(rows.class_names)), int(folds / (1 - HELD)) + 1
    rarest = int(counts.argmin())
    rows_of_it = int(counts[rarest])
    if rows_of_it < needed:
        raise DataError(
            f"{rows.name}: class {rows.class_names[rarest]!r} has {rows_of_it} row{'s' * (rows_of_it != 1)}, and "
            f"{scoring.name} needs each class in every fold, {needed} rows at least: leave its rows out, or choose "
            "another metric"
        )


def _given(config: SearchConfig) -> list[Bred]:
    """Return the genome that the configuration names, if it does."""
    if not config.genome:
        return []
    space = space_of(config)
    return [Bred(space.read_text(config.genome, plain(models_of(config.models)[0], space)), how="given")]


def _told(model: Model, found: FoundTable, rows: Rows, seed: int) -> Model:
    """Return a network's model that tells its score by the rows held out, and none by rows that it has learned from."""
    scores = {"accuracy": "accuracies", "r2": "r2"}.get(found.metric)
    known = {scores: {"test": {"best": found.judged.held}}} if scores and found.judged.held == found.judged.held else {}
    training = {"method": "search", "seed": seed, "genome": dict(found.genome), "config": {"dataset": rows.name}}
    return Model({**model.header, "training": training | known}, model.arrays)


def _said(found: FoundTable, rows: Rows, scoring: Scoring) -> list[str]:
    """Return what a script says of itself at its head."""
    judged, held = found.judged, found.held_rows
    lines = [
        f"Predicts {rows.label!r} of {rows.name}: {found.words}.",
        "",
        f"Found by genreg-np {__version__} among {found.trials:,} trials. Its {found.called}:",
        f"    {scoring.shown(judged.held)}  by {held:,} rows that were held out, and that nothing was chosen by",
    ]
    if found.new_folds:
        told = f"by {found.new_folds} folds of the others, on which it was compared with few"
        lines.append(f"    {scoring.shown(judged.score)}  {told} (standard error {judged.error:.4f})")
    return lines


def _done_before(path: Path, digest: str, config: SearchConfig, reading: Reading) -> FoundTable | None:
    """Return what the same search came to that has ended already; None where there is none, or it can go on."""
    notes = json_of(path / "search.json") if (path / "search.json").exists() else {}
    if not config.generations or notes.get("ended") != "generations" or notes.get("generations") != config.generations:
        return None
    with SearchFolder.open(path) as folder:
        before, theirs = folder.read_config()
    same = dataclasses.replace(config, metric=config.metric or before.metric, traits=before.traits) == before
    try:
        same = same and theirs.get("data") == digest and theirs.get("reading") == reading.plain()
        return FoundTable.of(notes["found"], path) if same else None
    except (KeyError, TypeError):
        return None
