"""Base class of estimators that search for a pipeline: the search, and its results.

Shapes: N rows, I columns.
"""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from genreg_np.errors import DataError, RunError, UsageError
from genreg_np.estimators.checked import Checked, Classes, jobs_of, seconds_of
from genreg_np.estimators.parameters import OF_SEARCHES, in_parameters
from genreg_np.search.choosing import FOLDS, Chosen, Splits, check, choose
from genreg_np.search.config import MOST_FOLDS, SearchConfig
from genreg_np.search.folder import SearchFolder, read_search_config
from genreg_np.search.searching import Watcher
from genreg_np.search.stored import is_search
from genreg_np.search.tabular.rows import Rows
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.space import NETWORK
from genreg_np.search.tabular.together import expressed_of
from genreg_np.settings import names_of, whole_number
from genreg_np.version import __version__

SERIAL, PROCESSES = "serial", "processes"


def has_method(name: str) -> Any:
    """Return a check, for available_if, of whether the pipeline has a method."""

    def has(estimator: Any) -> bool:
        check_is_fitted(estimator)
        getattr(estimator.pipeline_, name)  # its AttributeError is more informative
        return True

    return has


class PipelineEstimator(Checked):
    """Base class of both."""

    _turned = False  # whether two classes have changed places in the search

    def __init__(
        self,
        *,
        metric: str | None = None,
        time_budget: float | None = 60.0,
        generations: int | None = None,
        models: Sequence[str] | str | None = None,
        folds: int = FOLDS,
        selection: str = "steady",
        population: int = 24,
        two_populations: bool = False,
        max_seconds: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        folder: Any = None,
    ) -> None:
        self.metric = metric
        self.time_budget = time_budget
        self.generations = generations
        self.models = models
        self.folds = folds
        self.selection = selection
        self.population = population
        self.two_populations = two_populations
        self.max_seconds = max_seconds
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.folder = folder

    def __sklearn_tags__(self) -> Any:
        """Return the estimator's tags."""
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.generations is None
        return tags

    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> Any:
        """Search, and fit the best pipeline to all rows.

        Parameters
        ----------
        X : (N, I) array of numbers, or DataFrame of numbers, words, dates and text
            Missing values are NaN, None or empty. A column of text is read as in a file: as numbers, yes and no, or
            dates of one format if all of its values are (so "00501" is 501), with a warning where that may be a
            mistake; a category is always words.
        y : (N,) array
        groups : (N,) array, optional
            Rows of the same group are never on both sides of a fold.

        Raises
        ------
        ValueError
            For unusable settings or data; the message says why.
        """
        with in_parameters(OF_SEARCHES):
            return self._fit(X, y, groups)

    def _fit(self, inputs: Any, labels: ArrayLike, groups: ArrayLike | None) -> Any:
        started = time.monotonic()
        budget, folds, workers = self._seconds(), whole_number(self.folds, "folds"), jobs_of(self.n_jobs)
        if not 2 <= folds <= MOST_FOLDS:
            raise UsageError(f"folds = {folds} must be at least 2 and at most {MOST_FOLDS}")
        if self.metric is not None and (not isinstance(self.metric, str) or not self.metric):
            raise UsageError(f"metric = {self.metric!r} must be the name of a scikit-learn scorer, such as 'f1_macro'")
        rows, classes = self._rows(inputs, labels, groups)
        rows, turned = self._turned_rows(rows, classes)
        scoring = Scoring.of(self.metric or "", self._of_classes, len(rows.class_names))
        check(rows, scoring, folds, holds_out=False)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "search" if self.folder is None else Path(os.fspath(self.folder))
            config = self._config(rows, scoring, folder)
            splits = Splits.of(rows, folds, config.seed, holds_out=False)
            splits.check(config, rows, scoring)
            kept, origin = {"data": rows.digest, "reading": {}}, {"version": __version__}
            shared = Path(place) / "shared"
            shared.mkdir()
            try:
                with SearchFolder.of_search(folder, config, kept, origin) as own:
                    chosen = choose(
                        rows, config, scoring, splits, own, shared, engine=SERIAL if workers == 1 else PROCESSES,
                        workers=workers, budget=budget, deadline=math.inf if budget is None else started + budget,
                        watcher=Watcher(), clock=time.monotonic,
                    )  # fmt: skip
                    chosen.record(own, chosen.found(rows, 0, "", time.monotonic() - started), rows, workers)
            except RunError as error:
                if self.folder is not None:
                    raise
                raise DataError(f"X, y: {str(error).removeprefix(f'{folder}: ')}") from None
            self._keep(chosen)
            self._keep_rows(rows, classes)
            self._turned = turned
        return self

    def _turned_rows(self, rows: Rows, classes: Classes | None) -> tuple[Rows, bool]:
        """Return the rows as the search takes them, and whether two classes have changed places."""
        return rows, False

    def predict(self, X: Any) -> NDArray[Any]:
        """Return a class or a number for each row of X, (N,)."""
        inputs = self._inputs(X)
        found: NDArray[Any] = np.asarray(self.pipeline_.predict(inputs))
        return found

    def score(self, X: Any, y: ArrayLike) -> float:
        """Return the search's metric for rows X and labels y (N,); higher is better."""
        inputs = self._inputs(X)
        labels = self._counted(column_or_1d(y))
        labels = np.array([1, 0, 2])[labels] if self._turned else labels
        return float(self._scoring.scorer(self.pipeline_, inputs, labels))

    def _config(self, rows: Rows, scoring: Scoring, folder: Path) -> SearchConfig:
        """Return the settings; without a random state, the seed is that of a search in the folder, if there is one."""
        models = "" if self.models is None else self.models
        models = models if isinstance(models, str) else ",".join(names_of(models, "models"))
        if self.models is not None and not models:
            raise UsageError(f"models = {self.models!r} names none: name some, or give None for all")
        seed = int(check_random_state(self.random_state).randint(1 << 31))
        if self.random_state is None and is_search(folder):
            seed = read_search_config(folder / "config.toml")[0].seed
        settings: dict[str, Any] = {
            "kind": "table", "metric": scoring.name, "population": self.population, "selection": self.selection,
            "models": models, "folds": self.folds, "traits": rows.traits.text, "seed": seed,
            "generations": self.generations or 0, "max_seconds": self.max_seconds or 0.0,
        }  # fmt: skip
        return SearchConfig.from_dict(settings | ({"augmentation": "evolved"} if self.two_populations else {}))

    def _seconds(self) -> float | None:
        """Return the budget, or None if generations are given."""
        if self.generations is not None:
            whole_number(self.generations, "generations", least=1)
            return None
        return seconds_of(self.time_budget, "time_budget", "give generations")

    def _keep(self, chosen: Chosen) -> None:
        """Fit the winner to all rows, and store its results."""
        search, verdict = chosen.search, chosen.verdict
        self.pipeline_ = chosen.fitted()
        self.model_ = self.pipeline_.model_ if verdict.genome["model"] == NETWORK else None
        self._scoring = Scoring(search.task.metric)
        self.genome_ = dict(expressed_of(search.space, verdict.genome))
        self.best_score_, self.best_score_error_ = verdict.judged.score, verdict.judged.error
        self.beside_ = {one.name: one.score for one in verdict.beside}
        self.new_folds_, self.ended_ = verdict.new_folds, search.ended
        self.trials_ = [dataclasses.asdict(trial) for trial in search.trials]
