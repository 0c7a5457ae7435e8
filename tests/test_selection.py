"""Selection: the most trusted survive, ties go to the lower number, and the roulette follows its weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.strategies import selection
from genreg_np.streams import Stream
from tests.helpers import patient

TRUST = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40).map(np.array)


@patient
@given(TRUST, st.data())
def test_survivors_are_the_most_trusted_best_first_ties_by_number(trust: np.ndarray, data: st.DataObject) -> None:
    """Equal to sorting by (trust falling, number rising), with many ties."""
    count = data.draw(st.integers(1, len(trust)))
    expected = sorted(range(len(trust)), key=lambda genome: (-trust[genome], genome))[:count]
    assert selection.survivors(trust, count).tolist() == expected


def test_genomes_of_equal_trust_survive_by_number() -> None:
    """Where trust says nothing, the number decides."""
    assert selection.survivors(np.zeros(6), 3).tolist() == [0, 1, 2]


@patient
@given(st.integers(1, 10_000), st.floats(0.0001, 1))
def test_at_least_one_and_at_most_all_survive(population: int, cutoff: float) -> None:
    """S = max(1, floor(P * cutoff)) for any population and cutoff."""
    count = selection.survivor_count(population, cutoff)
    assert 1 <= count <= population
    assert count == 1 or count <= population * cutoff < count + 1


def test_published_weights_are_trust_above_the_least_plus_one() -> None:
    """Weights are trust - min(trust) + 1, as in the published code."""
    assert selection.parent_weights(np.array([7.5, 2.0, -3.0]), "published").tolist() == [11.5, 6.0, 1.0]


def test_rank_weights_ignore_the_scale_of_trust() -> None:
    """Weights are S - r, however far apart the survivors are."""
    assert selection.parent_weights(np.array([1e9, 0.1, 0.0]), "rank").tolist() == [3, 2, 1]


@patient
@given(TRUST, st.sampled_from(["published", "rank"]))
def test_parent_weights_are_positive_and_never_prefer_the_less_trusted(trust: np.ndarray, scheme: str) -> None:
    """True of both schemes, ties and negative trust included."""
    weights = selection.parent_weights(np.sort(trust)[::-1], scheme)
    assert (weights > 0).all()
    assert (np.diff(weights) <= 0).all()


@patient
@given(
    st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=12),
    st.integers(2, 60),
    st.integers(0, 2**64 - 1),
    st.integers(0, 99),
)
def test_parents_are_rows_of_the_survivors(weights: list[float], size: int, seed: int, generation: int) -> None:
    """Any weights give valid rows, and elites are their own parents."""
    elites = min(2, len(weights))
    parents = selection.draw_parents(np.array(weights), size, elites, Stream(seed), generation)
    assert parents.shape == (size, 2)
    assert parents.dtype == np.int32
    assert parents.min() >= 0
    assert parents.max() < len(weights)
    assert parents[:elites].tolist() == [[row, row] for row in range(elites)]


def test_the_roulette_follows_its_weights_for_both_parents() -> None:
    """Twenty thousand draws of each parent match the weights within five standard deviations."""
    weights = np.array([6.0, 3.0, 1.0])
    parents = selection.draw_parents(weights, 20_000, 0, Stream(1), 5)
    for column in parents.T:
        expected = 20_000 * weights / weights.sum()
        assert (np.abs(np.bincount(column, minlength=3) - expected) < 5 * expected**0.5).all()


def test_the_two_parents_of_a_child_are_drawn_independently() -> None:
    """All 16 pairs of 4 equal survivors are equally frequent."""
    parents = selection.draw_parents(np.ones(4), 20_000, 0, Stream(1), 5)
    pairs = np.bincount(parents[:, 0] * 4 + parents[:, 1], minlength=16)
    assert np.abs(pairs - 1250).max() < 5 * 1250**0.5


def test_parents_differ_between_generations_and_seeds() -> None:
    """Each generation of each seed has a draw of its own."""
    draws = [
        selection.draw_parents(np.ones(50), 50, 0, Stream(seed), generation).tobytes()
        for seed, generation in ((1, 1), (1, 2), (2, 1))
    ]
    assert len(set(draws)) == 3


@pytest.mark.parametrize("scheme", ["published", "rank"])
def test_elites_do_not_change_the_parents_of_the_others(scheme: str) -> None:
    """A child's parents depend on its number, not on how many elites come before it."""
    weights = selection.parent_weights(np.array([3.0, 2.0, 1.0]), scheme)
    without = selection.draw_parents(weights, 9, 0, Stream(1), 1)
    assert np.array_equal(selection.draw_parents(weights, 9, 2, Stream(1), 1)[2:], without[2:])
