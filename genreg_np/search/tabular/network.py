"""Networks of this project as pipelines: they take rows as they are, and become a model that runs anywhere.

A network fills in missing values and encodes words with its own layers, learned from the rows that it is trained on;
it does not use columns of text.

Shapes: N rows, I columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from genreg_np.data.columns import LEAST_OF_WORD, MOST_WORDS, SHARE_OF_WORD, WORDS
from genreg_np.data.dataset import Dataset
from genreg_np.data.split import Split
from genreg_np.errors import UsageError
from genreg_np.infer_table import inputs_of
from genreg_np.model import Model
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.training import train
from genreg_np.search.genes import Genome
from genreg_np.search.tabular.rows import TEXT, Column

VALIDATED = 0.15  # of the rows to fit to; they decide when training ends
LOOKS = 40  # how many times they are evaluated


def config_of(genome: Genome, seed: int, refit: bool) -> TrainConfig:
    """Return the settings of a genome's training; `refit`: train again with the validation rows included."""
    generations = round(genome["generations"])
    settings: dict[str, Any] = {
        "hidden": (genome["units"],), "generations": generations, "validate_every": max(1, generations // LOOKS),
        "keep": "refit" if refit else "best", "seed": seed,
    }  # fmt: skip
    if genome["strategy"] == "node-perturbation":
        return TrainConfig.from_preset("tables", weight_decay=genome["decay"], **settings)
    return TrainConfig.from_preset("evolution-strategy", batch_size=500, **settings)


def dataset_of(
    name: str,
    columns: Sequence[Column],
    inputs: NDArray[Any],
    labels: NDArray[Any],
    class_names: Sequence[str],
    label: str,
    learned: NDArray[np.integer],
    held: NDArray[np.integer],
    weights: NDArray[np.float64] | None = None,
) -> Dataset:
    """Return rows as a dataset with a validation split, and no test split: it is the validation split once more.

    Parameters
    ----------
    name : str
    columns : sequence of Column
        The I columns.
    inputs : (N, I) ndarray
        As in `Rows.inputs`.
    labels : (N,) ndarray
        For numbers also (N, K).
    class_names : sequence of str
        Empty if numbers are predicted.
    label : str
    learned, held : (n,) int
        Indices of the rows to learn from, and of the held-out rows.
    weights : (N,) float64, optional
        The weight of each row.
    """
    kept = [place for place, one in enumerate(columns) if one.kind != TEXT]
    if not kept:
        raise UsageError("networks do not use columns of text, and there are no others")
    found: list[NDArray[np.float64]] = []
    described: list[Mapping[str, Any]] = []
    for place in kept:
        one, values = columns[place], np.asarray(inputs[:, place], np.float64)
        if one.kind == WORDS:
            words, values = _usual(one.source["words"], values)
            described.append({**one.source, "words": words})
        elif not described or described[-1] is not one.source:
            described.append(one.source)
        found.append(values)
    rows = np.stack(found, axis=1).astype(np.float32)
    every = Split(rows, labels if class_names else np.asarray(labels, np.float64).reshape(len(rows), -1), weights)
    chosen_by = every.of(held)
    names = tuple(part for column in described for part in inputs_of(dict(column)))
    of_numbers = () if class_names else value_names(label, every.labels)
    return Dataset(
        name, every.of(learned), chosen_by, chosen_by, tuple(class_names), None, feature_names=names,
        columns=tuple(described), value_names=of_numbers, label=label if class_names else "",
        absent=absent(learned, held),
    )  # fmt: skip


def absent(learned: NDArray[np.integer], held: NDArray[np.integer]) -> tuple[str, ...]:
    """Return the splits of a dataset that there are no rows for: a test split, and a validation split of its own."""
    return ("validation", "test") if held is learned else ("test",)


def value_names(label: str, labels: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the numbers (N, K) to predict."""
    return (label,) if labels.shape[1] == 1 else tuple(f"{label}{place}" for place in range(labels.shape[1]))


def _usual(words: Sequence[str], values: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the words frequent enough in these rows for a place, and the places (N,), as the table reader does."""
    known = values[~np.isnan(values)].astype(int)
    counts = np.bincount(known, minlength=len(words))
    least = max(LEAST_OF_WORD, SHARE_OF_WORD * len(values))
    usual = sorted(np.flatnonzero(counts >= least).tolist(), key=lambda place: (-counts[place], words[place]))
    chosen = sorted(usual[:MOST_WORDS])
    to = np.full(len(words) + 1, float(len(chosen)))
    to[chosen] = np.arange(len(chosen))
    to[-1] = np.nan
    return [words[place] for place in chosen], to[np.where(np.isnan(values), len(words), values).astype(int)]


def rows_for(
    described: Sequence[Mapping[str, Any]], columns: Sequence[Column], inputs: NDArray[Any]
) -> NDArray[np.float32]:
    """Return rows (N, I) as a model with such columns takes them, with the places of the words that it knows."""
    kept = [place for place, one in enumerate(columns) if one.kind != TEXT]
    rows = np.asarray(inputs if len(kept) == len(columns) else inputs[:, kept], np.float32)
    words = {column["name"]: column["words"] for column in described if column["kind"] == WORDS}
    if words:
        rows = rows.copy()
    for own, place in enumerate(kept):
        one = columns[place]
        if one.kind != WORDS:
            continue
        known = {word: number for number, word in enumerate(words[one.name])}
        places = [known.get(word, len(known)) for word in one.source["words"]]
        to = np.array([*places, len(known), np.nan])  # unknown words and missing values come last
        values = np.asarray(inputs[:, place], np.float64)
        rows[:, own] = to[np.where(np.isnan(values), len(to) - 1, values).astype(int)]
    return rows


class _Network(BaseEstimator):  # type: ignore[misc]
    """The base of classifiers and regressors.

    Parameters
    ----------
    genome : mapping
    columns : sequence of Column
    class_names : sequence of str
    label : str
    seed : int
    refit : bool
        Whether to train again at the end with the validation rows included, which takes twice as long.
    """

    def __init__(
        self, genome: Any, columns: Any, class_names: Any = (), label: str = "label", seed: int = 0, refit: bool = False
    ) -> None:
        self.genome, self.columns, self.class_names, self.label = genome, columns, class_names, label
        self.seed, self.refit = seed, refit

    def fit(self, inputs: NDArray[Any], labels: NDArray[Any]) -> Any:
        """Train on rows (N, I) and labels (N,)."""
        order = np.random.default_rng([self.seed, len(labels)]).permutation(len(labels))
        held = max(1, round(VALIDATED * len(labels)))
        what = self.columns, inputs, labels, self.class_names, self.label
        data = dataset_of("table", *what, order[held:], order[:held])
        result = train(config_of(self.genome, self.seed, self.refit), data, threads=1)
        assert result.model is not None
        self.model_: Model = result.model
        self.described_ = data.columns
        return self

    def _rows(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        return rows_for(self.described_, self.columns, inputs)


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A network that classifies into classes 0 .. K-1."""

    def fit(self, inputs: NDArray[Any], labels: NDArray[Any]) -> Any:
        """Train on rows (N, I) and classes (N,)."""
        self.classes_ = np.arange(len(self.class_names))
        return super().fit(inputs, labels)

    def predict_proba(self, inputs: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities (N, K)."""
        return np.asarray(self.model_.predict_proba(self._rows(inputs)), np.float64)

    def predict(self, inputs: NDArray[Any]) -> NDArray[np.int64]:
        """Return classes (N,)."""
        return np.asarray(self.model_.predict(self._rows(inputs)), np.int64)


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A network that predicts a number."""

    def predict(self, inputs: NDArray[Any]) -> NDArray[np.float64]:
        """Return numbers (N,)."""
        return np.asarray(self.model_.predict(self._rows(inputs)), np.float64).ravel()
