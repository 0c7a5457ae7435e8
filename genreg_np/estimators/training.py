"""Base class of estimators that train a network: data, configuration, training, and its results.

Shapes: N samples, I columns, K classes or numbers.
"""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.data.checked import input_range_of, inputs_of_array
from genreg_np.data.columns import NUMBERS, blurred_note
from genreg_np.data.dataset import Dataset
from genreg_np.data.held_out import split_indices
from genreg_np.data.split import Split
from genreg_np.data.table_labels import told_of_rare
from genreg_np.errors import DataError, UsageError
from genreg_np.estimators.by_metric import MUTANTS, evolved
from genreg_np.estimators.checked import Checked, Classes, check_known, check_range, jobs_of, seconds_of
from genreg_np.estimators.judging import Fitness, judge_of
from genreg_np.estimators.parameters import OF_TRAINING, check_flags, checked_settings, in_parameters
from genreg_np.estimators.pixels import as_in_fit, as_pixels
from genreg_np.model import Model
from genreg_np.runs.config import TrainConfig, default_preset, read_preset
from genreg_np.runs.generations import Record
from genreg_np.runs.result import Watcher
from genreg_np.runs.training import train
from genreg_np.search.tabular.network import absent, dataset_of, rows_for, value_names
from genreg_np.search.tabular.rows import TEXT, Rows
from genreg_np.settings import whole_number, whole_numbers
from genreg_np.strategies import strategy_class
from genreg_np.streams import Stream

NAME, LABEL = "X", "y"  # their names in messages and models
LEAST = 2  # samples
USUAL = "node-perturbation"  # the strategy of the default presets
LEARNING_SHARE = 0.5  # of a budget, if evolution on a metric follows
TILE_VALUES = 1 << 16  # approximate number of inputs predicted at a time


@dataclass(frozen=True)
class Read:
    """The data to train on.

    Parameters
    ----------
    data : Dataset
    classes : (K,) ndarray or None
    holds : bool
        Whether a part is held out for validation.
    rows : Rows or None
        The rows of a table.
    """

    data: Dataset
    classes: Classes | None
    holds: bool
    rows: Rows | None = None


