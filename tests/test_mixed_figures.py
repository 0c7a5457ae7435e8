"""The report's figures: principal components of the cosines, and files that are images."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from genreg_np.errors import MissingExtraError
from genreg_np.report import figures
from genreg_np.report.figures import draw_all, principal_components
from tests.helpers import one_line


def similarity(seed: int = 0) -> np.ndarray:
    """Return cosines (2, 3, 5, 5) of random networks."""
    weights = np.random.default_rng(seed).normal(size=(2, 3, 5, 8))
    weights /= np.linalg.norm(weights, axis=-1, keepdims=True)
    return (weights @ weights.swapaxes(-1, -2)).astype(np.float32)


def test_principal_components_hold_the_most_variance() -> None:
    """Distances in the plane are those of the best plane: what is left over is the smallest part."""
    matrix = similarity()[0, 0]
    places = principal_components(matrix)
    rows = matrix - matrix.mean(axis=0)
    lengths = np.linalg.svd(rows.astype(np.float64), compute_uv=False)
    assert np.square(places).sum(axis=0) == pytest.approx(np.square(lengths[:2]), rel=1e-5)
    assert abs(places[:, 0] @ places[:, 1]) < 1e-6
    assert places == pytest.approx(principal_components(matrix.copy()))


def test_a_figure_for_each_generation_and_one_over_time() -> None:
    pytest.importorskip("matplotlib")
    files = dict(draw_all(similarity(), ("1", "2a", "2b")))
    assert list(files) == ["generation-000.png", "generation-001.png", "similarity.png"]
    assert all(image.startswith(b"\x89PNG") for image in files.values())


def test_every_network_is_inside_the_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds of ten that have nothing in common lie further out than the published axes reach."""
    pytest.importorskip("matplotlib")
    drawn: list[Any] = []
    monkeypatch.setattr(figures, "png_of", lambda figure: drawn.append(figure) or b"")
    kinds = np.kron(np.eye(2), np.ones((10, 10)))[None, None].astype(np.float32)
    list(draw_all(kinds, ("1",)))
    panel = drawn[0].axes[0]
    (dots,) = panel.collections
    places = np.asarray(dots.get_offsets())
    assert np.abs(places).max() > figures.REACH
    assert np.abs(places).max() < panel.get_xlim()[1] == -panel.get_ylim()[0]


@pytest.mark.parametrize(("count", "most"), [(1, 24), (24, 24), (25, 24), (1000, 24), (9, 8), (8, 8)])
def test_of_many_some_are_drawn_evenly_spread(count: int, most: int) -> None:
    """The first and the last are always among them."""
    chosen = figures.spread_out(count, most)
    assert len(chosen) == len(set(chosen)) == min(count, most)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert np.ptp(np.diff(chosen)) <= 1 if len(chosen) > 2 else True


def test_of_many_generations_and_layers_some_have_a_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand generations are no thousand files, and a hundred parts no figure of 300 inches."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    monkeypatch.setattr(figures, "MOST_GENERATIONS", 3)
    monkeypatch.setattr(figures, "MOST_LAYERS", 2)
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "png_of", lambda figure: drawn.append(figure) or b"")
    many = np.repeat(similarity(), 4, axis=0)
    names = [name for name, _ in draw_all(many, ("1", "2", "3"))]
    assert names == ["generation-000.png", "generation-004.png", "generation-007.png", "similarity.png"]
    *generations, over_time = drawn
    for figure in generations:
        assert len(figure.axes) == 4
        assert "2 of 3 layers and parts" in figure.get_suptitle()
        assert [panel.get_title().split(":")[0] for panel in figure.axes[:2]] == ["layer 1", "layer 3"]
        assert figure.axes[0].get_xlabel() == "first principal component"
        assert figure.axes[0].get_ylabel() == "second principal component"
    (panel,) = over_time.axes
    assert len(panel.lines) == 2
    assert all(tick == round(tick) for tick in panel.get_xticks())


def test_without_matplotlib_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"genreg-np\[plots\]") as raised:
        next(draw_all(similarity(), ("1", "2", "3")))
    one_line(raised.value)
