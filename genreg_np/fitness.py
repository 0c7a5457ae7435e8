"""Fitness functions: from predictions to one number per genome or image. Higher is better.

reward           sum over images: +10 if the predicted class is right, -1.5 if not (the seed's; GENREG README)
accuracy         the same with 1 and 0
log-probability  sum over images of log p(right class)
margin           mean over images of the right class's logit minus the best other, at most 1 (node perturbation only)
custom           the user's own numbers, through Evolution.tell or Evolution.run(fitness=...); in node perturbation
                 a function of logits (n, K) and labels (n,) that returns a number for each image, (n,)

For numeric targets t, with errors e = z - t, each a mean over the K targets:

squared          - e^2
absolute         - |e|
huber            - e^2 / 2 where |e| <= 1, else 1 / 2 - |e|   (Huber 1964; targets have standard deviation 1)

Where trust decays per image (trust.py), an image is weighted by its place in the episode, otherwise by 1.

Numbers that are not finite: +inf is perfect, ahead of every finite value in its generation; NaN and -inf are the
worst. They never enter a sum: trust replaces +inf by the generation's best finite value, the others by its worst.

Shapes: P genomes, n images, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import FitnessError, UsageError

Float32 = NDArray[np.float32]
ImageFitness = Callable[[Float32, NDArray[Any]], NDArray[np.floating]]  # logits (n, K), labels (n,) -> (n,)


class Score(IntEnum):
    """The score of one genome on one image; its arguments are a batch's `reward`, `penalty`, `function`."""

    REWARD_SAMPLED = 0  # reward if the class sampled from softmax is right, else penalty
    REWARD_ARGMAX = 1  # reward if the most probable class is right, else penalty
    LOG_PROBABILITY = 2  # log of the right class's probability
    MARGIN = 3  # the right class's logit minus the best other one, at most 1; node perturbation only
    CUSTOM = 4  # the user's function of the logits; node perturbation only
    SQUARED = 5  # minus the mean squared error; like the next two, for numeric targets
    ABSOLUTE = 6  # minus the mean absolute error
    HUBER = 7  # minus Huber's loss, which is squared near 0 and absolute beyond 1


GENOME_SCORES = (Score.REWARD_SAMPLED, Score.REWARD_ARGMAX, Score.LOG_PROBABILITY)  # of whole genomes, for classes

ERROR_SCORES = (Score.SQUARED, Score.ABSOLUTE, Score.HUBER)  # for numbers, not classes

BUILT_IN = ("reward", "accuracy", "log-probability")  # always finite, or NaN if weights have grown too large
ERRORS = ("squared", "absolute", "huber")  # the same for numbers
FITNESSES = (*BUILT_IN, *ERRORS, "custom")
IMAGE_FITNESSES = ("log-probability", "margin", "reward", "accuracy", *ERRORS, "custom")
PREDICTIONS = ("sampled", "argmax")
PLAIN = {  # scores without reward and penalty
    "log-probability": Score.LOG_PROBABILITY,
    "margin": Score.MARGIN,
    "custom": Score.CUSTOM,
    "squared": Score.SQUARED,
    "absolute": Score.ABSOLUTE,
    "huber": Score.HUBER,
}
LARGEST_SCORE = float(np.finfo(np.float32).max)  # of one image
LEAST_EXPLAINED = -1e6  # lowest explained share of a variance: anything worse, or NaN, counts as this


def scoring(fitness: str, prediction: str, correct_reward: float, wrong_penalty: float) -> tuple[Score, float, float]:
    """Return what a backend needs to score images: (kind, reward, penalty)."""
    if kind := PLAIN.get(fitness):
        return kind, 0.0, 0.0
    kind = Score.REWARD_SAMPLED if prediction == "sampled" else Score.REWARD_ARGMAX
    return (kind, 1.0, 0.0) if fitness == "accuracy" else (kind, correct_reward, wrong_penalty)


