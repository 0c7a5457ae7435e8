"""The subject of a page: a model, the data it is shown with, and what is known about its run.

Sections use the parts they need; expensive ones are computed once, on first use.

Shapes: N images or rows that are shown, K classes, H values of a hidden layer, D genes.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.split import SPLITS
from genreg_np.infer import BEYOND, ModelError
from genreg_np.model import Float32, Model
from genreg_np.report.chance import Share
from genreg_np.report.hidden import Hidden, hidden_of
from genreg_np.report.initial import initial_genes
from genreg_np.runs.evaluation import Evaluation
from genreg_np.runs.own_folder import OWN_FITNESS
from genreg_np.runs.provenance import display_name

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset, Split
    from genreg_np.runs.stored import StoredRun
    from genreg_np.search.stored import StoredSearch

MOST_HIDDEN = 2000  # images whose hidden values are computed
MOST_COUNTED = 3000  # inputs used for the accuracy on a split that is not shown, if it is not recorded


class Searched(Protocol):
    """The part of a subject that sections on searches use."""

    @property
    def search(self) -> StoredSearch | None:
        """The search; None for other subjects."""


@dataclass(frozen=True)
class Beside:
    """Properties shared by the pictures of several subjects."""

    lowest: float  # lowest accuracy of all curves, 0 .. 1
    lowest_class: float  # lowest accuracy of all classes at all evaluations
    classes: tuple[int, ...]  # order by accuracy over all subjects, the worst first; empty if their classes differ


@dataclass(frozen=True)
class Subject:
    """A model or a run to show on a page.

    Parameters
    ----------
    name : str
        Its name on the page.
    model : Model
    dataset : Dataset or None
        The data it was trained on, or is to be shown with; None if they are not available.
    places : (K,) int64 or None
        The index of each of the dataset's classes among the model's.
    run : StoredRun or None
        None for a model alone, or a search.
    search : StoredSearch or None
        The search whose winner the model is.
    beside : Beside or None
        Properties shared with the pictures of other subjects on the page; None for a single subject.
    missing : str
        Why there is no dataset, in a few words; "" if there is one, or cannot be one.
    remarks : tuple of str
        Sentences at the end of the page.
    """

    name: str
    model: Model
    dataset: Dataset | None = None
    places: NDArray[np.int64] | None = None
    run: StoredRun | None = None
    search: StoredSearch | None = None
    beside: Beside | None = None
    missing: str = ""
    remarks: tuple[str, ...] = ()

    def recorded_as(self, measure: str) -> str:
        """Return the name, in the run's records, of a measure of the saved genome, which may not be the first one."""
        own = f"{self.model.training.get('genome')}_{measure}"
        return own if self.run is not None and any(own in record for record in self.run.records) else measure

    @property
    def is_own(self) -> bool:
        """Whether the run or the model says that it was judged by a custom score instead of a dataset."""
        return OWN_FITNESS in (self.model.training if self.run is None else self.run.origin)

    @property
    def is_mean(self) -> bool:
        """Whether the saved genome is a mean of several, so that its weights are smaller than those of each."""
        return self.model.training.get("genome") == "consensus"

    @functools.cached_property
    def split_name(self) -> str:
        """The split that is shown: test, or validation if the run has not evaluated test, or has none."""
        stopped = self.run is not None and not self.run.notes.get("test")
        none = self.dataset is not None and not len(self.dataset.test)
        return "validation" if stopped or none else "test"

    @property
    def split(self) -> Split | None:
        """The images or rows that are shown, or None without data."""
        return None if self.dataset is None else self.dataset.split(self.split_name)

    @property
    def lacks_data(self) -> str:
        """Why no data are shown, in a few words, if there could be some; else ""."""
        if self.dataset is None:
            return self.missing
        return "" if len(self.labels) else f"the {self.split_name} split is empty"

    @property
    def lacks_classes(self) -> str:
        """Likewise, why nothing is known about the classes of a classifier; else ""."""
        return self.lacks_data if len(self.model.class_names) > 1 else ""

    @functools.cached_property
    def inputs(self) -> NDArray[np.generic]:
        """The inputs that are shown, (N, *input_shape), in the model's form."""
        assert self.split is not None
        return self.in_order(self.split.inputs)

    def in_order(self, inputs: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return inputs of the dataset (N, ...) in the model's form, with a table's columns in its order.

        Pictures are flattened if the network takes as many single values, as in training; other shapes are unchanged.
        """
        shape = self.model.input_shape
        if inputs.shape[1:] != shape and math.prod(inputs.shape[1:]) == math.prod(shape):
            inputs = inputs.reshape(-1, *shape)
        names = () if self.dataset is None else self.dataset.feature_names
        if not (names and self.model.feature_names):
            return inputs
        ordered: NDArray[np.generic] = inputs[:, self.model.columns(names)]
        return ordered

    def counted_as(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return labels of the dataset (N,) as the model's class numbers."""
        return labels if self.places is None else self.places[labels]

    @property
    def is_counted(self) -> bool:
        """Whether the model is a classifier, and labelled data are shown."""
        return len(self.model.class_names) > 1 and len(self.labels) > 0

    @functools.cached_property
    def labels(self) -> NDArray[np.int64]:
        """The classes (N,) of the inputs shown, as the model's class numbers; empty without data."""
        split = self.split
        if split is None:
            return np.empty(0, np.int64)
        return self.counted_as(split.labels)

    @functools.cached_property
    def probabilities(self) -> NDArray[np.floating]:
        """The model's probabilities for the inputs shown, (N, K)."""
        return self.model.predict_proba(self.inputs)

    @functools.cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The classes (N,) that it predicts."""
        found: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return found

    def with_answers(self) -> Subject:
        """Return the subject, without its data if the model cannot answer them, and with the reason in `missing`."""
        if self.split is None or not len(self.labels):
            return self
        try:
            if not self.model.class_names:
                self.model.outputs(self.inputs)
            elif not np.isfinite(self.probabilities).all():
                raise ModelError(BEYOND)
        except ModelError as error:
            return dataclasses.replace(self, dataset=None, places=None, missing=f"the model cannot answer: {error}")
        return self

    @functools.cached_property
    def evaluation(self) -> Evaluation:
        """The confusion matrix and the accuracies derived from it."""
        return Evaluation.of(self.predicted, self.labels, len(self.model.class_names))

    @property
    def learned_from(self) -> bool:
        """Whether the model was trained on the dataset: that of its run or search, or the one that the model names."""
        if self.run is not None or self.search is not None or self.dataset is None:
            return self.dataset is not None
        config = self.model.training.get("config")
        named = config.get("dataset") if isinstance(config, dict) else None
        return bool(named == display_name((self.dataset.origin or {}).get("source", self.dataset.name), self.dataset))

    @functools.cached_property
    def shares(self) -> dict[str, Share]:
        """The saved model's accuracy on each split: on training, of evenly spread inputs; on validation, as recorded.

        Splits are left out if they are empty, not to be looked at yet, or if accuracy on them is meaningless.
        """
        if self.dataset is None or not self.is_counted:
            return {}
        hidden = {"test"} if self.split_name == "validation" else set()
        hidden |= set(self.run.config.spent) if self.run is not None else set()
        if self.search is not None and self.search.winner is not None:
            hidden |= {"validation"}  # the winner has finally learned from it
        if self.model.training.get("refit") and self._recorded("validation") is None:
            hidden |= {"validation"}  # so has this one, and its accuracy before that is not known
        found = {}
        for name in SPLITS:
            if name in hidden or not len(split := self.dataset.split(name)):
                continue
            recorded = self._recorded(name)
            if name == self.split_name:
                found[name] = Share.of(self.predicted == self.labels)
            elif recorded is not None:
                found[name] = Share(round(recorded * len(split)), len(split))
            else:
                some = slice(None, None, -(-len(split) // MOST_COUNTED))
                try:
                    right = self.model.predict(self.in_order(split.inputs[some])) == self.counted_as(split.labels[some])
                except ModelError:  # inputs larger than those shown
                    continue
                found[name] = Share.of(right)
        return found

    def _recorded(self, split: str) -> float | None:
        """Return the saved model's accuracy on a split of its run as stored in the model, or None."""
        value = self.model.training.get("accuracies") if self.run is not None else None
        for name in (split, self.model.training.get("genome")):
            value = value.get(name) if isinstance(value, dict) and isinstance(name, str) else None
        return value if isinstance(value, float) and 0 <= value <= 1 else None

    @functools.cached_property
    def rows(self) -> NDArray[np.int64]:
        """Indices (n,) of the inputs, evenly spread, whose hidden values are computed."""
        count = len(self.labels)
        return np.arange(0, count, max(1, -(-count // MOST_HIDDEN)))

    @functools.cached_property
    def hidden(self) -> tuple[Hidden, ...]:
        """The outputs of hidden trainable layers for `rows`, or the inputs of a single one; empty without data.

        Outputs are taken after a layer's own activation. Layers with too many values for all rows are left out.
        """
        return () if self.split is None else hidden_of(self.model, self.inputs[self.rows])

    @functools.cached_property
    def initial(self) -> Float32 | None:
        """The genes (D,) of a genome of generation 0; None for a model alone, or if they cannot be recreated."""
        return None if self.run is None else initial_genes(self.run, self.model, self.dataset)
