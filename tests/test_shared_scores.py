"""A generation shared out: the same bytes from every engine, little sent, and what cannot be is refused."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends.base import Brood
from genreg_np.data.dataset import Dataset, Split
from genreg_np.engines.serial import SerialEngine
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.shared_scores import Scoring, SharedBackend
from genreg_np.runs.training import train
from tests.helpers import CPU_BACKENDS, DATASET, create_or_skip, one_line, outcome, tiny_config

STRATEGIES = ("genreg", "evolution-strategy", "cma-es", "random-search")
LEAST = 1 << 20  # bytes


def run(strategy: str = "genreg", backend: Any = "numpy", generations: int = 4, **how: Any) -> Evolution:
    """Return an evolution that has run."""
    evolution = Evolution(tiny_config(strategy=strategy), DATASET, backend=backend)
    evolution.run(generations, **how)
    return evolution


class Counting(SerialEngine):
    """Runs tasks here, several at once by its own account, and counts the bytes that others would send."""

    size = 3

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self.bytes, self.survivors, self.tasks = 0, 0, 0

    def share(self, value: Any) -> Any:
        brood, _ = value
        self.bytes, self.survivors, self.tasks = len(pickle.dumps(value)), brood.survivors.nbytes, 0
        return super().share(value)

    def submit(self, name: Any, argument: Any, *rest: Any) -> None:
        self.bytes, self.tasks = self.bytes + len(pickle.dumps(argument[1])), self.tasks + 1
        super().submit(name, argument, *rest)


def shared_by(engine: Any, evolution: Evolution) -> Any:
    """Return an evolution's backend, its genomes scored by an engine that has the data."""
    shared = SharedBackend(evolution.backend, "serial")
    shared._engine, shared._features = engine, evolution._problem.features
    return shared


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_a_brood_in_pieces_earns_the_same(strategy: str, backend: str) -> None:
    """To the bit, on every backend; so runs are equal, too."""
    host = create_or_skip(backend)
    whole, parts = (Evolution(tiny_config(strategy=strategy), DATASET, backend=host) for _ in range(2))
    engine = Counting(Scoring(np.asarray(host.to_host(parts._problem.features)), host.name))
    parts.context = dataclasses.replace(parts.context, backend=shared_by(engine, parts))
    for evolution in (whole, parts):
        evolution.run(4)
    assert outcome(parts) == outcome(whole)
    assert engine.tasks == 6


def test_processes_score_to_the_same_bytes() -> None:
    assert outcome(run(engine="processes", workers=2)) == outcome(run())


def test_a_run_that_was_shared_out_for_a_while_goes_on_here() -> None:
    evolution = run(generations=2, engine="processes", workers=2)
    assert evolution.context.backend is evolution.backend
    evolution.run(4)
    assert outcome(evolution) == outcome(run())


def test_a_backend_that_shares_is_one_wherever_a_backend_is() -> None:
    """Trained by `train`, again with the validation split as well: data are sent anew, and all is as it is here."""
    config = tiny_config(keep="refit")
    here = train(config, DATASET, backend="numpy").model
    with SharedBackend(backends.create("numpy"), "processes", 2) as shared:
        there = train(config, DATASET, backend=shared).model
        assert "engine processes" in shared.describe()
    assert here is not None
    assert there is not None
    assert there.pack() == here.pack()


def test_ten_thousand_genomes_take_less_than_a_megabyte_beside_the_survivors() -> None:
    """784-64-10: what goes out for a generation is who descends from whom, and which images they are judged on."""
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype(np.uint8)
    split = Split(images, np.arange(60) % 10)
    dataset = Dataset("many", split, split, split, tuple("0123456789"), (0.0, 255.0))
    config = TrainConfig.from_preset("seed-mnist-64", population_size=10_000, images_per_class=20)
    evolution = Evolution(config, dataset, backend="numpy")
    engine = Counting(lambda argument: (np.zeros(len(argument[1])), np.zeros(len(argument[1]))))
    parents = np.random.default_rng(1).integers(0, 40, (10_000, 2)).astype(np.int32)
    survivors = np.zeros((40, evolution.network.gene_count), np.float32)
    brood = Brood(
        network=evolution.network, seed=0, generation=7, survivors=survivors, parents=parents, mutation_rate=0.07,
        mutation_scale=0.05,
    )  # fmt: skip
    batch = evolution.strategy.batch(evolution.state, evolution.context, evolution.stream)
    shared = shared_by(engine, evolution)
    assert shared.score(brood, batch).fitness.shape == (10_000,)
    assert engine.bytes - engine.survivors < LEAST
    assert engine.bytes > engine.survivors


class Failing(SerialEngine):
    """Says of every task that it failed."""

    def map(self, arguments: Any, *rest: Any) -> Any:
        from genreg_np.engines.base import FAILED, Outcome

        return (Outcome(number, FAILED, why="no room\nleft") for number, _ in enumerate(arguments))


def test_one_who_cannot_score_ends_the_run_with_a_line() -> None:
    evolution = run()
    failing = shared_by(Failing(lambda argument: None), evolution)
    evolution.context = dataclasses.replace(evolution.context, backend=failing)
    with pytest.raises(RunError, match="genomes of generation 4 could not be scored: no room"):
        evolution.run(5)
    assert evolution.generation == 4


def test_what_has_no_genomes_to_share_out_is_refused() -> None:
    with pytest.raises(UsageError, match="no genomes that an engine could score") as raised:
        run("node-perturbation", engine="processes")
    one_line(raised.value)
    with pytest.raises(UsageError, match="workers need a fitness of your own"):
        run(workers=2)
    with pytest.raises(UsageError, match="choose engine ray"):
        run(engine="processes", address="auto")
