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


def test_templates_are_the_weights_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
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
    (picture,) = pictures_in(drawn_by(Subject("hidden", hidden))["weights"])
    assert "the 16 of the largest weights of 70 units" in picture.says, "more grain tells no more"
    monkeypatch.setattr(weights, "GRAINY", -1)
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


def test_columns_of_a_table_are_told_by_how_their_weights_have_grown() -> None:
    """Large weights tell nothing of a column: at the start they were as large. Where that is not known, nothing is."""
    assert "Compared" not in weights.section(Subject("table", STANDARDISED)).words  # type: ignore[union-attr]
    first = STANDARDISED.network.learning[0].parameters[0]
    columns = first.shape[1]
    growth = np.ones(columns, np.float32)
    for changed, said in ((1.0, "no column's weights have grown"), (9.0, "column 2 (x 9)")):
        growth[1] = changed
        genes = STANDARDISED.genes.copy()
        genes[: first.size] = (genes[: first.size].reshape(-1, columns) / growth).ravel()
        subject = Subject("table", STANDARDISED)
        subject.__dict__["initial"] = genes
        shown = weights.section(subject)
        assert shown is not None
        assert said in shown.words


def test_filters_of_one_kind_share_a_sentence() -> None:
    shown = weights.section(Subject("colour", exhibit_of("colour, filters of two sizes").model))
    assert shown is not None
    assert shown.words.startswith("The 8 filters of layers 1.0.0 and 1.1.0 (detectors) see 2 x 2 and 3 x 3 pixels at a")
    assert shown.words.count("differences") == 1


@pytest.mark.parametrize(
    ("even", "said"),
    [
        (0, "at a time; all of them see brightness, none only differences."),
        (
            1,
            "1 of them see differences (their positive and negative weights nearly cancel), "
            "the others also brightness.",
        ),
        (3, "at a time; all of them see differences (their positive and negative weights nearly cancel)."),
    ],
)
def test_there_are_no_others_where_all_filters_are_alike(even: int, said: str) -> None:
    filters = np.ones((3, 4, 4))
    filters[:even, :2] = -1
    (words,) = weights._filters_in_words([weights.Seen("layer 0, detectors", "detectors", filters)])
    assert said in words


def test_grain_and_shapes_are_told_apart() -> None:
    """By how alike neighbouring weights are."""
    rng = np.random.default_rng(0)
    assert abs(weights.alikeness(rng.normal(size=(20, 12, 12)))) < 0.1
    smooth = np.cumsum(np.cumsum(rng.normal(size=(20, 12, 12)), axis=1), axis=2)
    assert weights.alikeness(smooth) > 0.9
    assert math.isnan(weights.alikeness(np.zeros((2, 3, 3))))
