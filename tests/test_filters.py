"""Filters: within 16 bits, indifferent to brightness, a pure function of seed and images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.errors import UsageError
from genreg_np.strategies import filters
from genreg_np.streams import Stream
from tests.helpers import one_line, patient

IMAGES = (np.random.default_rng(0).random((50, 12, 12)) < 0.3).astype(np.uint8) * np.uint8(200)
LABELS = np.arange(50) % 3


@given(st.sampled_from(filters.SOURCES), st.integers(1, 8), st.integers(3, 7), st.integers(0, 2**64 - 1))
@patient
def test_responses_fit_in_16_bits(source: str, count: int, size: int, seed: int) -> None:
    """Positive and negative taps each sum to at most 128, whatever the source, seed and extents."""
    taps = filters.make(source, IMAGES[:, None], LABELS, count, size, Stream(seed), 0).astype(int)
    assert taps.shape == (count, size, size)
    assert np.maximum(taps, 0).sum((1, 2)).max() <= 128
    assert np.maximum(-taps, 0).sum((1, 2)).max() <= 128


@pytest.mark.parametrize("source", filters.SOURCES)
def test_filters_are_strong_and_nearly_blind_to_brightness(source: str) -> None:
    """Taps nearly cancel: cutting to whole numbers leaves less than half a unit a tap."""
    taps = filters.make(source, IMAGES[:, None], LABELS, 8, 5, Stream(1), 0).astype(int)
    assert np.abs(taps.sum((1, 2))).max() <= 12
    assert np.maximum(taps, 0).sum((1, 2)).min() >= 116


@pytest.mark.parametrize("source", filters.SOURCES)
def test_filters_are_a_function_of_seed_and_number(source: str) -> None:
    """The same again for the same; others for another seed or number."""
    first = filters.make(source, IMAGES[:, None], LABELS, 4, 5, Stream(1), 0)
    assert np.array_equal(first, filters.make(source, IMAGES[:, None], LABELS, 4, 5, Stream(1), 0))
    assert not np.array_equal(first, filters.make(source, IMAGES[:, None], LABELS, 4, 5, Stream(2), 0))
    assert not np.array_equal(first, filters.make(source, IMAGES[:, None], LABELS, 4, 5, Stream(1), 1))


def test_principal_axes_are_orthogonal_and_sorted() -> None:
    """Axes are at right angles, and the patches vary most along the first."""
    patches = filters.draw_patches(IMAGES[:, None], 5, Stream(0), 0)
    axes = filters.principal_axes(patches, 6)
    assert axes @ axes.T == pytest.approx(np.eye(6), abs=1e-9)
    variances = ((patches @ axes.T) ** 2).mean(axis=0)
    assert (np.diff(variances) < 0).all()


def test_clusters_lower_the_distance_to_their_centres() -> None:
    """Lloyd's rounds end nearer to the patches than the patches they began from."""
    patches = filters.draw_patches(IMAGES[:, None], 5, Stream(0), 0)

    def mean_distance(centres: np.ndarray) -> float:
        return float(np.mean([((centres - patch) ** 2).sum(axis=1).min() for patch in patches[:500]]))

    assert mean_distance(filters.cluster_centres(patches, 6)) < 0.95 * mean_distance(patches[:6])


def test_flat_filters_become_zero() -> None:
    """A filter without shape answers nothing; nothing is divided by zero."""
    assert not filters.quantised(np.ones((1, 3, 3))).any()


def test_too_many_axes_are_refused() -> None:
    """Patches of 9 pixels have 8 axes besides their mean."""
    with pytest.raises(UsageError) as raised:
        filters.make("principal", IMAGES[:, None], LABELS, 9, 3, Stream(0), 0)
    assert "patches of 9 pixels have 8 axes, not 9" in one_line(raised.value)


@pytest.mark.parametrize("source", ["principal", "clusters"])
def test_dark_images_have_nothing_to_learn_from(source: str) -> None:
    """One clear line, not an empty average."""
    with pytest.raises(UsageError) as raised:
        filters.make(source, np.zeros_like(IMAGES[:, None]), LABELS, 4, 3, Stream(0), 0)
    assert "blank" in one_line(raised.value)
