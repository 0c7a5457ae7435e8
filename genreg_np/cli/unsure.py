"""--reject P of `infer` and `eval`: answer unsure if the answer is improbable or the input is unfamiliar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.cli.output import percent
from genreg_np.cli.terminal import say
from genreg_np.data.labels import short_name
from genreg_np.errors import UsageError
from genreg_np.infer_familiarity import Familiarity

REASONS = IMPROBABLE, UNFAMILIAR = "probability", "unfamiliar"  # why an answer is unsure
NO_DISTANCE = (
    "{}: the model does not recognise unfamiliar inputs (train --familiarity), so --reject uses only the largest "
    "probability"
)

answer_option = click.option(
    "--reject",
    metavar="P",
    type=click.FloatRange(0, 1),
    help="Answer unsure if the largest probability is below P, or the input is unlike the training data.",
)


@dataclass(frozen=True)
class Rejection:
    """Decides which of a model's answers are unsure."""

    threshold: float  # probability, 0 .. 1
    familiarity: Familiarity | None  # None: the model does not recognise unfamiliar inputs

    @classmethod
    def of(cls, model: infer.Model, path: str, threshold: float | None) -> Rejection | None:
        """Return the rejection, or None without a threshold; warn if only the probability can be used.

        Raises
        ------
        UsageError
            For a threshold that is not a number, or a model without classes.
        ModelError
            If the model's `familiarity` is malformed.
        """
        if threshold is None:
            return None
        if threshold != threshold:
            raise UsageError("--reject nan must be a number from 0 to 1")
        if not model.class_names:
            raise UsageError("--reject is for models with classes, and this one gives values: leave it out")
        if "familiarity" not in model.header:
            say(NO_DISTANCE.format(path), err=True)
            return cls(threshold, None)
        try:
            return cls(threshold, Familiarity(model))
        except infer.ModelError as error:
            raise infer.ModelError(f"{path}: {error}") from None

    def why(self, probability: NDArray[np.floating], inputs: NDArray[np.generic]) -> list[str]:
        """Return for each input why its answer is unsure: UNFAMILIAR, IMPROBABLE, or "" if it is not.

        Parameters
        ----------
        probability : (N,) float
            The largest probability of each input.
        inputs : (N, *input_shape), or one of shape input_shape
        """
        unlike: NDArray[np.bool_] = np.zeros(len(probability), bool)
        if self.familiarity:
            unlike = self.familiarity.unfamiliarity(inputs) > 1
        return [
            str(why) for why in np.where(unlike, UNFAMILIAR, np.where(probability < self.threshold, IMPROBABLE, ""))
        ]

    def entry(self, probability: float, one: NDArray[np.generic]) -> dict[str, Any]:
        """Return the --json entries for one input's certainty: a reason, or null; with a reason, the class is null."""
        (why,) = self.why(np.array([probability]), one)
        return {"class": None, "reason": why} if why else {"reason": None}


def words(result: dict[str, Any]) -> str:
    """Return the text to print for an unsure answer."""
    if result["reason"] == UNFAMILIAR:
        return "unsure (like nothing it was trained on)"
    answers = [f"{short_name(entry['class'])}, {percent(entry['probability'])}" for entry in result["top"]]
    return f"unsure (perhaps {'; '.join(answers)})"
