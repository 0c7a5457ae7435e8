"""Fitness: what is scored, and numbers that are not finite can never win."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.backends.base import Score
from genreg_np.errors import FitnessError
from genreg_np.fitness import replace_non_finite, scoring
from tests.helpers import one_line, patient

ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True)


@patient
@given(st.lists(ANY_NUMBER, min_size=1, max_size=30).filter(lambda numbers: any(map(math.isfinite, numbers))))
def test_numbers_that_are_not_finite_become_the_worst_finite_one(numbers: list[float]) -> None:
    """NaN and infinities of either sign are replaced and counted; finite numbers stay."""
    values, replaced = replace_non_finite(numbers, len(numbers))
    finite = [number for number in numbers if math.isfinite(number)]
    assert replaced == len(numbers) - len(finite)
    assert values.tolist() == [number if math.isfinite(number) else min(finite) for number in numbers]


def test_the_given_numbers_are_left_alone() -> None:
    """A user's array is copied before anything is replaced."""
    given_numbers = np.array([1.0, np.nan])
    replace_non_finite(given_numbers, 2)
    assert np.isnan(given_numbers[1])


@pytest.mark.parametrize("numbers", [[np.nan] * 3, [np.inf, -np.inf, np.nan]])
def test_a_generation_without_a_finite_number_is_an_error(numbers: list[float]) -> None:
    """There is nothing to select on, and the line says so."""
    with pytest.raises(FitnessError, match="none of the 3 fitness values is finite"):
        replace_non_finite(numbers, 3)


@pytest.mark.parametrize(
    "numbers", [[], [1.0, 2.0], [[1.0], [2.0], [3.0]], 4.0, ["a", "b", "c"], [1.0, [2.0], 3.0], "abc", [1, 2, object()]]
)
def test_anything_but_one_number_per_genome_is_refused(numbers: object) -> None:
    """Wrong counts, shapes and types end in one line."""
    with pytest.raises(FitnessError) as raised:
        replace_non_finite(numbers, 3)  # type: ignore[arg-type]
    one_line(raised.value)


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
