"""The search for a pipeline for rows in memory: selection on folds, and a second judgement on new folds.

    search       on folds, the same for all individuals (pipelines.py)
    judge again  the best five, an ensemble of unlike models, the usual pipelines and their mean, on new folds
                 (ending.py)
    measure      the winner, once, on the held-out rows, if there are any (ending.py)

Shapes: none; rows are given by their indices.
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
SEARCH_FOLDS, NEW_FOLDS = 1, 1_000_001  # added to the seed


@dataclass(frozen=True)
class Splits:
    """The rows that pipelines are fitted to, and the rows that they are scored on.

    Parameters
    ----------
    search : sequence of Fold
        For selecting individuals.
    again : sequence of Fold
        For judging the best of them again.
    last : Fold or None
        All rows except the held-out ones, and the held-out rows; None if no rows are held out.
    rounds : sequence of int
        How many folds of `again` complete the first round, the second, ...
    """

    search: Sequence[Fold]
    again: Sequence[Fold]
    last: Fold | None
    rounds: Sequence[int]

    @classmethod
    def of(cls, rows: Rows, count: int, seed: int, in_time: bool = False, holds_out: bool = True) -> Splits:
        """Return `count` folds, three times as many new ones, and a fifth of the rows held out of all of them.

        Raises
        ------
        DataError
            If there are too few rows or groups for that.
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

    def check(self, config: SearchConfig, rows: Rows, scoring: Scoring) -> None:
        """Refuse settings that do not fit, and folds that lack a class that the metric needs.

        Raises
        ------
        UsageError
            For unknown models, a genome that is not one, or two populations of networks alone, which leave no choice
            of column preparation.
        DataError
            If a class is missing; the message names it.
        """
        blocks = space_of(config).blocks
        _given(config)
        if config.augmentation == "evolved" and FEATURES not in blocks:
            raise UsageError(
                "two populations need a choice of column preparation, which networks do not have: add other models, or "
                "use one population"
            )
        if not scoring.by_all_classes:
            return
        for fold in (*self.search, *self.again, *([] if self.last is None else [self.last])):
            for some in fold:
                counts = np.bincount(rows.labels[some], minlength=len(rows.class_names))
                if not counts.all():
                    raise DataError(
                        f"{rows.name}: {scoring.name} needs each class on both sides of every fold, and class "
                        f"{rows.class_names[int(counts.argmin())]!r} is missing from one: take fewer --folds, hold "
                        "out rows differently, or choose another metric"
                    )


