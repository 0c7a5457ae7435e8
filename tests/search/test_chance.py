"""Bred individuals against random ones: what is said is what the scores say."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest

from genreg_np.search.chance import against_random, is_bred, is_random
from genreg_np.search.pareto import by_levels
from genreg_np.search.selections.base import UNSELECTED
from genreg_np.search.trials import Trial


def trials(bred: Sequence[float], random: Sequence[float], made: Sequence[float] = ()) -> list[Trial]:
    """Return trials with these scores; one that failed has minus infinity."""
    sides = [*((one, (0,), "mutated: x") for one in bred), *((one, (), "random") for one in random)]
    sides += [(one, (), "made by hand") for one in made]
    return [
        Trial(n, n, 0, {}, {}, parents, how, score=score, status="ok" if score > -math.inf else "crash")
        for n, (score, parents, how) in enumerate(sides)
    ]


def test_the_share_is_that_of_all_pairs() -> None:
    """Equal ones count half, those that failed are last, and hand-made ones are left out."""
    rng = np.random.default_rng(0)
    bred, random = rng.integers(0, 9, 30).astype(float), rng.integers(0, 9, 20).astype(float)
    bred[:3], random[:2] = -np.inf, -np.inf
    found = against_random(trials(bred.tolist(), random.tolist(), [99.0] * 5))
    pairs = np.sign(bred[:, None] - np.where(np.isinf(random), -1e9, random)[None])
    pairs[:3, :2] = 0
    assert (found.bred, found.random) == (30, 20)
    assert found.share == pytest.approx((pairs.mean() + 1) / 2)
    assert found.low < found.share < found.high


@pytest.mark.parametrize(
    ("shift", "verdict", "said"),
    [(3.0, "better", "better than it"), (0.0, "not better", "not better than it"), (-3.0, "worse", "worse than it")],
)
def test_what_the_interval_holds_is_the_verdict(shift: float, verdict: str, said: str) -> None:
    scores = np.random.default_rng(1).normal(size=60)
    found = against_random(trials((scores[:40] + shift).tolist(), scores[40:].tolist()))
    assert found.verdict == verdict
    assert f"against random search: {said}" in found.words
    assert "40 bred, 20 random" in found.words
    assert found.plain()["interval"] == [found.low, found.high]


@pytest.mark.parametrize(("bred", "random"), [(7, 20), (20, 7), (0, 24), (0, 0)])
def test_few_say_nothing(bred: int, random: int) -> None:
    found = against_random(trials([1.0] * bred, [0.0] * random))
    assert (found.share, found.verdict, found.plain()["interval"]) == (None, "too few to say", None)
    assert f"too few to say ({bred} bred, {random} random" in found.words


def test_the_interval_holds_what_is_so_as_often_as_it_says() -> None:
    """Of independent individuals: 19 times in 20, here of 400."""
    rng, held = np.random.default_rng(2), 0
    truth = 0.5 * (1 + math.erf(0.5 / 2))  # of normal scores half a deviation apart
    for _ in range(400):
        found = against_random(trials(rng.normal(0.5, 1, 40).tolist(), rng.normal(size=20).tolist()))
        held += found.low <= truth <= found.high
    assert 360 <= held <= 396


@pytest.mark.parametrize(
    ("how", "parents", "random", "bred"),
    [
        ("random", (), True, False),
        ("model: random", (), True, False),
        ("policy: random", (), True, False),
        ("policy: random, with the model of 6", (), False, False),
        ("policy: mutated: shift, with the model of 6", (2,), False, True),
        ("made by hand", (), False, False),
        (f"{UNSELECTED}: filters_1", (3,), False, False),
    ],
)
def test_only_what_is_random_as_a_whole_is_random(how: str, parents: tuple[int, ...], random: bool, bred: bool) -> None:
    """And only what was bred from selected parents is bred."""
    trial = Trial(9, 9, 0, {}, {}, parents, how)
    assert (is_random(trial), is_bred(trial)) == (random, bred)


def test_two_objectives_are_compared_by_both() -> None:
    """Bred ones that score less, but are on the front as they cost less, are better than random ones that are not."""
    ones = trials([0.5 + n / 100 for n in range(10)], [0.6] * 10)
    costs = [*range(10, 20), *[500] * 10]
    both = [dataclasses.replace(one, parameters=cost) for one, cost in zip(ones, costs, strict=True)]
    found = against_random(both, "parameters")
    levels = {one.number: -one.score for one in by_levels("parameters")(both)}
    assert set(levels.values()) == {0.0}  # none costs less and scores more
    assert (found.share, found.verdict) == (0.5, "not better")
    assert against_random(both).verdict == "worse"
    cheap = [dataclasses.replace(one, score=0.6) if one.parents else one for one in both]
    found = against_random(cheap, "parameters")
    assert found.share == 1.0
    assert "at the first rung, by the Pareto front of score and parameters (95 %" in found.words
    assert against_random(cheap).share == 0.5


def test_pairs_that_break_rules_are_below_all_others() -> None:
    ones = trials([9.0] * 10, [1.0] * 10)
    broken = [Trial(**{**vars(one), "metrics": {"violations": float(bool(one.parents))}}) for one in ones]
    assert against_random(broken).share == 0.0
    assert against_random(ones).share == 1.0
