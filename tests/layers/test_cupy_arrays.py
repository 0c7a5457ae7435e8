"""Every kind of layer on CuPy's arrays, by the stand-in, which refuses what CuPy has not: NumPy's numbers come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.layers import REGISTRY, convolution, layer_class
from genreg_np.layers.base import Layer, Passing
from genreg_np.streams import Stream
from tests.helpers import standin


def passed(layer: Layer, arrays: list[Any], values: Any, weights: Any, training: bool) -> list[Any]:
    """Return all that a pass forward and back gives, and the statistics after it."""
    found, kept = layer.forward(arrays, values, Passing(training, Stream(1), 2))
    by_input, by_parameters = layer.backward(arrays, kept, weights)
    return [found, by_input, *by_parameters, *arrays[len(layer.parameters) :]]


@pytest.mark.parametrize("kind", list(REGISTRY))
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_cupy_arrays_give_what_numpys_give(kind: str, shared: bool, training: bool) -> None:
    check(*layer_class(kind).example(), shared, training)


@pytest.mark.parametrize("shared", [True, False])
def test_convolutions_of_much_go_tap_by_tap(monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    monkeypatch.setattr(convolution, "UNROLLED_BYTES", 0)
    monkeypatch.setattr(convolution.Convolution, "_unrolled", None)
    check(*convolution.Convolution.example(), shared, training=True)


def check(layer: Layer, shape: tuple[int, ...], shared: bool, training: bool) -> None:
    """Compare a layer's passes."""
    try:
        layer.check_gradient()
    except UsageError as error:
        pytest.skip(str(error))
    module, rng = standin(), np.random.default_rng(0)
    arrays = [rng.uniform(0.5, 2, (2, *one.shape)).astype(np.float32) for one in (*layer.parameters, *layer.statistics)]
    values = rng.normal(size=(*(() if shared else (2,)), int(np.prod(shape)), 3)).astype(np.float32)
    weights = rng.normal(size=(2, int(np.prod(layer.output_shape(shape))), 3)).astype(np.float32)
    on_device = [module.asarray(array) for array in (*arrays, values, weights)]
    expected = passed(layer, arrays, values, weights, training)
    found = passed(layer, on_device[:-2], on_device[-2], on_device[-1], training)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, module.ndarray)
        assert one.dtype == other.dtype == np.float32
        assert np.allclose(module.asnumpy(one), other, rtol=1e-5, atol=1e-6)