@dataclass(frozen=True)
class Chosen:
    """The outcome of a search.

    Parameters
    ----------
    search : PipelineSearch
        The finished search.
    task : Task
    verdict : Verdict
    measured : mapping
        What measuring.py measured of the winner on the held-out rows.
    """

    search: PipelineSearch
    task: Task
    verdict: Verdict
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def found(self, rows: Rows, held: int, file: str, seconds: float) -> FoundTable:
        """Return the record to keep; `held` is the number of held-out rows, `file` the name of the result's file."""
        verdict, search = self.verdict, self.search
        scoring = Scoring(search.task.metric)
        return FoundTable(
            None if verdict.winner is None else verdict.winner.child, dict(expressed_of(search.space, verdict.genome)),
            words_of(search.space, verdict.genome), scoring.name, scoring.called(rows.class_names), verdict.judged,
            verdict.finalists, verdict.beside, len(rows), held, verdict.new_folds, len(search.trials),
            search.ended, round(seconds, 3), file, search.folder.path,
        )  # fmt: skip

    def record(self, folder: SearchFolder, found: FoundTable, rows: Rows, workers: int) -> None:
        """Write the outcome to winner.toml and search.json, in place of an earlier one."""
        folder.ends()
        folder.write("winner.toml", toml_of(self.search.space, self.verdict.genome).encode("utf-8"))
        folder.write_json("search.json", {
            "ended": found.ended, "generations": self.search.config.generations, "when": now(), "version": __version__,
            "workers": workers, "found": found.notes(), "winner": found.winner, "remarks": list(rows.notes),
            "measured": self.measured, "class_names": list(rows.class_names), "label": rows.label,
        })  # fmt: skip

    def fitted(self, rows: Places | None = None) -> Any:
        """Return the winner fitted to the given rows, or to all of them."""
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
    """Run the search, judge the best again, and measure the winner.

    Parameters
    ----------
    rows : Rows
    config : SearchConfig
        Its kind is table; it has the metric's name and the rows' traits.
    scoring : Scoring
    splits : Splits
    folder : SearchFolder
    shared : Path
        A folder for the data that workers read; it must exist as long as the result is used.
    engine : str
        processes, serial or ray.
    address : str
        The address of a Ray cluster whose machines can all read the folders.
    workers : int
        0 for one per processor of the cluster.
    budget, deadline : float
        Seconds in all, and the clock's time at which they are over; None and inf for no limit.
    watcher : Watcher
    clock : callable
        Returns seconds; must be monotonic.
    target : float, optional
        The cross-validation score at which the search stops.

    Raises
    ------
    RunError
        If the folder cannot be written, or no pipeline can be fitted.
    """
    task = Task(rows.save(shared), rows.columns, rows.layout, rows.traits, rows.class_names, rows.label, scoring.name)

    def save(trial: Trial) -> None:
        folder.write(folder.name_so_far("winner.toml"), search.space.to_toml(trial.genome).encode("utf-8"))

    with folder.discarded_if_empty(), create_engine(engine, learn, workers, prepare, address) as running:
        running.check_seen(shared)
        first = _given(config)
        search = PipelineSearch(
            config, space_of(config), task, splits.search, folder, running, budget=budget, workers=running.size,
            new_folds=len(splits.again), first=first, deadline=deadline, target=target, watcher=watcher,
            clock=clock, save=save,
        )  # fmt: skip
        for given in first:
            for remark in search.space.without_effect(config.genome, given.genome):
                watcher.on_remark(remark)
        watcher.on_phase("searching")
        search.run()
        if cut_off := search.cut_off:
            at_all = "" if search.best is not None else "; a usual model is fitted all the same, however long it takes"
            search.tell(
                f"could not be tried within {search.longest:.3g} s a trial: {', '.join(cut_off)} "
                f"(a longer budget or max-seconds gives more){at_all}"
            )
        watcher.on_phase("judging again")
        end = End(search, running, splits.again, splits.last, splits.rounds)
        left = math.inf if deadline == math.inf else deadline - clock()
        verdict = end.judge(left)
        is_hopeless = search.best is None and not verdict.new_folds and verdict.genome["model"] in cut_off
        measured = {} if is_hopeless else end.measured(verdict.genome)  # which has hardly more time than a trial
        return Chosen(search, task, verdict, measured)


def check(rows: Rows, scoring: Scoring, folds: int, holds_out: bool = True) -> None:
    """Refuse rows that no pipeline can be fitted to or scored on.

    Raises
    ------
    DataError
        If there are too few rows, only one label, or too few rows of a class.
    """
    if len(rows) < 2 * FOLDS:
        of = "1 sample or row is" if len(rows) == 1 else f"{len(rows)} rows are"
        raise DataError(f"{rows.name}: {of} too few: {2 * FOLDS} at least")
    if len(rows.class_names) == 1 or (not rows.class_names and rows.labels.std() == 0):
        of = f", of class {rows.class_names[0]!r}" if rows.class_names else ""
        raise DataError(f"{rows.name}: the label is the same in all rows{of}: there is nothing to predict")
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
    """Return the genome given in the configuration, if any."""
    if not config.genome:
        return []
    space = space_of(config)
    return [Bred(space.read_text(config.genome, plain(models_of(config.models)[0], space)), how="given")]
