"""Two objectives: who dominates whom, and a search for both."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from genreg_np.search.folder import trials_in
from genreg_np.search.pareto import by_levels, crowding, front_of, levels
from genreg_np.search.trials import Trial, leaders_of
from tests.search.helpers import search


def trial(number: int, score: float, parameters: int, status: str = "ok", rung: int = 0) -> Trial:
    return Trial(number, number, rung, {}, {}, score=score, parameters=parameters, status=status)


@pytest.mark.parametrize("seed", range(4))
def test_levels_are_what_domination_makes_of_them(seed: int) -> None:
    """By the definition, one by one; equal individuals are of one level."""
    rng = np.random.default_rng(seed)
    scores, costs = rng.integers(0, 6, 30) / 6, rng.integers(1, 7, 30).astype(float)
    found, left = np.empty(30, int), set(range(30))
    level = 0
    while left:
        front = {
            one for one in left
            if not any(
                scores[other] >= scores[one] and costs[other] <= costs[one]
                and (scores[other] > scores[one] or costs[other] < costs[one])
                for other in left
            )
        }  # fmt: skip
        found[list(front)] = level
        left -= front
        level += 1
    assert (levels(scores, costs) == found).all()


def test_ends_and_empty_places_count_more() -> None:
    scores, costs = np.array([0.1, 0.2, 0.8, 0.85, 0.9]), np.array([1.0, 2.0, 50.0, 60.0, 100.0])
    found = crowding(scores, costs)
    assert np.isinf(found[[0, 4]]).all()
    assert found[1] > found[2] > found[3] > 0


def test_trials_are_compared_by_both() -> None:
    """The front first; whoever failed stays last."""
    trials = [trial(0, 0.9, 900), trial(1, 0.8, 100), trial(2, 0.7, 500), trial(3, -np.inf, 1, "crash")]
    found = {one.number: one for one in by_levels("parameters")(trials)}
    order = sorted(found, key=lambda number: found[number].rank, reverse=True)
    assert set(order[:2]) == {0, 1}
    assert order[2:] == [2, 3]
    assert found[3] == trials[3]


def test_the_front_is_of_individuals_as_they_were_at_their_highest_rung() -> None:
    trials = [
        trial(0, 0.9, 900), trial(1, 0.8, 100), trial(2, 0.7, 500), trial(3, 0.95, 950),
    ]  # fmt: skip
    assert [one.number for one in front_of(trials, "parameters")] == [1, 0, 3]
    assert front_of(trials[:1], "parameters") == trials[:1]
    assert front_of([], "parameters") == []
    promoted = dataclasses.replace(trial(9, 0.75, 100, rung=1), child=trials[1].child)
    assert [one.number for one in front_of([*trials, promoted], "parameters")] == [9, 0, 3]


def test_ends_of_a_front_are_told_apart_by_the_score() -> None:
    """Both have no neighbour on one side: who scores more goes on first."""
    found = by_levels("parameters")([trial(0, 0.1, 10), trial(1, 0.9, 900), trial(2, 0.5, 100)])
    assert max(found, key=lambda one: one.rank).number == 1


def test_individuals_are_ranked_by_their_scores_whatever_their_rungs() -> None:
    few, many = trial(0, 0.9, 10), trial(1, 0.8, 10, rung=1)
    assert [one.number for one in leaders_of([many, few])] == [0, 1]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_search_for_small_ones_finds_smaller_ones(seed: int, tmp_path: Path) -> None:
    """Its later individuals are smaller in the middle than those of a search for the metric alone."""
    sizes, how = {}, {"generations": 4, "final_seeds": 1, "selection": "crossover", "rungs": (500,), "seed": seed}
    for second in ("", "parameters"):
        found = search(tmp_path / f"run{second}", second=second, **how)
        later = [one.parameters for one in trials_in(found.folder / "trials.jsonl") if one.child >= 12]
        sizes[second] = float(np.median(later))
    assert sizes["parameters"] < 0.9 * sizes[""]
