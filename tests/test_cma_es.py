"""CMA-ES: the tutorial's table of rates, its behaviour on functions whose optimum is known, and both of its shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.model import Model, Network
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import cma_es
from genreg_np.strategies.cma_es import FULL, Rates


def climbed(
    score: Callable[[np.ndarray], float], inputs: int, generations: int, seed: int = 0, **settings: float
) -> Evolution:
    """Return a run on a score of the genes of a network with `inputs` + 1 of them."""
    config = TrainConfig.from_preset("cma-es", seed=seed, generations=generations, **settings)
    run = Evolution(config, network=Network.build((inputs,), (), 1), backend="numpy")
    for _ in range(generations):
        run.tell([score(model.genes.astype(np.float64)) for model in run.ask()])
    return run


def test_rates_are_those_of_the_tutorial() -> None:
    """For D = 10 and P = 10, computed by hand from table 1."""
    rates = Rates.of(10, 10, True)
    assert rates.weights.sum() == pytest.approx(1)
    assert rates.weights == pytest.approx([0.456271, 0.270752, 0.162231, 0.085233, 0.025512], abs=1e-5)
    mu = rates.effective
    assert mu == pytest.approx(3.167, abs=0.001)
    assert rates.step_path == pytest.approx((mu + 2) / (10 + mu + 5))
    assert rates.shape_path == pytest.approx((4 + mu / 10) / (14 + mu / 5))
    assert rates.one == pytest.approx(2 / (11.3**2 + mu))
    assert rates.many == pytest.approx(2 * (mu - 2 + 1 / mu) / (144 + mu))
    assert rates.length == pytest.approx(np.sqrt(10) * (1 - 1 / 40 + 1 / 2100))
    assert rates.damping == pytest.approx(1 + rates.step_path)
    assert Rates.of(4, 100, True).damping > 2  # many samples for few genes
    diagonal = Rates.of(10, 10, False)
    assert (diagonal.one, diagonal.many) == pytest.approx((4 * rates.one, 4 * rates.many))
    assert (rates.every, Rates.of(400, 20, True).every, Rates.of(400, 20, False).every) == (1, 3, 1)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (1, 2))])
def test_an_ellipsoid_is_learned(seed: int) -> None:
    """Axes a thousand times as long as others, turned."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(10, 10)))
    lengths = 1000.0 ** np.linspace(0, 1, 10)
    target = rng.normal(size=10)

    def score(genes: np.ndarray) -> float:
        return -float(np.square(lengths * (turn @ (genes - target))).sum())

    run = climbed(score, 9, 700, seed, sigma=0.5, population_size=12)
    assert run.best_ever is not None
    assert run.best_ever.fitness > -1e-3
    values = np.linalg.eigvalsh(run.state.covariance)
    assert values.max() / values.min() > 1e4  # it knows the shape


def test_many_genes_have_a_diagonal() -> None:
    """D numbers, and no axes."""
    run = climbed(lambda genes: -float(np.square(genes).sum()), FULL, 2)
    assert run.state.covariance.shape == (FULL + 1,)
    assert run.state.axes.size == 0


def test_a_diagonal_learns_axes_that_lie_along_genes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a step of one gene counts a thousand times as much as that of another."""
    monkeypatch.setattr(cma_es, "FULL", 10)
    lengths = np.where(np.arange(24) % 2, 30.0, 1.0)

    def score(genes: np.ndarray) -> float:
        return -float(np.square(lengths * (genes - 1)).sum())

    run = climbed(score, 23, 300, sigma=0.3)
    assert run.state.covariance.shape == (24,)
    narrow, wide = (np.median(run.state.covariance[place::2]) for place in (1, 0))
    assert wide > 100 * narrow
    assert run.best_ever is not None
    assert run.best_ever.fitness > -1e-3


def test_the_step_grows_towards_what_is_far_and_shrinks_at_what_is_near() -> None:
    far = climbed(lambda genes: -float(np.square(genes - 1000).sum()), 4, 30, sigma=0.1)
    near = climbed(lambda genes: -float(np.square(genes).sum()), 4, 60, sigma=1.0)
    assert far.state.sigma > 1
    assert near.state.sigma < 0.01


def test_only_order_counts() -> None:
    """A score and its logarithm lead to the same bytes."""
    square = climbed(lambda genes: -float(np.square(genes).sum()), 6, 20)
    logarithm = climbed(lambda genes: -float(np.log(np.square(genes).sum())), 6, 20)
    assert (square.state.mean == logarithm.state.mean).all()
    assert square.state.sigma == logarithm.state.sigma


@pytest.mark.parametrize("genes", [2, FULL - 1, FULL])
def test_a_run_goes_on_as_it_was(genes: int, tmp_path: Path) -> None:
    """Of two genes, of the last number that has a matrix, and of the first that has a diagonal."""

    def score(model: Model) -> float:
        return -float(np.square(model.genes - 1).sum())

    network = Network.build((genes - 1,), (), 1)
    config = TrainConfig.from_preset("cma-es", generations=6, population_size=7)
    whole, first = (Evolution(config, network=network, backend="numpy") for _ in range(2))
    whole.run(6, fitness=score)
    first.run(3, fitness=score)
    first.save(tmp_path / "checkpoint.npz")
    again = Evolution.load(tmp_path / "checkpoint.npz", backend="numpy")
    again.run(6, fitness=score)
    assert (again.state.mean == whole.state.mean).all()
    assert (again.state.covariance == whole.state.covariance).all()
    assert again.state.sigma == whole.state.sigma


def test_what_is_undefined_is_never_ahead_of_what_is_defined() -> None:
    """Not even where most of a generation is: it is as if they were the worst, each by its number."""
    runs = [climbed(lambda genes: 0.0, 4, 1, population_size=10) for _ in range(2)]
    for run, others in zip(runs, ([float("nan")] * 8, [-10.0 - number for number in range(8)]), strict=True):
        run.ask()
        run.tell([*others, -3.0, -2.0])
    assert (runs[0].state.mean == runs[1].state.mean).all()
    assert runs[0].state.sigma == runs[1].state.sigma


def test_the_first_step_cannot_be_changed_later() -> None:
    with pytest.raises(UsageError, match="sigma cannot be changed"):
        climbed(lambda genes: 0.0, 4, 2).change(sigma=3.0)
