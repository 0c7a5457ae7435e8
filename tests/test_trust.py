"""Trust: the closed form is the published code's loop over images, one after another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.strategies import trust
from tests.helpers import patient

NUMBERS = st.floats(-20, 20, allow_nan=False)


@patient
@given(NUMBERS, st.lists(NUMBERS, max_size=60), st.floats(0, 1))
def test_the_closed_form_equals_the_loop_image_after_image(before: float, scores: list[float], decay: float) -> None:
    """The loop is trust <- trust * (1 - decay) + score, one image at a time, for any scores and decay."""
    slow = before
    for score in scores:
        slow = slow * (1 - decay) + score
    earned = np.array([np.dot(trust.image_weights(len(scores), decay, "image"), scores)])
    fast = trust.accumulate(np.array([before]), earned, len(scores), decay, "image")
    assert fast[0] == pytest.approx(slow, rel=1e-9, abs=1e-9)


@patient
@given(NUMBERS, st.lists(NUMBERS, max_size=60), st.floats(0, 1))
def test_decay_per_generation_decays_once(before: float, scores: list[float], decay: float) -> None:
    """The README's variant: one decay, then the sum of all scores."""
    weights = trust.image_weights(len(scores), decay, "generation")
    assert (weights == 1).all()
    after = trust.accumulate(np.array([before]), np.array([sum(scores)]), len(scores), decay, "generation")
    assert after[0] == pytest.approx(before * (1 - decay) + sum(scores), rel=1e-9, abs=1e-9)


def test_without_decay_every_image_counts_alike_and_trust_is_kept() -> None:
    """A decay of 0 is plain accumulation."""
    assert (trust.image_weights(7, 0.0, "image") == 1).all()
    assert trust.accumulate(np.array([3.0]), np.array([4.0]), 7, 0.0, "image")[0] == 7


def test_later_images_count_more() -> None:
    """An image decays once for each image after it."""
    weights = trust.image_weights(3, 0.5, "image")
    assert weights.tolist() == [0.25, 0.5, 1.0]


@pytest.mark.parametrize(("one_parent", "expected"), [(False, [0.1 * 30, 0.1 * 40]), (True, [0.1 * 10, 0.1 * 20])])
def test_children_inherit_from_both_parents_or_from_one(one_parent: bool, expected: list[float]) -> None:
    """With crossover a child begins with a share of its parents' sum, without with that of the one parent."""
    begin = trust.inherit(np.array([10.0, 20.0]), np.array([[0, 1], [1, 1]]), 0.1, 0, one_parent)
    assert begin == pytest.approx(expected)


@pytest.mark.parametrize("one_parent", [False, True])
def test_elites_keep_all_their_trust(one_parent: bool) -> None:
    """Elites are not children: they are not cut down to the inherited share."""
    survivors = np.array([10.0, -4.0, 1.0])
    begin = trust.inherit(survivors, np.array([[0, 0], [1, 1], [2, 2]]), 0.03, 2, one_parent)
    assert begin[:2].tolist() == [10.0, -4.0]
    assert begin[2] == pytest.approx(0.03 if one_parent else 0.06)


def test_inheriting_leaves_the_survivors_trust_alone() -> None:
    """The argument is read, never written."""
    survivors = np.array([10.0, 20.0])
    trust.inherit(survivors, np.array([[0, 1], [1, 0]]), 0.5, 1, False)
    assert survivors.tolist() == [10.0, 20.0]
