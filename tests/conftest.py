"""Real data: tests marked `data` are skipped without GENREG_DATA; with it, a skip is a failure.

No test fails because a machine is slow or busy: hypothesis has no deadline, and takes its time to make examples.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let figures be pictures of nothing, where what is tested is not how they look."""
    if importlib.util.find_spec("matplotlib"):
        from PIL import Image  # matplotlib needs it, too

        nothing = Image.new("L", (720, 90))
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _, file, **__: nothing.save(file, "PNG"))


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures with few dots, where what is tested is that they can be drawn."""
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
