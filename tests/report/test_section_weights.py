"""Weights: filters and templates are those of the model, the largest first."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.model import Network
from genreg_np.report.sections import weights
from genreg_np.report.subject import Subject
from tests.helpers import STANDARDISED, model_of
from tests.report.subjects import drawn_by, pictures_in
from tests.zoo import exhibit_of

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


def test_templates_are_the_weights_of_pixels() -> None:
    """Of a head straight on pixels in the order of its classes; of a hidden layer by norm, largest first."""
    head = model_of(Network((4, 5), (Dense(20, 3),)))
    (seen,) = weights.seen_by(head.header["network"]["layers"], head.arrays, head.input_shape)
    assert seen.pictures is not None
    np.testing.assert_array_equal(seen.pictures.reshape(3, 20), head.arrays["layers.0.weight"])
    assert seen.noun == "output"
    (picture,) = pictures_in(drawn_by(Subject("head", head))["weights"])
    positive = 100 * (head.arrays["layers.0.weight"] > 0).mean()
    assert f"the 3 outputs of layer 0, dense, 4 x 5 pixels each; {positive:.0f} % of all weights" in picture.says
    hidden = model_of(Network.build((4, 5), (70,), 3))
    (seen,) = weights.seen_by(hidden.header["network"]["layers"], hidden.arrays, hidden.input_shape)
    norms = np.linalg.norm(hidden.arrays["layers.0.weight"], axis=1)
    order = weights.strongest(seen.weights)
    assert len(order) == 64
    assert np.all(np.diff(norms[order]) <= 0)
    assert norms[order].min() >= np.delete(norms, order).max()
    (picture,) = pictures_in(drawn_by(Subject("hidden", hidden))["weights"])
    assert "the 64 of the largest weights of 70 units" in picture.says
    assert f"{norms.max():.3g} (unit {norms.argmax()}) down to {norms.min():.3g}" in picture.says


def test_filters_of_every_branch_are_seen() -> None:
    """In colour, of two sizes; a second stage sees no pixels, and neither does a head after detectors."""
    model = exhibit_of("colour, filters of two sizes").model
    found = list(weights.seen_by(model.header["network"]["layers"], model.arrays, model.input_shape))
    assert [one.where for one in found] == ["layer 1.0.0, detectors", "layer 1.1.0, detectors"]
    for one, size in zip(found, (2, 3), strict=True):
        assert one.pictures is not None
        assert one.pictures.shape == (4, size, size, 3)
        kept = model.arrays[f"layers.{one.where[6:].split(',')[0]}.filters"]
        np.testing.assert_array_equal(one.pictures[:, 1, 0, 2], kept[:, 2, 1, 0])
    shown = drawn_by(Subject("colour", model))["weights"]
    assert [part.name for part in pictures_in(shown)] == ["weights-1", "weights-2"]


@pytest.mark.parametrize(("channels", "shape"), [(1, (6, 3, 3)), (3, (6, 3, 3, 3)), (5, (6, 3, 3))])
def test_filters_of_three_pixels_are_no_colours(channels: int, shape: tuple[int, ...]) -> None:
    """Channels of a filter are its second axis, whatever its size."""
    layers = (Convolution((channels, 8, 8), 6, 3), Dense(6 * 36, 3))
    model = model_of(Network((channels, 8, 8), layers))
    (seen,) = weights.seen_by(model.header["network"]["layers"], model.arrays, model.input_shape)
    assert seen.pictures is not None
    assert seen.pictures.shape == shape


def test_weights_of_integers_and_wide_tables_are_not_shown() -> None:
    """Each unit of integers has a scale of its own; a wide table has no room."""
    assert weights.section(Subject("int8", exhibit_of("int8, relu").model)) is None
    assert weights.section(Subject("wide", model_of(Network.build((41,), (4,), 2), input_range=None))) is None
    assert weights.section(Subject("none", model_of(Network.build((4, 4), (), 2)))) is not None


def test_columns_of_a_table_are_told_by_their_weights() -> None:
    """The one with the largest first."""
    shown = weights.section(Subject("table", STANDARDISED))
    assert shown is not None
    sizes = np.abs(STANDARDISED.arrays["layers.1.weight"]).mean(axis=0)
    order = np.argsort(-sizes)
    assert f"most counts column {order[0] + 1} ({sizes[order[0]]:.2g}), column {order[1] + 1}" in shown.words
    assert f"least column {order[-1] + 1} ({sizes[order[-1]]:.2g})." in shown.words


def test_grain_and_shapes_are_told_apart() -> None:
    """By how alike neighbouring weights are."""
    rng = np.random.default_rng(0)
    assert abs(weights.alikeness(rng.normal(size=(20, 12, 12)))) < 0.1
    smooth = np.cumsum(np.cumsum(rng.normal(size=(20, 12, 12)), axis=1), axis=2)
    assert weights.alikeness(smooth) > 0.9
    assert math.isnan(weights.alikeness(np.zeros((2, 3, 3))))
