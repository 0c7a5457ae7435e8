"""The report's figures: principal components of the cosines, and files that are images."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np.errors import MissingExtraError
from genreg_np.hybrid.figures import draw_all, principal_components
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


def test_a_figure_for_each_generation_and_one_over_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = draw_all(tmp_path / "figures", similarity(), ("1", "2a", "2b"))
    assert [file.name for file in files] == ["generation-000.png", "generation-001.png", "similarity.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_without_matplotlib_the_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"genreg-np\[plots\]") as raised:
        draw_all(tmp_path, similarity(), ("1", "2", "3"))
    one_line(raised.value)
