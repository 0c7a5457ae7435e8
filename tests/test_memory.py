"""Settings that ask for more memory than there is are refused before any of it is taken, with what would fit."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest

from genreg_np.backends import memory
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.errors import UsageError
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import REGISTRY
from tests.helpers import evolution, one_line, strategies_for, tiny_config, tiny_dataset

LIMIT = 8 << 20
POPULATIONS = [name for name in REGISTRY if "population_size" in vars(evolution(strategy=name).config.options)]


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 8 MiB."""
    monkeypatch.setattr(NumpyBackend, "memory", lambda backend: LIMIT)


def refused(within: int = LIMIT, **settings: object) -> str:
    """Return the line with which settings are refused, which must not take their memory first."""
    tracemalloc.start()
    try:
        with pytest.raises(UsageError) as raised:
            evolution(**settings)
        assert tracemalloc.get_traced_memory()[1] < within
    finally:
        tracemalloc.stop()
    return one_line(raised.value)


@pytest.mark.usefixtures("small_machine")
@pytest.mark.parametrize("strategy", [name for name in strategies_for("population too large") if name in POPULATIONS])
def test_a_population_too_large_names_the_largest_that_fits(strategy: str) -> None:
    """The one named fits, and one more does not."""
    most = {"mixed": 1000}.get(strategy, 1_000_000)
    settings = {"strategy": strategy, "hidden": [400]}
    line = refused(**settings, population_size=most)
    assert "but there are 8 MB" in line
    fits = int(re.search(r"population_size = ([\d,]+) would fit", line)[1].replace(",", ""))
    made = evolution(**settings, population_size=fits)
    assert str(made.plan()).endswith((" 7 MB", " 8 MB"))
    assert f"population_size = {fits:,} would fit" in refused(**settings, population_size=fits + 1)


@pytest.mark.usefixtures("small_machine")
@pytest.mark.parametrize("strategy", strategies_for("layers too large"))
@pytest.mark.parametrize("hidden", [[10**5], [10**9, 10**9], [2000] * 100])
def test_layers_too_large_are_refused(strategy: str, hidden: list[int]) -> None:
    """A network that does not fit even once is refused by every strategy."""
    assert refused(strategy=strategy, hidden=hidden).endswith("choose fewer or smaller hidden layers")


@pytest.mark.usefixtures("small_machine")
def test_features_too_many_are_refused() -> None:
    """A bank's features are held for every copy of every image."""
    bank = {"detectors": 1000, "copies": 100, "detector_size": 3, "window": 2, "stride": 1}
    line = refused(64 << 20, strategy="detector-bank", **bank)  # 165 MB, did it not refuse them
    assert "choose fewer detectors or copies" in line


def test_a_change_in_mid_run_is_held_to_the_same_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the run goes on as it was."""
    run = evolution()
    run.run(1)
    monkeypatch.setattr(NumpyBackend, "memory", lambda backend: 1 << 20)
    with pytest.raises(UsageError, match="would fit"):
        run.change(population_size=1_000_000)
    assert run.run(2) == "generations"


def test_more_hidden_layers_than_anybody_needs_are_refused() -> None:
    """Three hundred thousand take seconds to describe, and minutes to count."""
    with pytest.raises(UsageError, match="hidden has 300,000 numbers, but must have at most 256"):
        tiny_config(hidden=[1] * 300_000)


def test_the_settings_of_a_stranger_are_refused_at_once() -> None:
    """A million networks of two thousand units, on any machine of less than a terabyte."""
    config = TrainConfig.from_dict({"population_size": 1_000_000, "hidden": [2000]})
    with pytest.raises(UsageError, match=r"population_size = .* would fit"):
        Evolution(config, tiny_dataset(), backend="numpy")


def test_memory_is_the_machines_or_the_containers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container's limit counts where there is one; where nothing is said there is none."""
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path / "memory.max")
    whole = memory.physical()
    assert whole > 1 << 28
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.physical() == whole
    (tmp_path / "memory.max").write_text("134217728\n")
    assert memory.physical() == 1 << 27
