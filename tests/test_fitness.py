"""Fitness: what is scored; +inf is the best of its generation, what is undefined the worst, and nothing overflows."""

from __future__ import annotations

import json
import math
import warnings
from decimal import Decimal
from fractions import Fraction
from statistics import fmean, pstdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.errors import FitnessError
from genreg_np.fitness import (
    Score,
    as_number,
    as_numbers,
    check_image_scores,
    mean_score,
    replace_non_finite,
    scoring,
    summary,
)
from tests.helpers import one_line, patient

ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True)
TOLD = st.lists(ANY_NUMBER, min_size=1, max_size=30)
LARGEST = float(np.finfo(np.float64).max)


def is_usable(number: float) -> bool:
    """Whether a number is finite or +inf."""
    return math.isfinite(number) or number == math.inf


@patient
@given(TOLD.filter(lambda numbers: any(map(is_usable, numbers))))
def test_what_is_not_finite_becomes_the_best_or_the_worst_finite_one(numbers: list[float]) -> None:
    """+inf becomes the best and is marked, NaN and -inf the worst; all are counted; finite numbers stay."""
    earned = replace_non_finite(np.array(numbers))
    finite = [number for number in numbers if math.isfinite(number)] or [0.0]
    stand_in = [
        number if math.isfinite(number) else max(finite) if number == math.inf else min(finite) for number in numbers
    ]
    assert earned.values.tolist() == stand_in
    assert earned.perfect.tolist() == [number == math.inf for number in numbers]
    assert earned.replaced == sum(not math.isfinite(number) for number in numbers)


def test_the_given_numbers_are_left_alone() -> None:
    """A user's array is copied before anything is replaced."""
    given_numbers = np.array([1.0, np.nan])
    replace_non_finite(as_numbers(given_numbers, 2))
    assert np.isnan(given_numbers[1])
    assert as_numbers(given_numbers, 2) is not given_numbers


@pytest.mark.parametrize("numbers", [[np.nan] * 3, [np.nan, -np.inf, np.nan], [-np.inf] * 3])
def test_a_generation_of_nothing_but_undefined_numbers_is_an_error(numbers: list[float]) -> None:
    """There is nothing to select on, and the line says so; one +inf is enough."""
    with pytest.raises(FitnessError, match=r"none of the 3 fitness values is finite or \+inf") as raised:
        replace_non_finite(np.array(numbers))
    one_line(raised.value)
    assert replace_non_finite(np.array([*numbers, np.inf])).perfect.tolist() == [False] * 3 + [True]


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [1.0, 2.0],
        [[1.0], [2.0], [3.0]],
        np.ones((3, 1)),
        np.ones(2),
        4.0,
        np.float64(4),
        ["a", "b", "c"],
        ["1", "2", "3"],
        np.array(["1", "2", "3"]),
        [1.0, [2.0], 3.0],
        [1.0, None, 3.0],
        [1.0, 2.0, 10**400],
        [1.0, 2.0, 1j],
        np.array([1, 2, 1j]),
        [1.0, 2.0, np.ones(2)],
        "abc",
        None,
        {1.0: 1, 2.0: 2, 3.0: 3},
        [1, 2, Ellipsis],
    ],
    ids=repr,
)
def test_anything_but_one_number_per_genome_is_refused(numbers: Any) -> None:
    """Wrong counts, shapes and types end in one line."""
    with pytest.raises(FitnessError) as raised:
        as_numbers(numbers, 3)
    one_line(raised.value)


@pytest.mark.parametrize(
    "value",
    [
        2,
        2.0,
        True + True,
        np.float32(2),
        np.int8(2),
        np.array(2),
        np.array([2.0]),
        np.array([[2]]),
        Fraction(2),
        Decimal(2),
    ],
    ids=lambda value: f"{type(value).__name__} {value}",
)
def test_a_number_of_any_kind_or_an_array_of_one_is_a_number(value: Any) -> None:
    """Alone, as a worker's function returns it, and told in a list: the same whatever the version of NumPy."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_number(value) == 2.0
        assert as_numbers([value, value], 2).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", "f2", "f4", "f8", "O"])
def test_an_array_of_any_real_type_is_taken(dtype: str) -> None:
    """Numbers come back as float64."""
    told = as_numbers(np.array([0, 1, 1], dtype), 3)
    assert told.dtype == np.float64
    assert told.tolist() == [0, 1, 1]


@patient
@given(TOLD)
def test_a_summary_is_valid_json_and_bounded_by_what_was_told(numbers: list[float]) -> None:
    """Of any numbers, however large: minimum, mean and maximum in order, a deviation, and counts that add up."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = summary(np.array(numbers))
    json.dumps(found, allow_nan=False)
    finite = [number for number in numbers if math.isfinite(number)]
    assert len(finite) + found["fitness_infinite"] + found["fitness_invalid"] == len(numbers)
    assert found["fitness_infinite"] == numbers.count(math.inf)
    low, mean, high, deviation = (found[f"fitness_{name}"] for name in ("minimum", "mean", "maximum", "deviation"))
    if not finite:
        assert low is mean is high is deviation is None
        return
    assert min(finite) == low <= mean <= high == max(finite)
    assert 0 <= deviation <= max(map(abs, finite))


@patient
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_a_summary_is_what_statistics_say(numbers: list[float]) -> None:
    """Of numbers of ordinary size: the arithmetic mean, and the population's standard deviation."""
    found = summary(np.array(numbers))
    assert found["fitness_mean"] == pytest.approx(fmean(numbers), rel=1e-9, abs=1e-9)
    assert found["fitness_deviation"] == pytest.approx(pstdev(numbers), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        ([1, 2, 6], 3),
        ([LARGEST, LARGEST], LARGEST),
        ([1, np.inf], np.inf),
        ([np.inf, -np.inf], -np.inf),
        ([np.inf, np.nan, 1], -np.inf),
        ([1, -np.inf], -np.inf),
    ],
)
def test_the_mean_of_scores_is_as_bad_as_an_undefined_one_else_as_good_as_a_perfect_one(
    scores: list[float], mean: float
) -> None:
    """No sum of them is NaN or a new infinity."""
    assert mean_score(scores) == mean


# Images


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39, -1e300])
@pytest.mark.filterwarnings("error")
def test_an_image_score_that_has_no_difference_is_refused(value: float) -> None:
    """Node perturbation subtracts scores: the line names the number as it was given, and the logits."""
    logits, labels = np.array([[0.5, 1.0], [2.0, 0.25]], np.float32), np.array([0, 1])
    with pytest.raises(FitnessError, match=r"\[2\.0, 0\.25\]") as raised:
        check_image_scores(lambda logits, labels: np.array([1.0, value]), logits, labels)
    assert f"returned {value}" in one_line(raised.value)


# Built-in fitness


@pytest.mark.parametrize(
    ("fitness", "prediction", "expected"),
    [
        ("reward", "sampled", (Score.REWARD_SAMPLED, 10.0, -1.5)),
        ("reward", "argmax", (Score.REWARD_ARGMAX, 10.0, -1.5)),
        ("accuracy", "sampled", (Score.REWARD_SAMPLED, 1.0, 0.0)),
        ("accuracy", "argmax", (Score.REWARD_ARGMAX, 1.0, 0.0)),
        ("log-probability", "sampled", (Score.LOG_PROBABILITY, 0.0, 0.0)),
    ],
)
def test_each_fitness_scores_images_its_own_way(
    fitness: str, prediction: str, expected: tuple[Score, float, float]
) -> None:
    """Words of the configuration become the score, reward and penalty of a backend."""
    assert scoring(fitness, prediction, 10.0, -1.5) == expected
