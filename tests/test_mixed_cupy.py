"""Mixed evolution on a GPU, over the stand-in: what is brought down, and that a population is measured there."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from genreg_np.report.attacks import PAPER_FGSM, Attack
from genreg_np.report.measure import Measured, measure
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from tests.helpers import standin
from tests.test_mixed import DATASET, SMALL


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in, in place of the module cupy."""
    module = standin()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def run(backend: str = "cupy", **changes: Any) -> Evolution:
    """Return a small run."""
    return Evolution(TrainConfig.from_dict(SMALL | changes), DATASET, backend=backend)


@pytest.mark.parametrize(("validate_every", "genomes"), [(1000, 0), (1, 1)])
def test_a_generation_brings_down_no_genome_but_the_champion(cupy: Any, validate_every: int, genomes: int) -> None:
    """Cosines, finiteness, accuracy and distances are found there; a look at validation takes the fittest network."""
    evolution = run(validate_every=validate_every, generations=9)
    evolution.step()
    for counts in cupy.transfers.values():
        counts.clear()
    evolution.step()
    one, networks, layers = 4 * evolution.network.gene_count, 6 + 2, 3
    down = cupy.transfers["down"]
    assert down.count(one) == genomes
    rest = sum(down) - genomes * one
    logits = 4 * len(DATASET.validation) * len(DATASET.class_names) if genomes else 0
    distance = 8 * genomes
    cosines, losses, finite, scores = 4 * layers * networks**2, 4 * networks, networks, 16 * networks
    assert rest == logits + distance + cosines + losses + finite + scores


def test_a_network_astray_is_replaced_on_the_device(cupy: Any) -> None:
    """Its weights are looked at where they are."""
    evolution = run(newcomers=0.0)
    population = cupy.asnumpy(evolution.state.population)
    population[1:] *= np.float32(1e12)
    evolution.state = evolution.state.__class__(**vars(evolution.state) | {"population": cupy.asarray(population)})
    evolution.change(child_mutation_rate=0.01, mutation_scale=1000.0, learning_rate=0.5)
    with np.errstate(all="ignore"):
        evolution.step()
    assert evolution.state.dropped > 0
    assert np.isfinite(cupy.asnumpy(evolution.state.population)).all()


def test_a_population_is_measured_on_a_gpu(cupy: Any) -> None:
    """The same pairings and, but for what rounding decides, the same numbers as on a CPU."""
    found: list[Measured] = []
    for backend in ("cupy", "numpy"):
        evolution = run(backend)
        evolution.run()
        attacks = [PAPER_FGSM, Attack("fgsm", 0.1), Attack("pgd", 0.1)]
        found.append(measure(evolution, attacks, 20))
    gpu, cpu = found
    assert gpu.similarity == pytest.approx(np.array(cpu.similarity), abs=1e-4)
    assert gpu.test == pytest.approx(cpu.test, abs=0.04)
    assert gpu.baselines == pytest.approx(cpu.baselines, abs=0.04)
    names = ("attack", "pairing", "targets", "images")
    for one, other in zip(gpu.attacks, cpu.attacks, strict=True):
        assert [one[name] for name in names] == [other[name] for name in names]
        assert one["attacked"] == pytest.approx(other["attacked"], abs=0.11)
