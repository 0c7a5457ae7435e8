"""Steps of dense pairs by kernels: the same bytes as the layers' own, and no copies that products do not need."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genreg_np.search.gan import pair
from genreg_np.streams import Stream
from tests.search.test_gan_pair import STREAM, WAYS, after, context_of


@pytest.mark.parametrize("how", [*WAYS.values(), {"average": 0.9, "turns": 2}, {"losses": ("hinge", "wasserstein")}])
def test_dense_pairs_are_the_same_bytes_by_kernels(how: dict[str, Any]) -> None:
    """Layers by kernels reuse their memory: what a second pass needs of the first is not overwritten."""
    one, other = (after(context_of(backend=backend, maps=False, **how), 4) for backend in ("numpy", "numba"))
    for side in ("generators", "discriminator"):
        for array in pair.ARRAYS:
            np.testing.assert_array_equal(getattr(getattr(one, side), array), getattr(getattr(other, side), array))
    np.testing.assert_array_equal(one.average, other.average)


@pytest.mark.parametrize("maps", [True, False])
def test_images_are_copied_into_columns_only_for_layers_of_maps(maps: bool) -> None:
    context = context_of(maps=maps)
    step = pair._Step(pair.start(context, STREAM, Stream(6)), context, STREAM)
    rows = context.images[:8]
    columns = step._seen(rows.T, np.zeros(8, np.int64)).columns
    np.testing.assert_array_equal(columns, rows.T)
    assert np.shares_memory(columns, rows) == (not maps)
    assert columns.flags.c_contiguous == maps


def test_huge_weights_are_those_of_a_pair_that_diverged() -> None:
    state = pair.start(context_of(), STREAM, Stream(6))
    assert state.is_finite()
    for side in (state.generators, state.discriminator):
        for value in (np.nan, np.inf, -np.inf):
            own = side.genes[0, -1].copy()
            side.genes[0, -1] = value
            assert not state.is_finite()
            side.genes[0, -1] = own
    assert state.is_finite()
