"""What a page is about: a model, the data it is shown with, and what is known of the run that it came from.

Sections take from it what they need; what is dear to compute is computed once, when it is first asked for.

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

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset, Split
    from genreg_np.runs.stored import StoredRun
    from genreg_np.search.stored import StoredSearch

MOST_HIDDEN = 2000  # images whose hidden values are looked at
MOST_COUNTED = 3000  # inputs of a split that is not shown, of which accuracy is told where it is not recorded


class Searched(Protocol):
    """What sections on searches are told of a subject."""

    @property
    def search(self) -> StoredSearch | None:
        """The search; None of what comes from none."""


@dataclass(frozen=True)
class Beside:
    """What pictures of several subjects have in common."""

    lowest: float  # accuracy of all curves, 0 .. 1
    lowest_class: float  # accuracy of all classes at all looks
    classes: tuple[int, ...]  # their order: by accuracy over all subjects, the worst first; none of unlike classes


@dataclass(frozen=True)
class Subject:
    """A model or a run to look at.

    Parameters
    ----------
    name : str
        What the page calls it.
    model : Model
    dataset : Dataset or None
        What it was trained on, or is to be shown with; None where that is not at hand.
    places : (K,) int64 or None
        Where among the model's classes each of the dataset's is.
    run : StoredRun or None
        None of a model alone, or of a search.
    search : StoredSearch or None
        Whose winner the model is.
    beside : Beside or None
        What its pictures share with those of others on the page; None of one alone.
    missing : str
        Why there is no dataset, in a few words, though there could be one; "" where there is one, or cannot be any.
    remarks : tuple of str
        Sentences that the page ends with.
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
        """Return what the run's records call a measure of the genome that is saved, which may be not the first one."""
        own = f"{self.model.training.get('genome')}_{measure}"
        return own if self.run is not None and any(own in record for record in self.run.records) else measure

    @property
    def is_own(self) -> bool:
        """Whether it was judged by a score of the user's own, which the run or the model says, and by no dataset."""
        return OWN_FITNESS in (self.model.training if self.run is None else self.run.origin)

    @property
    def is_mean(self) -> bool:
        """Whether what is saved is a mean of several genomes, whose weights are smaller than those of any of them."""
        return self.model.training.get("genome") == "consensus"

    @functools.cached_property
    def split_name(self) -> str:
        """The split that is shown: test, or validation of a run that has not looked at test, or has none."""
        stopped = self.run is not None and not self.run.notes.get("test")
        none = self.dataset is not None and not len(self.dataset.test)
        return "validation" if stopped or none else "test"

    @property
    def split(self) -> Split | None:
        """The images or rows that are shown; None without data."""
        return None if self.dataset is None else self.dataset.split(self.split_name)

    @property
    def lacks_data(self) -> str:
        """Why the model is shown nothing, though it could be, in a few words; or ""."""
        if self.dataset is None:
            return self.missing
        return "" if len(self.labels) else f"the {self.split_name} split is empty"

    @property
    def lacks_classes(self) -> str:
        """Likewise why nothing is known of classes that the model tells; or ""."""
        return self.lacks_data if len(self.model.class_names) > 1 else ""

    @functools.cached_property
    def inputs(self) -> NDArray[np.generic]:
        """What is shown, (N, *input_shape), as the model takes it."""
        assert self.split is not None
        return self.in_order(self.split.inputs)

    def in_order(self, inputs: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return inputs of the dataset (N, ...) as the model takes them, columns of a table in its order.

        Training takes pictures for a network of as many single values; others are left as they are.
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
        """Return labels of the dataset (N,) as the model counts classes."""
        return labels if self.places is None else self.places[labels]

    @property
    def is_counted(self) -> bool:
        """Whether the model tells classes, and there is something whose class is known."""
        return len(self.model.class_names) > 1 and len(self.labels) > 0

    @functools.cached_property
    def labels(self) -> NDArray[np.int64]:
        """The classes (N,) of what is shown, as the model counts them; none without data."""
        split = self.split
        if split is None:
            return np.empty(0, np.int64)
        return self.counted_as(split.labels)

    @functools.cached_property
    def probabilities(self) -> NDArray[np.floating]:
        """What the model answers to what is shown, (N, K)."""
        return self.model.predict_proba(self.inputs)

    @functools.cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The classes (N,) that it answers with."""
        found: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return found

    def with_answers(self) -> Subject:
        """Return it without data that its model gives no answers to, and with what is missing then."""
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
        """How often each class is taken for each."""
        return Evaluation.of(self.predicted, self.labels, len(self.model.class_names))

    @property
    def learned_from(self) -> bool:
        """Whether the dataset is what the model was trained on: its run's, or one of the name that the model tells."""
        if self.run is not None or self.dataset is None:
            return self.dataset is not None
        config = self.model.training.get("config")
        named = config.get("dataset") if isinstance(config, dict) else None
        return str(named).rstrip("/") == self.dataset.name.rstrip("/")

    @functools.cached_property
    def shares(self) -> dict[str, Share]:
        """How much of each split the saved model gets right: of training, evenly spread inputs; of validation, as told.

        A split is left out that is empty, that is not to be looked at yet, or on which accuracy tells nothing.
        """
        if self.dataset is None or not self.is_counted:
            return {}
        hidden = {"test"} if self.split_name == "validation" else set()
        hidden |= set(self.run.config.spent) if self.run is not None else set()
        if self.search is not None and self.search.winner is not None:
            hidden |= {"validation"}  # the winner has learned from it, in the end
        if self.model.training.get("refit") and self._recorded("validation") is None:
            hidden |= {"validation"}  # so has this one, and what it reached before is not known
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
                except ModelError:  # inputs that are larger than those that are shown
                    continue
                found[name] = Share.of(right)
        return found

    def _recorded(self, split: str) -> float | None:
        """Return the saved model's accuracy on a split of its run, as the model tells it; None where it does not."""
        value = self.model.training.get("accuracies") if self.run is not None else None
        for name in (split, self.model.training.get("genome")):
            value = value.get(name) if isinstance(value, dict) and isinstance(name, str) else None
        return value if isinstance(value, float) and 0 <= value <= 1 else None

    @functools.cached_property
    def rows(self) -> NDArray[np.int64]:
        """Which of what is shown, evenly spread, hidden values are looked at by, (n,)."""
        count = len(self.labels)
        return np.arange(0, count, max(1, -(-count // MOST_HIDDEN)))

    @functools.cached_property
    def hidden(self) -> tuple[Hidden, ...]:
        """What layers give to `rows`: those that learn but the last, or what such a one alone sees; none without data.

        Of a layer whose values go through an activation of its own, what comes after that. Layers of more values than
        can be held for all rows are left out.
        """
        return () if self.split is None else hidden_of(self.model, self.inputs[self.rows])

    @functools.cached_property
    def initial(self) -> Float32 | None:
        """The genes (D,) of a genome of generation 0; None of a model alone, or where they cannot be made again."""
        return None if self.run is None else initial_genes(self.run, self.model, self.dataset)
