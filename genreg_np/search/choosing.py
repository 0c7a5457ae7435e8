"""The search among pipelines for rows that are at hand: by folds, and once more among the best by others.

    search       by folds, the same for all (pipelines.py)
    judge again  the best five, unlike ones together, and what is usual, by folds that nobody was chosen by (ending.py)
    measure      the winner, once, by the rows that were held out, where there are any (ending.py)

Shapes: none; rows are told by their places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.engines import create as create_engine
from genreg_np.errors import DataError, UsageError
from genreg_np.runs.notes import now
from genreg_np.search.config import SearchConfig
from genreg_np.search.ending import End, Verdict
from genreg_np.search.folder import SearchFolder
from genreg_np.search.found_table import FoundTable
from genreg_np.search.kinds import space_of
from genreg_np.search.lessons.base import learn, prepare
from genreg_np.search.pipelines import RERUNS, PipelineSearch
from genreg_np.search.searching import Watcher
from genreg_np.search.selections.base import Bred
from genreg_np.search.tabular.folds import HELD, Fold, Places, folds_of, held_out
from genreg_np.search.tabular.lesson import Task, in_peace
from genreg_np.search.tabular.rows import Rows
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.space import FEATURES, models_of, plain
from genreg_np.search.tabular.together import expressed_of, toml_of, words_of
from genreg_np.search.trials import Trial
from genreg_np.version import __version__

FOLDS = 5
SEARCH_FOLDS, NEW_FOLDS = 1, 1_000_001  # what is added to the seed


@dataclass(frozen=True)
class Splits:
    """Which rows are learned from, and which are judged on.

    Parameters
    ----------
    search : sequence of Fold
        By which individuals are chosen.
    again : sequence of Fold
        By which the best of them are judged once more.
    last : Fold or None
        All rows but those held out, and these; None where no rows are held out.
    rounds : sequence of int
        How many of `again` are whole rounds of folds: after the first, the second, ...
    """

    search: Sequence[Fold]
    again: Sequence[Fold]
    last: Fold | None
    rounds: Sequence[int]

    @classmethod
    def of(cls, rows: Rows, count: int, seed: int, in_time: bool = False, holds_out: bool = True) -> Splits:
        """Return `count` folds, three times as many others, and a fifth of the rows that are in none.

        Raises
        ------
        DataError
            For fewer rows, or groups, than that takes.
        """
        last = held_out(rows, seed, in_time) if holds_out else None
        learned = np.arange(len(rows)) if last is None else last[0]
        inner = rows.of(learned)
        search, again = (
            [(learned[a], learned[b]) for a, b in folds_of(inner, count, seed + salt, in_time, repeats)]
            for salt, repeats in ((SEARCH_FOLDS, 0), (NEW_FOLDS, RERUNS))
        )
        sizes = [count + (one if in_time else 0) for one in range(1, RERUNS + 1)]
        return cls(search, again, last, np.cumsum(sizes).tolist())

    def check(self, rows: Rows, scoring: Scoring) -> None:
        """Refuse folds in which a class is missing that the metric needs.

        Raises
        ------
        DataError
            Naming the class.
        """
        if not scoring.by_all_classes:
            return
        for fold in (*self.search, *self.again, *([] if self.last is None else [self.last])):
            for some in fold:
                counts = np.bincount(rows.labels[some], minlength=len(rows.class_names))
                if not counts.all():
                    raise DataError(
                        f"{rows.name}: {scoring.name} needs each class on both sides of every fold, and class "
                        f"{rows.class_names[int(counts.argmin())]!r} is not in one of them: take fewer --folds, hold "
                        "rows apart otherwise, or choose another metric"
                    )


@dataclass(frozen=True)
class Chosen:
    """What a search came to.

    Parameters
    ----------
    search : PipelineSearch
        Which has ended.
    task : Task
    verdict : Verdict
    measured : mapping
        What measuring.py tells of the winner by the rows that were held out.
    """

    search: PipelineSearch
    task: Task
    verdict: Verdict
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def found(self, rows: Rows, held: int, file: str, seconds: float) -> FoundTable:
        """Return what is kept of it: how many rows were held out, which file is handed over, how long it took."""
        verdict, search = self.verdict, self.search
        scoring = Scoring(search.task.metric)
        return FoundTable(
            None if verdict.winner is None else verdict.winner.child, dict(expressed_of(search.space, verdict.genome)),
            words_of(search.space, verdict.genome), scoring.name, scoring.called(rows.class_names), verdict.judged,
            verdict.finalists, verdict.beside, len(rows), held, verdict.new_folds, len(search.course.trials),
            search.ended, round(seconds, 3), file, search.folder.path,
        )  # fmt: skip

    def record(self, folder: SearchFolder, found: FoundTable, rows: Rows, workers: int) -> None:
        """Write what the search came to: winner.toml and search.json."""
        folder.write("winner.toml", toml_of(self.search.space, self.verdict.genome).encode("utf-8"))
        folder.write_json("search.json", {
            "ended": found.ended, "generations": self.search.config.generations, "when": now(), "version": __version__,
            "workers": workers, "found": found.notes(), "winner": found.winner, "remarks": list(rows.notes),
            "measured": self.measured, "class_names": list(rows.class_names), "label": rows.label,
        })  # fmt: skip

    def fitted(self, rows: Places | None = None) -> Any:
        """Return the winner, fitted to some rows, or to all of them."""
        inputs, labels = self.task.shared.read()
        genome = self.verdict.genome
        estimator = self.task.estimator(genome, self.search.lesson_of(genome, ()).seed, last=True)
        some = slice(None) if rows is None else rows
        with in_peace():
            return estimator.fit(inputs[some], labels[some])


def choose(
    rows: Rows,
    config: SearchConfig,
    scoring: Scoring,
    splits: Splits,
    folder: SearchFolder,
    shared: Path,
    *,
    engine: str,
    workers: int,
    budget: float | None,
    deadline: float,
    watcher: Watcher,
    clock: Callable[[], float],
    target: float | None = None,
    address: str = "",
) -> Chosen:
    """Search.

    Parameters
    ----------
    rows : Rows
    config : SearchConfig
        Of kind table, with the metric's name and the rows' traits.
    scoring : Scoring
    splits : Splits
    folder : SearchFolder
    shared : Path
        A folder for what workers read, which lasts as long as the result is used.
    engine : str
        processes, serial or ray.
    address : str
        Of a Ray cluster, all machines of which see the folders.
    workers : int
        0 for as many as the cluster has processors.
    budget, deadline : float
        Seconds in all, and by the clock when they are over; None and inf without.
    watcher : Watcher
    clock : callable
        Seconds, which never go back.
    target : float, optional
        A score by cross-validation with which the search is done.

    Raises
    ------
    RunError
        If the folder cannot be written, or nothing can be fitted.
    """
    if config.augmentation == "evolved" and FEATURES not in space_of(config).blocks:
        raise UsageError(
            "two populations need something to do with columns, and networks take them as they are: add other models, "
            "or leave out two populations"
        )
    splits.check(rows, scoring)
    task = Task(rows.save(shared), rows.columns, rows.layout, rows.traits, rows.class_names, rows.label, scoring.name)

    def save(trial: Trial) -> None:
        folder.reopened()
        folder.write("winner.toml", search.space.to_toml(trial.genome).encode("utf-8"))

    with folder.discarded_if_empty(), create_engine(engine, learn, workers, prepare, address) as running:
        running.check_seen(shared)
        search = PipelineSearch(
            config, space_of(config), task, splits.search, folder, running, budget=budget, workers=running.size,
            first=_given(config), deadline=deadline, target=target, watcher=watcher, clock=clock,
            save=save,
        )  # fmt: skip
        watcher.on_phase("searching")
        search.run()
        watcher.on_phase("judging again")
        end = End(search, running, splits.again, splits.last, splits.rounds)
        left = math.inf if deadline == math.inf else deadline - clock()
        verdict = end.judge(left)
        return Chosen(search, task, verdict, end.measured(verdict.genome))


def check(rows: Rows, scoring: Scoring, folds: int, holds_out: bool = True) -> None:
    """Refuse rows that nothing can be learned from, or judged by.

    Raises
    ------
    DataError
        With what they lack.
    """
    if len(rows) < 2 * FOLDS:
        of = "1 sample or row is" if len(rows) == 1 else f"{len(rows)} rows are"
        raise DataError(f"{rows.name}: {of} too few: {2 * FOLDS} at least")
    if len(rows.class_names) == 1 or (not rows.class_names and rows.labels.std() == 0):
        of = f", of class {rows.class_names[0]!r}" if rows.class_names else ""
        raise DataError(f"{rows.name}: the label is the same in all rows{of}: nothing is to be predicted")
    if not scoring.by_all_classes:
        return
    counts = np.bincount(rows.labels, minlength=len(rows.class_names))
    needed = int(folds / (1 - HELD)) + 1 if holds_out else folds
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