class NetworkEstimator(Checked):
    """Base class of both."""

    def __init__(
        self,
        preset: str | None = None,
        *,
        strategy: str | None = None,
        fitness: Fitness | None = None,
        hidden_layer_sizes: Sequence[int] | int | None = None,
        max_iter: int | None = None,
        fitness_iter: int = 200,
        time_budget: float | None = None,
        settings: Mapping[str, Any] | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.15,
        warm_start: bool = False,
        backend: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
        run_folder: Any = None,
    ) -> None:
        self.preset = preset
        self.strategy = strategy
        self.fitness = fitness
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.fitness_iter = fitness_iter
        self.time_budget = time_budget
        self.settings = settings
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.backend = backend
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.run_folder = run_folder

    def fit(self, X: Any, y: ArrayLike) -> Any:
        """Train a network.

        Parameters
        ----------
        X : (N, I) array of numbers, or DataFrame of numbers, words and dates; or images (N, H, W) or (N, C, H, W)
            Missing values are NaN, None or empty, and in columns of text also words for it, such as NA or "None", as in
            a file. A column of text is read as in a file, too: as numbers, yes and no, or dates of one format if all of
            its values are (so "00501" is 501), with a warning where that may be a mistake; a category is always words.
            Images of whole numbers beyond 0 .. 1 are raw pixels, of whatever type; at prediction, pixels beyond
            those of fit count as the nearest.
        y : (N,) array
            Classes, or numbers; also several numbers for each sample, (N, K).

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For unusable settings or data; the message says why.
        """
        started = time.perf_counter()
        check_flags(self, "early_stopping", "warm_start", "verbose")
        budget = None
        if self.time_budget is not None:
            budget = seconds_of(self.time_budget, "time_budget", "None for as long as max_iter takes")
        if self.run_folder is not None and (Path(self.run_folder) / "config.toml").exists():
            raise UsageError(f"run_folder = {str(self.run_folder)!r} already holds a run: name a new one for each fit")
        seed = int(check_random_state(self.random_state).randint(1 << 31))
        goes_on, before = self.warm_start and hasattr(self, "model_"), {**vars(self)}
        images = _is_of_images(X)
        read = (self._images if images else self._table)(X, y, seed, self.early_stopping and not goes_on)
        if goes_on:
            self._check_alike(before, read)
        config = self._config(seed, images, read.holds)
        by_metric = None if self.fitness is None else self._by_metric(config, read)
        records, earned = list[Record](), list[Record]()
        if goes_on and by_metric is not None:
            model = self.model_
        else:
            with in_parameters(OF_TRAINING):
                result = train(
                    config, read.data, self.run_folder, backend=self.backend, threads=self._threads,
                    budget_seconds=budget if budget is None or by_metric is None else LEARNING_SHARE * budget,
                    initial=self.model_ if goes_on else None, watcher=Watcher(on_record=self._telling(records)),
                )  # fmt: skip
            assert result.model is not None
            model = result.model
        if by_metric is not None:
            assert self.fitness is not None
            left = None if budget is None else budget - (time.perf_counter() - started)
            data = read.data
            whole = dataclasses.replace(data, train=data.train.with_(data.validation)) if read.holds else data
            how = self.backend, self._threads, left
            model = evolved(model, whole, self.fitness, by_metric, *how, self._telling(earned), read.classes)
        self._keep(model, read, records, earned)
        return self

    @property
    def _threads(self) -> int | None:
        """The number of threads for `n_jobs`; None on a GPU."""
        jobs = jobs_of(self.n_jobs)
        return None if self.backend == "cupy" else jobs

    def _check_alike(self, before: Mapping[str, Any], read: Read) -> None:
        """Refuse to continue with classes or columns other than the model's; the estimator is left unchanged."""
        named = ("n_features_in_", "feature_names_in_")
        same = all(np.array_equal(before.get(name, ()), getattr(self, name, ())) for name in named)
        same = same and (read.classes is None or np.array_equal(read.classes, before["classes_"]))
        same = same and read.data.input_shape == self.model_.input_shape
        others = [
            theirs["name"] for theirs, own in zip(read.data.columns, self._described, strict=False) if theirs != own
        ]
        if same and not others:
            return
        for name in named:
            if name in before:
                setattr(self, name, before[name])
            elif hasattr(self, name):
                delattr(self, name)
        if not same:
            raise UsageError("warm_start needs the same classes and columns as the previous fit")
        raise UsageError(
            f"warm_start: column {others[0]!r} has other words or dates than in the previous fit, and a network can go "
            "on with the same only: set warm_start=False"
        )

    def _by_metric(self, config: TrainConfig, read: Read) -> TrainConfig:
        """Return the configuration of the evolution on a metric; raises ValueError for an unusable metric."""
        assert self.fitness is not None
        data, labels = read.data, read.data.train.labels
        judge = judge_of(self.fitness, labels, self._of_classes, data.outputs, read.classes, strict=True)
        usual = np.zeros(data.outputs) if self._of_classes else labels.mean(axis=0)
        judge(np.tile(usual.astype(np.float32), (1, len(labels), 1)))  # errors of the metric should appear early
        layers: dict[str, Any] = {"hidden": config.hidden, "activation": config.activation}
        if config.network:
            layers = {"network": config.network}
        generations = whole_number(self.fitness_iter, "fitness_iter", least=1)
        how = {**MUTANTS, **layers, "generations": generations, "seed": config.seed}
        return TrainConfig.from_dict({"strategy": "evolution-strategy", **how}, "fitness_iter")

    def _table(self, inputs: Any, labels: ArrayLike, seed: int, holds: bool) -> Read:
        """Return rows as data to train on; raises ValueError for invalid ones."""
        rows, classes = self._rows(inputs, labels)
        if texts := [one.name for one in rows.columns if one.kind == TEXT]:
            raise DataError(
                f"X, column {texts[0]!r}: is text, which a network cannot take: leave it out, or use "
                "PipelineSearchClassifier or PipelineSearchRegressor, which count its words"
            )
        check_range(rows.columns, rows.values)
        self._warn_of_rare(classes, rows.labels)
        for place, column in enumerate(rows.columns):
            values = rows.values[:, place]
            if column.kind == NUMBERS and not np.isnan(values).all() and (note := blurred_note(column.name, values)):
                warnings.warn(f"X, column {note}", RuntimeWarning, stacklevel=3)
        learned, held = self._apart(rows.labels, seed, holds)
        what = rows.columns, rows.inputs, rows.labels, rows.class_names, LABEL
        data = dataset_of(NAME, *what, learned, held, self._weights(classes, rows.labels))
        return Read(data, classes, held is not learned, rows)

    def _images(self, inputs: Any, labels: ArrayLike, seed: int, holds: bool) -> Read:
        """Return images as data to train on; raises ValueError for invalid ones."""
        check_known(labels, "y")
        inputs, targets = validate_data(
            self, inputs, labels, dtype=None, allow_nd=True, multi_output=not self._of_classes
        )  # fmt: skip
        classes, values = self._encoded(self._targets(targets))
        self._warn_of_rare(classes, values)
        learned, held = self._apart(values, seed, holds)
        inputs = as_pixels(inputs)
        found = inputs_of_array(NAME, inputs)
        columns = values if classes is not None else values.reshape(len(values), -1)
        every = Split(found, columns, self._weights(classes, values))
        chosen_by = every.of(held)
        names = () if classes is None else tuple(map(str, classes))
        data = Dataset(
            NAME, every.of(learned), chosen_by, chosen_by, names, input_range_of(NAME, inputs),
            value_names=() if names else value_names(LABEL, columns), absent=absent(learned, held),
        )  # fmt: skip
        return Read(data, classes, held is not learned)

    def _apart(self, labels: NDArray[Any], seed: int, holds: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the samples to learn from, and those to hold out: a share of each class, at least one."""
        share = self.validation_fraction
        if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 < share < 1:
            raise UsageError(f"validation_fraction = {share!r} must be a number between 0 and 1")
        every = np.arange(len(labels))
        if len(every) < LEAST:
            raise DataError(f"X: {len(every)} sample is too few to learn from: at least {LEAST} are needed")
        if self._of_classes and (labels == labels[0]).all():
            raise DataError("y: has 1 class; at least two are needed")
        if not holds:
            return every, every
        by = labels if self._of_classes else np.zeros(len(labels), np.int64)
        learned, held = split_indices(by, 1, 100 * float(share), Stream(seed))
        return (learned, held) if len(held) else (every, every)

    @staticmethod
    def _warn_of_rare(classes: Classes | None, labels: NDArray[Any]) -> None:
        """Warn of classes with hardly any samples, once there are at least two classes."""
        if (
            classes is not None
            and len(classes) > 1
            and (note := told_of_rare([*map(str, classes)], np.bincount(labels)))
        ):
            warnings.warn(f"y: {note}", RuntimeWarning, stacklevel=4)  # where fit was called

    def _weights(self, classes: Classes | None, labels: NDArray[Any]) -> NDArray[np.float64] | None:
        """Return the weight of each sample, (N,), or None if all classes have the same weight."""
        return None

    def _config(self, seed: int, images: bool, holds: bool) -> TrainConfig:
        """Return the configuration of a training."""
        if self.strategy is not None:
            strategy_class(self.strategy)  # refuses unknown ones
        named = None if self.strategy == USUAL else self.strategy  # for the usual strategy the data choose the preset
        preset = self.preset or default_preset("", named, tables=not images)
        whose = read_preset(preset).get("strategy", self.strategy)
        if self.preset is not None and self.strategy not in (None, whose):
            raise UsageError(
                f"preset {preset} is for strategy {whose}, not {self.strategy}: give one of them, or choose single "
                "settings with settings={...}"
            )
        given = checked_settings(self.settings)
        if self.strategy is not None:
            given["strategy"] = self.strategy
        if self.hidden_layer_sizes is not None:
            if read_preset(preset).get("network"):
                raise UsageError(
                    f"hidden_layer_sizes: preset {preset} has layers of its own: leave it out, or describe layers with "
                    "settings={'network': ...}"
                )
            sizes = self.hidden_layer_sizes
            listed = tuple(sizes) if isinstance(sizes, Sequence | np.ndarray) else (sizes,)
            given["hidden"] = whole_numbers(listed, "hidden_layer_sizes", least=1)
        if self.max_iter is not None:
            given["generations"] = whole_number(self.max_iter, "max_iter", least=1)
        return TrainConfig.from_preset(preset, **{"keep": "refit" if holds else "last", "seed": seed} | given)

    def _telling(self, records: list[Record]) -> Any:
        """Return a callback that collects the records of generations, and prints them if verbose."""

        def told(record: Record) -> None:
            records.append(record)
            score = record.get("validation_accuracy", record.get("validation_score"))
            what = "fitness" if "fitness_mean" in record else "validation"
            value = record.get("fitness_mean", score)
            if self.verbose and value is not None:
                _aloud(f"generation {record['generation']:,}: {what} {value:.4f}")

        return told

    def _keep(self, model: Model, read: Read, records: Sequence[Record], earned: Sequence[Record]) -> None:
        """Store the model, how samples are read, and the curves of its training."""
        if read.rows is not None:
            self._keep_rows(read.rows, read.classes)
        else:
            self._columns = ()
            if read.classes is not None:
                self.classes_ = read.classes
        self.model_: Model = model
        self._described = read.data.columns
        self.n_iter_ = len(records) + len(earned)
        means = (record["fitness_mean"] for record in earned)
        self.fitness_curve_ = [math.inf if mean is None else mean for mean in means]  # None: all are perfect
        self.loss_curve_ = [record["loss"] if "loss" in record else -record["mean_trust"] for record in records]
        scores = (record.get("validation_accuracy", record.get("validation_score")) for record in records)
        self.validation_scores_ = [score for score in scores if score is not None and read.holds]

    def _answers(self, inputs: Any) -> NDArray[np.float64]:
        """Return the network's outputs, (N, K): logits, or numbers; a sample's do not depend on the others.

        Matrix products round differently for another number of rows, so it is always the same.
        """
        seen = self._seen(inputs)
        tile = 1 << max(4, min(11, (TILE_VALUES // seen[0].size).bit_length() - 1))
        count = len(seen)
        whole = count - count % tile
        last = np.concatenate([seen[whole:], np.repeat(seen[-1:], -count % tile, axis=0)])
        tiles = [*(seen[first : first + tile] for first in range(0, whole, tile)), *([last] if len(last) else [])]
        with single_threaded_blas():  # products are small
            answers = np.concatenate([self.model_.outputs(own) for own in tiles])[:count].astype(np.float64)
        if not np.isfinite(answers).all():
            raise DataError("X: has values so far from those of fit that the outputs are not finite")
        return answers

    def _seen(self, inputs: Any) -> NDArray[Any]:
        """Return samples as the model takes them, (N, *input_shape)."""
        check_is_fitted(self)
        if self._columns:
            read = self._inputs(inputs)
            check_range(self._columns, read)
            return rows_for(self._described, self._columns, read)
        found = check_array(inputs, dtype=None, allow_nd=True)
        if found.shape[1:] != self.model_.input_shape:
            raise DataError(
                f"X has images of {found.shape[1:]}, but {type(self).__name__} was fitted to {self.model_.input_shape}"
            )
        return inputs_of_array(NAME, as_in_fit(found, self.model_.input_range))


def _aloud(line: str) -> None:
    """Print a line, for a verbose estimator; everything else in the library is silent."""
    print(line, flush=True)


def _is_of_images(inputs: Any) -> bool:
    return getattr(inputs, "ndim", 2) in (3, 4) or (isinstance(inputs, list | tuple) and np.ndim(inputs) in (3, 4))
