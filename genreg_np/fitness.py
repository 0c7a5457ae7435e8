"""From predictions to one number per genome. Higher is better.

reward           sum over images of +10 where the predicted class is right, -1.5 where not (the seed's; GENREG README)
accuracy         the same with 1 and 0
log-probability  sum over images of log p(right class)
custom           the user's own numbers, through Evolution.tell or Evolution.run(fitness=...)

An image counts by its place in the episode where trust decays per image (trust.py), else by 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Score
from genreg_np.errors import FitnessError

FITNESSES = ("reward", "accuracy", "log-probability", "custom")
PREDICTIONS = ("sampled", "argmax")


def scoring(fitness: str, prediction: str, correct_reward: float, wrong_penalty: float) -> tuple[Score, float, float]:
    """Return what a backend needs to score images: (kind, reward, penalty)."""
    if fitness == "log-probability":
        return Score.LOG_PROBABILITY, 0.0, 0.0
    kind = Score.REWARD_SAMPLED if prediction == "sampled" else Score.REWARD_ARGMAX
    return (kind, 1.0, 0.0) if fitness == "accuracy" else (kind, correct_reward, wrong_penalty)


def replace_non_finite(fitness: Sequence[float] | NDArray[np.floating], size: int) -> tuple[NDArray[np.float64], int]:
    """Replace NaN and infinities by the worst finite value, so that they can never win.

    Parameters
    ----------
    fitness : sequence of float
        One number per genome.
    size : int
        P, the number of genomes.

    Returns
    -------
    values : (P,) float64
    replaced : int
        How many were not finite.

    Raises
    ------
    FitnessError
        If there are not P numbers, or none is finite.
    """
    try:
        values = np.array(fitness, np.float64)
    except (TypeError, ValueError):
        raise FitnessError("fitness must be one number per genome; something else was given") from None
    if values.shape != (size,):
        raise FitnessError(f"fitness has shape {values.shape}, but needs one number for each of the {size} genomes")
    finite = np.isfinite(values)
    if not finite.any():
        raise FitnessError(
            f"none of the {size} fitness values is finite (the first is {values[0]}): nothing to select on; "
            "check the fitness function on the first genome"
        )
    values[~finite] = values[finite].min()
    return values, int((~finite).sum())
