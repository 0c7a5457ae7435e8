"""The metrics of pipelines: any scikit-learn scorer, by name; higher is always better."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.errors import UsageError, did_you_mean

DEFAULTS = {True: "accuracy", False: "r2"}  # for classes, and for numbers
BY_PROBABILITIES = ("neg_log_loss", "neg_brier_score", "d2_log_loss_score", "d2_brier_score")
OF_NUMBERS = (
    "explained_variance", "r2", "neg_max_error", "max_error", "neg_median_absolute_error", "neg_mean_absolute_error",
    "neg_mean_absolute_percentage_error", "neg_mean_squared_error", "neg_mean_squared_log_error",
    "neg_root_mean_squared_error", "neg_root_mean_squared_log_error", "neg_mean_poisson_deviance",
    "neg_mean_gamma_deviance", "d2_absolute_error_score",
)  # fmt: skip
OF_GROUPINGS = (
    "adjusted_mutual_info_score", "adjusted_rand_score", "completeness_score", "fowlkes_mallows_score",
    "homogeneity_score", "mutual_info_score", "normalized_mutual_info_score", "rand_score", "v_measure_score",
)  # fmt: skip
OF_THE_SECOND = ("f1", "precision", "recall", "jaccard", "average_precision")  # refer to the second of two classes
OF_TWO = (
    "f1", "precision", "recall", "jaccard", "average_precision", "roc_auc", "neg_brier_score", "d2_brier_score",
    "positive_likelihood_ratio", "neg_negative_likelihood_ratio",
)  # fmt: skip
UNBOUNDED = ("positive_likelihood_ratio", "max_error")  # metrics that may exceed 1, besides errors


@dataclass(frozen=True)
class Scoring:
    """A metric of pipelines.

    Parameters
    ----------
    name : str
    """

    name: str

    @classmethod
    def of(cls, name: str, classes: bool, count: int = 2) -> Scoring:
        """Return the scorer of a name, for classes or numbers; "" is the default one.

        Parameters
        ----------
        name : str
        classes : bool
        count : int
            The number of classes.

        Raises
        ------
        UsageError
            For an unknown scorer, or one that does not fit the task.
        """
        from sklearn.metrics import get_scorer_names

        name = name or DEFAULTS[classes]
        known = [one for one in get_scorer_names() if one not in OF_GROUPINGS]
        fitting = [one for one in known if (one in OF_NUMBERS) != classes and "samples" not in one]
        if name not in known:
            raise UsageError(f"unknown metric {name!r}{did_you_mean(name, fitting)}")
        if name not in fitting:
            what = "classes" if classes else "numbers"
            way = f"choose another, such as {DEFAULTS[classes]}"
            raise UsageError(f"metric {name} does not fit {what}: {way}")
        if classes and count > 2 and name in OF_TWO:
            others = [one for one in fitting if one.startswith(name + "_")]
            way = f": choose {' or '.join(others[:3])}" if others else ""
            raise UsageError(f"metric {name} needs two classes, but there are {count}{way}")
        return cls(name)

    def check_target(self, target: float) -> None:
        """Refuse a target that no pipeline can reach.

        Raises
        ------
        UsageError
            For a target that is not finite, or above 1 for a metric that is at most 1.
        """
        is_share = not self.name.startswith("neg_") and self.name not in UNBOUNDED
        if not math.isfinite(target) or (is_share and target > 1):
            of = " up to 1" if is_share else ""
            raise UsageError(f"--target {target:g} cannot be reached: {self.words} is a number{of}")

    @property
    def by_probabilities(self) -> bool:
        """Whether the metric needs probabilities, which not all models provide."""
        return self.name in BY_PROBABILITIES or self.name.startswith("roc_auc_ov")

    @property
    def by_all_classes(self) -> bool:
        """Whether the metric is defined only if every class has a row."""
        return self.by_probabilities or self.name in ("roc_auc", "average_precision", "top_k_accuracy")

    @functools.cached_property
    def scorer(self) -> Any:
        """A callable that takes an estimator, inputs and labels."""
        from sklearn.metrics import get_scorer

        return get_scorer(self.name)

    def shown(self, score: float) -> str:
        """Return a score as text; errors lose the sign that makes higher better."""
        return f"{abs(score) if self.name.startswith('neg_') else score:.4f}" if score == score else "not known"

    def called(self, class_names: Sequence[str]) -> str:
        """Return the metric in words, with the class that it refers to."""
        return f"{self.words} of class {class_names[1]!r}" if self.name in OF_THE_SECOND else self.words

    @property
    def words(self) -> str:
        """The metric in words."""
        return self.name.removeprefix("neg_").replace("_", " ")
