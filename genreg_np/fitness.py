"""From predictions to one number per genome or image. Higher is better.

reward           sum over images of +10 where the predicted class is right, -1.5 where not (the seed's; GENREG README)
accuracy         the same with 1 and 0
log-probability  sum over images of log p(right class)
margin           mean over images of how far the right class's logit leads, at most 1 (node perturbation only)
custom           the user's own numbers, through Evolution.tell or Evolution.run(fitness=...); in node perturbation
                 a function of logits (n, K) and labels (n,) that gives each image's number, (n,)

Of data whose targets t are numbers, by errors e = z - t, each a mean over the K targets:

squared          - e^2
absolute         - |e|
huber            - e^2 / 2 where |e| <= 1, else 1 / 2 - |e|   (Huber 1964; targets have deviation 1)

An image counts by its place in the episode where trust decays per image (trust.py), else by 1.

Numbers that are not finite: +inf is perfect, ahead of every finite one in its generation; NaN and -inf are the worst.
None of them is ever added up: trust takes the generation's best finite number in place of +inf, its worst in place of
the others.

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
    """What one genome earns for one image; arguments in a batch's `reward`, `penalty`, `function`."""

    REWARD_SAMPLED = 0  # reward if the class sampled from softmax is right, else penalty
    REWARD_ARGMAX = 1  # reward if the most probable class is right, else penalty
    LOG_PROBABILITY = 2  # log of the right class's probability
    MARGIN = 3  # how far the right class's logit leads the best other one, at most 1; node perturbation only
    CUSTOM = 4  # the user's function of the logits; node perturbation only
    SQUARED = 5  # less the mean squared error; this and the next two of targets that are numbers
    ABSOLUTE = 6  # less the mean absolute error
    HUBER = 7  # less Huber's, which is squared near 0 and absolute beyond 1


GENOME_SCORES = (Score.REWARD_SAMPLED, Score.REWARD_ARGMAX, Score.LOG_PROBABILITY)  # of whole genomes, by classes

ERROR_SCORES = (Score.SQUARED, Score.ABSOLUTE, Score.HUBER)  # of numbers, not of classes

BUILT_IN = ("reward", "accuracy", "log-probability")  # all of them finite, or NaN where weights have grown too large
ERRORS = ("squared", "absolute", "huber")  # as they, of numbers
FITNESSES = (*BUILT_IN, *ERRORS, "custom")
IMAGE_FITNESSES = ("log-probability", "margin", "reward", "accuracy", *ERRORS, "custom")
PREDICTIONS = ("sampled", "argmax")
PLAIN = {  # what takes no rewards
    "log-probability": Score.LOG_PROBABILITY,
    "margin": Score.MARGIN,
    "custom": Score.CUSTOM,
    "squared": Score.SQUARED,
    "absolute": Score.ABSOLUTE,
    "huber": Score.HUBER,
}
LARGEST_SCORE = float(np.finfo(np.float32).max)  # of an image
LEAST_EXPLAINED = -1e6  # of a variance: whoever is further off, or no number, is as bad


def scoring(fitness: str, prediction: str, correct_reward: float, wrong_penalty: float) -> tuple[Score, float, float]:
    """Return what a backend needs to score images: (kind, reward, penalty)."""
    if kind := PLAIN.get(fitness):
        return kind, 0.0, 0.0
    kind = Score.REWARD_SAMPLED if prediction == "sampled" else Score.REWARD_ARGMAX
    return (kind, 1.0, 0.0) if fitness == "accuracy" else (kind, correct_reward, wrong_penalty)


