"""A user's settings of matplotlib do not get into a page: its bytes are the same, and nothing fails for them."""

from __future__ import annotations

import logging

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="its settings")

import matplotlib as mpl

from genreg_np.report.figures import draw_all
from genreg_np.report.page import page_of
from tests.report.subjects import answering

SETTINGS = [
    {"text.usetex": True},
    {"font.family": "no font of that name"},
    {"axes.grid": True, "lines.linewidth": 9.0, "savefig.transparent": True, "savefig.bbox": "tight"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_page_has_none_of_a_users_settings(settings: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    """And they are as they were afterwards."""
    plain = page_of([answering([0, 1, 1], [0, 0, 1], 2)])
    with mpl.rc_context(settings), caplog.at_level(logging.WARNING):
        assert page_of([answering([0, 1, 1], [0, 0, 1], 2)]) == plain
        assert all(mpl.rcParams[name] in (value, [value]) for name, value in settings.items())
    assert not caplog.records


@pytest.mark.parametrize("settings", SETTINGS)
def test_so_are_figures_of_mixed(settings: dict[str, object]) -> None:
    similarity = np.ones((2, 1, 3, 3), np.float32)
    plain = list(draw_all(similarity, ("0",)))
    with mpl.rc_context(settings):
        assert list(draw_all(similarity, ("0",))) == plain
