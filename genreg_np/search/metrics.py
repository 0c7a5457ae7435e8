"""The metrics of classifiers: one of runs/measures.py drives selection, and all are recorded.

precision, recall and f1 may be of a single class: f1:cat. Higher is better in every `score`; the score of the log loss
is its negative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genreg_np.errors import UsageError, did_you_mean

OF_ONE_CLASS = ("precision", "recall", "f1")
METRICS = ("accuracy", "balanced-accuracy", *OF_ONE_CLASS, "log-loss")
SHARES = (
    "accuracy",
    "balanced-accuracy",
    *OF_ONE_CLASS,
    "coverage",
    "confident",
    "agreement",
    "copies",
    "duplicates",
)  # shares in 0 .. 1
LOWER = ("log-loss", "squared-error", "fitness", "fcd", "tvd", "copies", "duplicates", "violations")  # lower is better


@dataclass(frozen=True)
class Metric:
    """A metric given by name, such as accuracy or f1:cat.

    Raises
    ------
    UsageError
        For an unknown metric, or a class that the data do not have.
    """

    name: str

    @classmethod
    def of(cls, text: str, class_names: Sequence[str], known: Sequence[str] = METRICS) -> Metric:
        """Return a metric after checking its name and class."""
        name, colon, class_name = text.partition(":")
        if name not in known or (colon and name not in OF_ONE_CLASS):
            hint = f" ({', '.join(OF_ONE_CLASS)} can be of one class, such as f1:NAME)" if name in known else ""
            raise UsageError(f"unknown metric {text!r}{hint or did_you_mean(name, known)}")
        if colon and class_name not in class_names:
            raise UsageError(f"metric {text}: there is no class {class_name!r}" + did_you_mean(class_name, class_names))
        return cls(text)

    def score(self, measures: Mapping[str, float]) -> float:
        """Return the score that drives selection: higher is better."""
        value = measures[self.name]
        return -value if self.name in LOWER else value

    def check_target(self, target: float) -> None:
        """Refuse a target that no individual can reach.

        Raises
        ------
        UsageError
            If the target is out of range.
        """
        most = 1.0 if self.name.partition(":")[0] in SHARES else math.inf
        least = 0.0 if self.name in LOWER and self.name != "fitness" else -math.inf  # fitness is a logarithm
        if not (math.isfinite(target) and least <= target <= most):
            range_ = " in 0 .. 1" if most == 1 else " of at least 0" if least == 0 else ""
            raise UsageError(f"--target {target:g} cannot be reached: {self.name} is a number{range_}")

    def reaches(self, measures: Mapping[str, float], target: float) -> bool:
        """Return whether a target is reached."""
        value = measures[self.name]
        return value <= target if self.name in LOWER else value >= target


COSTS = {"parameters": 1e-3, "macs": 1e-6}  # the units: thousands, and millions


@dataclass(frozen=True)
class Goal:
    """The goal of selection: a metric, or a weighted sum of metrics and costs.

    Parameters
    ----------
    metric : Metric
        The metric that is reported, and that a target refers to.
    weights : mapping of str to float
        Weights of metrics and costs; higher sums are better.
    """

    metric: Metric
    weights: Mapping[str, float]

    @classmethod
    def of(cls, metric: str, weights: str, class_names: Sequence[str], known: Sequence[str] = METRICS) -> Goal:
        """Return the goal from text such as "accuracy=1,parameters=-0.001"; without text, the metric alone.

        Raises
        ------
        UsageError
            For an unknown metric or cost, or a weight that is not a number.
        """
        own = Metric.of(metric, class_names, known)
        found: dict[str, float] = {}
        for term in filter(None, (term.strip() for term in weights.split(","))):
            name, equals, number = term.rpartition("=")
            try:
                weight = float(number)
            except ValueError:
                weight = math.nan
            if not equals or not math.isfinite(weight):
                raise UsageError(f"--weights {term!r} must look like accuracy=1, or parameters=-0.001")
            if name not in COSTS and name.partition(":")[0] not in known:
                raise UsageError(
                    f"--weights: there is no metric or cost {name!r}" + did_you_mean(name, (*known, *COSTS))
                )
            if name not in COSTS:
                Metric.of(name, class_names, known)
            found[name] = weight
        return cls(own, found)

    @property
    def also(self) -> tuple[str, ...]:
        """The metrics of a single class, which are not measured unless asked for."""
        return tuple(name for name in dict.fromkeys((self.metric.name, *self.weights)) if ":" in name)

    def check_signs(self) -> None:
        """Refuse weights by which the worst would be selected.

        Raises
        ------
        UsageError
            For a positive weight of what is better lower, or a negative one of what is better higher.
        """
        for name, weight in self.weights.items():
            is_lower = name in COSTS or name in LOWER
            if weight * (-1 if is_lower else 1) < 0:
                better, sign = ("lower", "negative") if is_lower else ("higher", "positive")
                raise UsageError(
                    f"--weights {name}={weight:g} would select the worst: {better} {name} is better, so give it a "
                    f"{sign} weight, {name}={-weight:g}"
                )

    def score(self, measures: Mapping[str, float], parameters: int, macs: int) -> float:
        """Return the score that an individual is selected by."""
        if not self.weights:
            return self.metric.score(measures)
        costs = {"parameters": parameters * COSTS["parameters"], "macs": macs * COSTS["macs"]}
        values = {**measures, **costs}
        return math.fsum(weight * values[name] for name, weight in self.weights.items())