def explained(squared_error: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the share of a variance of 1 that predictions explain, from their mean squared errors: 1 at best."""
    share = 1 - np.asarray(squared_error, np.float64)
    return np.maximum(np.where(np.isnan(share), LEAST_EXPLAINED, share), LEAST_EXPLAINED)


def as_number(value: Any) -> float:
    """Return a number, or the only number of an array of one element, as a float.

    Raises
    ------
    TypeError
        For anything else, saying what it is.
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
    """Return the fitness of a generation as it was told, (P,) float64, infinities and NaN included.

    Parameters
    ----------
    fitness : sequence of float, or array (P,)
        One number per genome, each as `as_number` takes it.
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
    """A generation's fitness, fit to be added up: nothing in it is infinite or NaN."""

    values: NDArray[np.float64]  # (P,) finite
    perfect: NDArray[np.bool_]  # (P,) where it was +inf: ahead of all others, whatever its value here
    replaced: int  # how many were not finite


def replace_non_finite(fitness: NDArray[np.float64]) -> Earned:
    """Replace +inf by the best finite value, NaN and -inf by the worst; by 0 where none is finite.

    Parameters
    ----------
    fitness : (P,) float64

    Raises
    ------
    FitnessError
        If none is finite or +inf.
    """
    finite, perfect = np.isfinite(fitness), np.isposinf(fitness)
    if not (finite | perfect).any():
        raise FitnessError(
            f"none of the {len(fitness)} fitness values is finite or +inf (the first is {fitness[0]}): nothing to "
            "select on; check the fitness function on the first genome, or whether weights have grown too large"
        )
    best, worst = (fitness[finite].max(), fitness[finite].min()) if finite.any() else (0.0, 0.0)
    values = np.where(finite, fitness, np.where(perfect, best, worst))
    return Earned(values, perfect, int((~finite).sum()))


def summary(fitness: NDArray[np.float64]) -> dict[str, float | int | None]:
    """Return what is recorded of a generation's own fitness (P,): of its finite values, and how many are not.

    Minimum, mean, maximum and (population) deviation are None where no value is finite.
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
    """Return the mean and the population's deviation of finite values (n,), of any size: neither can overflow."""
    scale = math.ldexp(1.0, math.frexp(float(np.abs(values).max()))[1] - 1)  # a power of two: dividing is exact
    scaled = values / scale if scale else values
    mean = np.clip(scaled.mean(), scaled.min(), scaled.max())
    deviation = np.minimum(scaled.std(), np.abs(scaled).max())
    return float(mean) * scale, float(deviation) * scale


def mean_score(scores: Sequence[float]) -> float:
    """Return the mean of one genome's scores: -inf where one of them is NaN or -inf, else +inf where one is."""
    values = np.array(scores, np.float64)
    if (np.isnan(values) | np.isneginf(values)).any():
        return -math.inf
    return math.inf if np.isposinf(values).any() else mean_and_deviation(values)[0]


def finite_or_none(value: float) -> float | None:
    """Return a number, or None (null in JSON, which has no word for it) where it is infinite or NaN."""
    return value if math.isfinite(value) else None


def check_image_scores(function: ImageFitness | None, logits: Any, labels: NDArray[Any]) -> NDArray[np.float32]:
    """Call a user's fitness of logits (n, K) and labels (n,), or numbers and targets (n, K): return its scores (n,).

    Raises
    ------
    FitnessError
        If it does not give one finite number for each image: what is +inf for a genome has no difference to another.
    """
    if function is None:
        raise UsageError("fitness = custom needs a function: pass image_fitness= to Evolution or train")
    try:
        scores = np.asarray(function(logits, labels), np.float64)
    except (TypeError, ValueError) as error:
        raise FitnessError(f"the fitness function failed on logits {logits.shape}: {error}") from error
    if scores.shape != labels.shape[:1]:
        raise FitnessError(
            f"the fitness function gave shape {scores.shape} for logits {logits.shape}: it must give "
            f"{labels.shape[:1]}, one number for each image"
        )
    usable = np.abs(scores) <= LARGEST_SCORE  # false for NaN
    if not usable.all():
        bad = int(np.flatnonzero(~usable)[0])
        raise FitnessError(
            f"the fitness function gave {scores[bad]} for the logits {np.round(logits[bad], 3).tolist()}: images are "
            "judged by differences of scores, so each must be finite and fit into float32"
        )
    return scores.astype(np.float32)
