"""Every strategy that keeps a population takes any fitness: by ask and tell, or run(fitness=...)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from genreg_np.errors import FitnessError, UsageError
from genreg_np.model import Model
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import REGISTRY, strategy_class
from tests.helpers import DATASET, NETWORK, evolution, one_line, outcome, own, smallness, tiny_config

POPULATIONS = [name for name in REGISTRY if strategy_class(name).keeps_population]
TARGET = np.linspace(-0.2, 0.2, NETWORK.gene_count, dtype=np.float32)


def nearness(model: Model) -> float:
    """Prefer genes near to some others."""
    return -float(np.square(model.genes - TARGET).sum())


@pytest.fixture(params=POPULATIONS)
def strategy(request: pytest.FixtureRequest) -> str:
    """Each strategy that keeps a population, out of the registry."""
    return str(request.param)


MOVING = ("evolution-strategy", "cma-es")  # one genome, or mean, that moves towards all that were good


def test_four_strategies_keep_a_population() -> None:
    """What docs/own-scores.md promises."""
    assert set(POPULATIONS) >= {"genreg", "evolution-strategy", "random-search", "cma-es"}


def test_running_a_fitness_equals_asking_and_telling(strategy: str) -> None:
    """run(fitness=...) tells each genome its own number; the configuration stays as it was."""
    run, by_hand = own(strategy=strategy), own(strategy=strategy)
    before = run.config
    run.run(3, fitness=smallness)
    for _ in range(3):
        by_hand.tell([smallness(model) for model in by_hand.ask()])
    assert outcome(run) == outcome(by_hand)
    assert run.config == before


def test_asking_again_returns_the_same_genomes(strategy: str) -> None:
    """Nothing is used up by asking; saving in between loses nothing."""
    run = own(strategy=strategy)
    first, again = run.ask(), run.ask()
    assert [one.pack() for one in first] == [one.pack() for one in again]


def test_what_is_saved_between_ask_and_tell_goes_on_to_the_same(strategy: str, tmp_path: Path) -> None:
    whole, first = own(strategy=strategy), own(strategy=strategy)
    whole.run(4, fitness=nearness)
    first.run(2, fitness=nearness)
    first.ask()
    first.save(tmp_path / "checkpoint.npz")
    again = Evolution.load(tmp_path / "checkpoint.npz", backend="numpy")
    again.run(4, fitness=nearness)
    assert outcome(again) == outcome(whole)


def test_a_fitness_of_ones_own_is_climbed(strategy: str) -> None:
    """After many generations the best genome seen is better than the best of the first."""
    run = own(strategy=strategy, generations=40, **({"sigma": 0.05} if strategy == "evolution-strategy" else {}))
    best: list[float] = []
    for _ in range(40):
        numbers = [nearness(model) for model in run.ask()]
        run.tell(numbers)
        best.append(max(numbers))
    assert max(best[20:]) > best[0]
    assert run.best_ever is not None
    assert run.best_ever.fitness == max(best)


def test_a_perfect_genome_is_what_counts(strategy: str) -> None:
    """+inf is ahead of every finite number: of random search and GENREG it becomes the champion."""
    run = own(strategy=strategy)
    models = run.ask()
    run.tell([math.inf if number == 7 else float(number) for number in range(len(models))])
    if strategy in MOVING:  # this most of all
        assert np.isfinite(run.state.genes).all()
        return
    assert np.array_equal(run.champions()["best"].genes, models[7].genes)


def test_nan_never_wins_and_nothing_finite_is_an_error(strategy: str) -> None:
    run = own(strategy=strategy)
    models = run.ask()
    with pytest.raises(FitnessError, match="none of the"):
        run.tell([math.nan] * len(models))
    run.tell([math.nan if number == 3 else -float(number) for number in range(len(models))])
    assert run.state.metrics()["non_finite"] == 1
    assert all(np.isfinite(model.genes).all() for model in run.champions().values())
    if strategy not in MOVING:
        assert not np.array_equal(run.champions()["best"].genes, models[3].genes)


def test_a_step_on_a_dataset_may_follow_a_told_generation(strategy: str) -> None:
    """The dataset's fitness and the user's take turns, as they like."""
    run = Evolution(tiny_config(strategy=strategy), DATASET, backend="numpy")
    run.step()
    run.tell([smallness(model) for model in run.ask()])
    record = run.step()
    assert record["generation"] == 3
    assert 0 <= record["mean_accuracy"] <= 1


def test_without_a_dataset_a_step_says_what_to_do(strategy: str) -> None:
    with pytest.raises(UsageError, match="no dataset or built-in fitness"):
        own(strategy=strategy).step()


@pytest.mark.parametrize("name", [name for name in REGISTRY if name not in POPULATIONS])
def test_others_name_those_that_do(name: str) -> None:
    """A strategy without a population has no genomes to hand out."""
    with pytest.raises(UsageError, match="choose one of genreg, evolution-strategy, random-search") as raised:
        evolution(strategy=name).ask()
    one_line(raised.value)


@pytest.mark.parametrize("size", [1e308, -1e308])
def test_a_fitness_of_any_size_is_kept(strategy: str, size: float, tmp_path: Path) -> None:
    """Neither a mean nor what is saved overflows, and a checkpoint is gone on with."""
    run = own(strategy=strategy)
    for _ in range(2):
        run.tell([size * (1 - number / 1000) for number in range(len(run.ask()))])
    run.save(tmp_path / "checkpoint.npz")
    assert Evolution.load(tmp_path / "checkpoint.npz", backend="numpy").generation == 2
    assert all(math.isfinite(value) for value in run.state.metrics().values())


def test_random_search_keeps_the_first_best_and_starts_from_no_model() -> None:
    """However bad it is; a model to start from would be thrown away, so it is refused."""
    run = own(strategy="random-search")
    models = run.ask()
    run.tell([-1e305 - number for number in range(len(models))])
    assert np.array_equal(run.champions()["best"].genes, models[0].genes)
    with pytest.raises(UsageError, match="random-search cannot start from a model"):
        Evolution(tiny_config(strategy="random-search"), network=NETWORK, backend="numpy", initial=models[0])
