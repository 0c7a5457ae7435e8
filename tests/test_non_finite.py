"""Whatever overflows, no strategy lets a number that is not finite win, nor into its records or its state."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from genreg_np.backends.base import Batch, Brood, Judgement
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.cli.output import Progress
from genreg_np.errors import FitnessError, UsageError
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import REGISTRY, genreg_2
from tests.helpers import DATASET, dataset_for, evolution, one_line, tiny_config

# Settings that drive weights or activations out of what float32 holds.
HUGE: dict[str, dict[str, Any]] = {
    "genreg": {"weight_range": 1000.0, "mutation_scale": 1000.0, "child_mutation_rate": 1.0},
    "node-perturbation": {"initial_gain": 1000.0, "step_size": 1000.0, "sigma": 1000.0},
    "evolution-strategy": {"initial_gain": 1000.0, "sigma": 1000.0, "step_size": 1000.0},
    "random-search": {"scale": 1000.0},
    "cma-es": {"initial_gain": 1000.0, "sigma": 1000.0},
    "detector-bank": {"initial_gain": 1000.0, "step_size": 1000.0, "sigma": 1000.0},
    "mixed": {"learning_rate": 1000.0, "momentum": 0.99},
}
DEEP = {"hidden": [6] * 14, "activation": "relu"}


@pytest.mark.parametrize("fitness", ["log-probability", "accuracy"])
@pytest.mark.parametrize("strategy", list(HUGE))
@pytest.mark.filterwarnings("ignore:(overflow|invalid value|divide by zero):RuntimeWarning")
def test_records_stay_valid_json_and_states_finite_whatever_overflows(strategy: str, fitness: str) -> None:
    """A run of impossible settings ends with one clear line, or all it says and keeps is finite."""
    own_words = {} if strategy == "mixed" else {"fitness": fitness}
    run = evolution(strategy=strategy, generations=12, validate_every=3, **DEEP, **HUGE[strategy], **own_words)
    records: list[dict[str, Any]] = []
    try:
        run.run(on_record=records.append)
    except FitnessError as error:
        one_line(error)
    json.dumps(records, allow_nan=False)
    for name, value in vars(run.state).items():
        assert np.isfinite(np.array(value if value is not None else 0, np.float64)).all(), name


class Spoiling(NumpyBackend):
    """A backend whose judgement of some genomes is undefined."""

    def __init__(self, spoilt: slice, value: float = np.nan) -> None:
        self.spoilt, self.value = spoilt, value

    def score(self, brood: Brood, batch: Batch) -> Judgement:
        judged = super().score(brood, batch)
        judged.fitness[self.spoilt] = self.value
        return judged


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("strategy", ["genreg", "evolution-strategy", "random-search", "cma-es"])
@pytest.mark.filterwarnings("error")
def test_built_in_fitness_that_is_undefined_counts_as_the_worst_and_is_counted(strategy: str, value: float) -> None:
    """Such a genome is ranked with the worst, and the record says how many there were so far."""
    run = Evolution(tiny_config(strategy=strategy), DATASET, backend=Spoiling(slice(0, 7), value))
    records: list[dict[str, Any]] = []
    run.run(3, on_record=records.append)
    assert [record["non_finite"] for record in records] == [7, 14, 21]
    assert all(np.isfinite(record["mean_trust"]) for record in records)
    whole = Evolution(tiny_config(strategy=strategy), DATASET, backend=Spoiling(slice(0, 0)))
    whole.run(1, on_record=records.append)
    assert "non_finite" not in records[-1], "nothing is said where there is nothing to say"


@pytest.mark.parametrize("strategy", ["genreg", "evolution-strategy", "random-search", "cma-es"])
def test_a_generation_of_nothing_but_undefined_fitness_ends_the_run(strategy: str) -> None:
    """One line says so; the state is that of the generation before."""
    run = Evolution(tiny_config(strategy=strategy), DATASET, backend=Spoiling(slice(None)))
    with pytest.raises(FitnessError, match="none of the 20 fitness values is finite") as raised:
        run.run(1)
    one_line(raised.value)
    assert run.generation == 0


def test_undefined_heads_of_genreg_2_are_the_worst_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They neither lead nor spoil the mean that is recorded."""
    run, real, records = evolution(strategy="genreg-2"), genreg_2.head_fitness, []

    def recorded(genomes: np.ndarray, context: Any) -> np.ndarray:
        scores = real(genomes, context)
        scores[:3] = np.nan
        return scores

    monkeypatch.setattr(genreg_2, "head_fitness", recorded)
    run.run(2, on_record=records.append)
    assert [record["non_finite"] for record in records] == [3, 6]
    json.dumps(records, allow_nan=False)
    assert (np.diff(run.state.fitness) <= 0).all()
    monkeypatch.setattr(genreg_2, "head_fitness", lambda genomes, context: np.full(len(genomes), np.nan))
    fresh = evolution(strategy="genreg-2")
    with pytest.raises(FitnessError, match="none of the 20"):
        fresh.run(1)


@pytest.mark.parametrize("strategy", ["evolution-strategy", "random-search", "cma-es"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_fitness_of_images_is_refused_where_whole_genomes_are_judged(strategy: str, backend: str) -> None:
    """Kernels that judge genomes cannot call it, and scored nothing at all; the line names the strategy."""
    if backend == "numba":
        pytest.importorskip("numba")
    with pytest.raises(UsageError, match=f"strategy {strategy} scores whole genomes") as raised:
        Evolution(
            tiny_config(strategy=strategy),
            DATASET,
            backend=backend,
            image_fitness=lambda logits, labels: logits[:, 0],
        )
    one_line(raised.value)


@pytest.mark.parametrize(("counted", "said"), [({}, False), ({"non_finite": 1234}, True)])
def test_the_command_lines_progress_says_how_many_there_were(
    capsys: pytest.CaptureFixture[str], counted: dict[str, int], said: bool
) -> None:
    """And nothing where there were none."""
    record = {"generation": 9, "validation_accuracy": 0.5, "best_trust": 1.0, "seconds": 2.0}
    Progress(quiet=False, to_stderr=False).update(record | counted, 9)
    assert ("1,234 fitness values not finite" in capsys.readouterr().out) == said


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_a_run_without_anything_undefined_says_nothing_of_it(strategy: str) -> None:
    """The records of ordinary runs are what they were."""
    run = Evolution(tiny_config(strategy=strategy), dataset_for(strategy, DATASET), backend="numpy")
    records: list[dict[str, Any]] = []
    run.run(2, on_record=records.append)
    assert "non_finite" not in records[-1]
