"""From predictions to one number per genome or image. Higher is better.

reward           sum over images of +10 where the predicted class is right, -1.5 where not (the seed's; GENREG README)
accuracy         the same with 1 and 0
log-probability  sum over images of log p(right class)
margin           mean over images of how far the right class's logit leads, at most 1 (node perturbation only)
custom           the user's own numbers, through Evolution.tell or Evolution.run(fitness=...); in node perturbation
                 a function of logits (n, K) and labels (n,) that gives each image's number, (n,)

An image counts by its place in the episode where trust decays per image (trust.py), else by 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import ImageFitness, Score
from genreg_np.errors import FitnessError, UsageError

FITNESSES = ("reward", "accuracy", "log-probability", "custom")
IMAGE_FITNESSES = ("log-probability", "margin", "reward", "accuracy", "custom")
PREDICTIONS = ("sampled", "argmax")


def scoring(fitness: str, prediction: str, correct_reward: float, wrong_penalty: float) -> tuple[Score, float, float]:
    """Return what a backend needs to score images: (kind, reward, penalty)."""
    if kind := {"log-probability": Score.LOG_PROBABILITY, "margin": Score.MARGIN, "custom": Score.CUSTOM}.get(fitness):
        return kind, 0.0, 0.0
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


def check_image_scores(function: ImageFitness | None, logits: Any, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Call a user's fitness of logits (n, K) and labels (n,), and return its scores (n,).

    Raises
    ------
    FitnessError
        If it does not give one finite number for each image.
    """
    if function is None:
        raise UsageError("fitness = custom needs a function: pass image_fitness= to Evolution or train")
    try:
        scores = np.asarray(function(logits, labels), np.float32)
    except (TypeError, ValueError) as error:
        raise FitnessError(f"the fitness function failed on logits {logits.shape}: {error}") from error
    if scores.shape != labels.shape:
        raise FitnessError(
            f"the fitness function gave shape {scores.shape} for logits {logits.shape}: it must give {labels.shape}, "
            "one number for each image"
        )
    if not np.isfinite(scores).all():
        bad = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise FitnessError(
            f"the fitness function gave {scores[bad]} for the logits {np.round(logits[bad], 3).tolist()}"
        )
    return scores
