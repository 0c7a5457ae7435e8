"""Real data: tests marked `data` are skipped without GENREG_DATA; with it, a skip is a failure.

No test fails because a machine is slow or busy: hypothesis has no deadline, and takes its time to make examples.
Two things that take seconds are done once or not at all: principal axes of the same scatter, and importing UMAP, which
tests have a stand-in for.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


def pytest_configure() -> None:
    sys.modules.setdefault("umap", None)  # type: ignore[arg-type]


@pytest.fixture(scope="session", autouse=True)
def _axes_are_found_once() -> Iterator[None]:
    """Let runs on the same images share their principal axes."""
    from genreg_np.strategies import axes, filters, genreg_2

    known: dict[tuple[bytes, int], np.ndarray[Any, Any]] = {}

    def longest_axes(scatter: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
        key = hashlib.blake2b(np.ascontiguousarray(scatter)).digest(), count
        if key not in known:
            known[key] = axes.longest_axes(scatter, count)
        return known[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filters, "longest_axes", longest_axes)
        patch.setattr(genreg_2, "longest_axes", longest_axes)
        yield


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let figures be pictures of nothing, where what is tested is not how they look."""
    if importlib.util.find_spec("matplotlib"):
        from PIL import Image  # matplotlib needs it, too

        nothing = Image.new("L", (720, 90))
        monkeypatch.setattr("genreg_np.report.shown.pixels_of", lambda _: nothing)


@pytest.fixture
def unarranged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the parts of figures where they are at first, where what is tested is that they can be drawn."""
    if importlib.util.find_spec("matplotlib"):
        monkeypatch.setattr("matplotlib.layout_engine.ConstrainedLayoutEngine.execute", lambda *_: None)


@pytest.fixture
def coarse(unarranged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw such figures with few dots, too."""
    monkeypatch.setattr("genreg_np.report.shown.DOTS", 30)


@pytest.fixture(scope="session")
def on_ray() -> Iterator[None]:
    """Let engines find a Ray of two processors on this machine."""
    ray = pytest.importorskip("ray", reason="many machines are Ray's")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", address="local")
    yield
    ray.shutdown()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("data") and not os.environ.get("GENREG_DATA"):
        pytest.skip("needs the real MNIST: set GENREG_DATA to its folder")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.get_closest_marker("data") and os.environ.get("GENREG_DATA"):
        report.outcome = "failed"
        report.longrepr = f"GENREG_DATA is set, so this test may not skip: {report.longrepr}"
