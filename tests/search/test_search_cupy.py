"""A search whose individuals learn on a GPU, over the stand-in: they come to what they come to on a CPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from genreg_np.search.folder import trials_in
from genreg_np.search.lessons import base
from tests.helpers import standin
from tests.search.helpers import bars, search


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in, in place of the module cupy; no backend of other tests is kept, nor this one for them."""
    module = standin()
    monkeypatch.setitem(sys.modules, "cupy", module)
    for cached in (base.backend_for, base.part_there):
        cached.cache_clear()
    yield module
    for cached in (base.backend_for, base.part_there):
        cached.cache_clear()


@pytest.mark.parametrize(
    "what",
    [
        {"folds": 1},
        pytest.param({"folds": 0}, marks=pytest.mark.soak),
        {"folds": 1, "head": "prototypes"},
        {"folds": 1, "kind": "autoencoder", "metric": "psnr", "max_macs": 200_000, "max_parameters": 8000},
    ],
)
def test_individuals_learn_on_a_gpu(cupy: Any, what: dict[str, Any], tmp_path: Path) -> None:
    """The first population, whose genomes no result decides: the same but for what rounding decides."""
    how: dict[str, Any] = {"selection": "random", "generations": 1, "final_seeds": 1, "max_epochs": 3.0, **what}
    measured = "squared-error" if "kind" in what else "log-loss"
    gpu = search(tmp_path / "gpu", bars(60), backend="cupy", **how)
    assert sum(cupy.transfers["up"]) > 0
    cpu = search(tmp_path / "cpu", bars(60), backend="numpy", **how)
    pairs = zip(
        *(sorted(trials_in(f.folder / "trials.jsonl"), key=lambda t: t.number) for f in (gpu, cpu)), strict=True
    )
    for one, other in pairs:
        if one.rung == 0:
            assert one.genome == other.genome
            assert one.metrics[measured] == pytest.approx(other.metrics[measured], rel=0.05, abs=0.02)


@pytest.mark.parametrize("genes", ["", "pack = 2\nshift = 1\nflip = true\ninstance_noise = 0.1\nspectral = true"])
def test_pairs_learn_on_a_gpu(cupy: Any, genes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator and a discriminator, judged there: what a CPU comes to, but for what rounding decides."""
    monkeypatch.setattr("genreg_np.search.gan.health.removed", lambda *told: "")  # so few steps are no health yet
    how: dict[str, Any] = {
        "genome": genes, "conditional": bool(genes),
        "kind": "gan", "metric": "fitness", "selection": "random", "generations": 1, "population": 1, "final_seeds": 1,
        "rungs": (128,), "begin": "hand-made", "max_macs": 0, "max_parameters": 0,
    }  # fmt: skip
    search(tmp_path / "gpu", bars(490), backend="cupy", **how)
    assert sum(cupy.transfers["up"]) > 0
    search(tmp_path / "cpu", bars(490), backend="numpy", **how)
    (gpu,), (cpu,) = (list(trials_in(tmp_path / name / "trials.jsonl")) for name in ("gpu", "cpu"))
    for name in ("fcd", "coverage", "tvd", "copying"):
        assert gpu.metrics[name] == pytest.approx(cpu.metrics[name], rel=0.05, abs=0.02)