def explained(squared_error: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the share of a variance of 1 that predictions explain, given their mean squared errors: 1 at best."""
    share = 1 - np.asarray(squared_error, np.float64)
    return np.maximum(np.where(np.isnan(share), LEAST_EXPLAINED, share), LEAST_EXPLAINED)


def as_number(value: Any) -> float:
    """Return a number, or the only number of an array of one element, as a float.

    Raises
    ------
    TypeError
        For anything else; the message says what it is.
    """
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if value is None or isinstance(value, str | bytes | complex | np.complexfloating):
        raise TypeError(f"{value!r:.60}, not a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{type(value).__name__}, not a number ({error})") from None


def as_numbers(fitness: Sequence[float] | NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """Return a generation's fitness as given, (P,) float64, including infinities and NaN.

    Parameters
    ----------
    fitness : sequence of float, or array (P,)
        One number per genome, in any form that `as_number` accepts.
    size : int
        P, the number of genomes.

    Raises
    ------
    FitnessError
        If there are not P numbers.
    """
    if hasattr(fitness, "__array__"):
        array = np.asarray(fitness)
        if array.dtype.kind in "biuf":
            if array.shape != (size,):
                raise FitnessError(
                    f"fitness has shape {array.shape}, but needs one number for each of the {size} genomes"
                )
            return array.astype(np.float64)
        fitness = array.tolist()
    if not isinstance(fitness, Sequence) or isinstance(fitness, str | bytes):
        raise FitnessError(f"fitness must be one number for each of the {size} genomes, not {type(fitness).__name__}")
    if len(fitness) != size:
        raise FitnessError(f"fitness has {len(fitness)} numbers, but needs one for each of the {size} genomes")
    values = np.empty(size)
    for genome, value in enumerate(fitness):
        try:
            values[genome] = as_number(value)
        except TypeError as error:
            raise FitnessError(f"fitness of genome {genome} is {error}") from None
    return values


@dataclass(frozen=True)
class Earned:
    """A generation's fitness with infinities and NaN replaced, so that it can be summed."""

    values: NDArray[np.float64]  # (P,) finite
    perfect: NDArray[np.bool_]  # (P,) where it was +inf: ahead of all others, whatever its value here
    replaced: int  # number of values that were not finite


def replace_non_finite(fitness: NDArray[np.float64]) -> Earned:
    """Replace +inf by the best finite value, NaN and -inf by the worst; all by 0 if none is finite.

    Parameters
    ----------
    fitness : (P,) float64

    Raises
    ------
    FitnessError
        If no value is finite or +inf.
    """
    finite, perfect = np.isfinite(fitness), np.isposinf(fitness)
    if not (finite | perfect).any():
        raise FitnessError(
            f"none of the {len(fitness)} fitness values is finite or +inf (the first is {fitness[0]}): there is "
            "nothing to select on; test the fitness function on the first genome, or check for very large weights"
        )
    best, worst = (fitness[finite].max(), fitness[finite].min()) if finite.any() else (0.0, 0.0)
    values = np.where(finite, fitness, np.where(perfect, best, worst))
    return Earned(values, perfect, int((~finite).sum()))


def summary(fitness: NDArray[np.float64]) -> dict[str, float | int | None]:
    """Return the recorded statistics of a generation's fitness (P,): of its finite values, and counts of the others.

    Minimum, mean, maximum and (population) standard deviation are None if no value is finite.
    """
    finite = fitness[np.isfinite(fitness)]
    mean, deviation = mean_and_deviation(finite) if len(finite) else (None, None)
    perfect = int(np.isposinf(fitness).sum())
    return {
        "fitness_minimum": float(finite.min()) if len(finite) else None,
        "fitness_mean": mean,
        "fitness_maximum": float(finite.max()) if len(finite) else None,
        "fitness_deviation": deviation,
        "fitness_infinite": perfect,
        "fitness_invalid": len(fitness) - len(finite) - perfect,
    }


def mean_and_deviation(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and the population standard deviation of finite values (n,); neither can overflow."""
    scale = math.ldexp(1.0, math.frexp(float(np.abs(values).max()))[1] - 1)  # a power of two: dividing is exact
    scaled = values / scale if scale else values
    mean = np.clip(scaled.mean(), scaled.min(), scaled.max())
    deviation = np.minimum(scaled.std(), np.abs(scaled).max())
    return float(mean) * scale, float(deviation) * scale


def mean_score(scores: Sequence[float]) -> float:
    """Return the mean of one genome's scores: -inf if any is NaN or -inf, otherwise +inf if any is."""
    values = np.array(scores, np.float64)
    if (np.isnan(values) | np.isneginf(values)).any():
        return -math.inf
    return math.inf if np.isposinf(values).any() else mean_and_deviation(values)[0]


def finite_or_none(value: float) -> float | None:
    """Return a number, or None (JSON's null) if it is infinite or NaN, which JSON cannot express."""
    return value if math.isfinite(value) else None


def check_image_scores(function: ImageFitness | None, logits: Any, labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the scores (n,) of a user's function of logits (n, K) and labels (n,), or of numbers and targets (n, K).

    Raises
    ------
    FitnessError
        If it does not return one finite number for each image: scores are subtracted, which infinite ones do not allow.
    """
    if function is None:
        raise UsageError("fitness = custom needs a function: pass image_fitness= to Evolution or train")
    try:
        scores = np.asarray(function(logits, labels), np.float64)
    except (TypeError, ValueError) as error:
        raise FitnessError(f"the fitness function failed on logits {logits.shape}: {error}") from error
    if scores.shape != labels.shape[:1]:
        raise FitnessError(
            f"the fitness function returned shape {scores.shape} for logits {logits.shape}: it must return "
            f"{labels.shape[:1]}, one number for each image"
        )
    usable = np.abs(scores) <= LARGEST_SCORE  # false for NaN
    if not usable.all():
        bad = int(np.flatnonzero(~usable)[0])
        raise FitnessError(
            f"the fitness function returned {scores[bad]} for the logits {np.round(logits[bad], 3).tolist()}: scores "
            "are compared by their differences, so each must be finite and fit into float32"
        )
    return scores.astype(np.float32)
