"""A fitness of one's own: +inf is the best of its generation, the best ever is kept, targets are in its own units."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.errors import FitnessError, RunError
from genreg_np.model import Model
from genreg_np.runs.evolution import Evolution
from tests.helpers import BACKENDS, NETWORK, create_or_skip, evolution, one_line, outcome, own, smallness, tiny_config
from tests.test_checkpoints import checkpoint

pytestmark = pytest.mark.filterwarnings("error")

WAYS: list[dict[str, Any]] = [
    {},
    {"elites": 2},
    {"survival": "mean", "elites": 1},
    {"parent_weights": "published", "elites": 1},
    {"crossover": "mean", "elites": 1},
    {"survival": "mean", "parent_weights": "published", "crossover": "none", "base_mutation_rate": 0.2},
]


def some(*told: float) -> list[float]:
    """Return fitness for all twenty genomes: what is given, then zeros."""
    return [*told, *[0.0] * (20 - len(told))]


# +inf


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_a_perfect_genome_is_the_champion_whatever_others_have_earned_before(changes: dict[str, Any]) -> None:
    """In every generation that has one, however much trust elites and heirs bring along; nobody is trusted more."""
    run = own(**changes)
    for generation in range(6):
        asked, perfect = run.ask(), (13, 17)[generation % 2]
        run.tell([np.inf if index == perfect else 1000.0 * (index == 0) for index in range(20)])
        assert run.champions()["best"].genes.tobytes() == asked[perfect].genes.tobytes()
        standing = run.state.trust / (run.state.evidence if changes.get("survival") == "mean" else 1)
        assert standing[0] == pytest.approx(standing.max())
        assert np.isfinite(run.state.trust).all()


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_several_perfect_genomes_come_before_all_others_and_undefined_ones_last(changes: dict[str, Any]) -> None:
    """All survivors of a generation with enough perfect genomes are such."""
    run = own(**changes)
    asked = run.ask()
    run.tell([(np.inf, 5.0, np.nan, -np.inf)[index % 4] for index in range(20)])
    perfect = {model.genes.tobytes() for model in asked[::4]}
    assert {genes.tobytes() for genes in run.state.survivors} == perfect


@pytest.mark.parametrize("changes", WAYS, ids=str)
@pytest.mark.parametrize("rest", [np.inf, np.nan, -np.inf])
def test_a_generation_without_a_finite_number_but_with_a_perfect_genome_is_no_error(
    changes: dict[str, Any], rest: float
) -> None:
    """Nothing but +inf, or +inf among what is undefined: the run goes on, and its trust is finite."""
    run = own(**changes)
    for _ in range(3):
        asked = run.ask()
        record = run.tell([np.inf if index >= 15 else rest for index in range(20)])
        best = 0 if rest == np.inf else 15
        assert run.best_ever is not None
        assert run.best_ever.fitness == np.inf
        assert run.state.survivors[0].tobytes() in {model.genes.tobytes() for model in asked[best:]}
        assert np.isfinite(run.state.trust).all()
        assert record["fitness_mean"] is None


def test_one_over_the_number_of_errors_finds_a_network_without_any() -> None:
    """A score that is infinite for a perfect network ends with one."""
    inputs = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], np.float32)

    def score(model: Model) -> float:
        outputs = model.outputs(inputs)
        errors = int(np.sum((outputs[:, 0] > outputs[:, 1]) != [0, 1, 1, 1]))
        return np.inf if errors == 0 else 1 / errors

    run = own(population_size=60, generations=20)
    assert run.run(fitness=score, target=np.inf) == "target"
    assert score(run.champions()["best"]) == score(run.champions()["best_ever"]) == np.inf


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_numbers_near_the_largest_make_no_infinities(changes: dict[str, Any]) -> None:
    """Kept for forty generations without decay, inherited in full: trust stays finite, and the largest number leads."""
    run = own(**changes | {"trust_decay": 0.0, "trust_inheritance": 1.0})
    for generation in range(40):
        asked = run.ask()
        record = run.tell(some(-1.7e308, 1e308, 1.7e308, -1e308, math.inf))
        if generation == 0:
            order = [model.genes.tobytes() for model in (asked[4], asked[2], asked[1])]
            assert [genes.tobytes() for genes in run.state.survivors[:3]] == order
        assert np.isfinite(run.state.trust).all()
        json.dumps(record, allow_nan=False)


def test_finite_fitness_is_selected_by_trust_alone() -> None:
    """Without anything infinite, survivors are those of the highest trust, ties by number."""
    run = own(trust_decay=0.0, trust_inheritance=0.0)
    asked = run.ask()
    run.tell([3.0, 9.0, 9.0, -1.0, 4.0] * 4)
    expected = [asked[index].genes.tobytes() for index in (1, 2, 6, 7, 11)]
    assert [genes.tobytes() for genes in run.state.survivors] == expected


# Records


def test_a_record_says_what_was_told() -> None:
    """Minimum, mean, maximum and deviation of the finite numbers, how many were not, and the best ever."""
    run = own()
    run.ask()
    told = [1.0, 3.0, np.inf, np.nan, -np.inf, np.nan] + [2.0] * 14
    record = run.tell(told)
    assert {name: record[name] for name in record if name.startswith("fitness_")} == {
        "fitness_minimum": 1.0,
        "fitness_mean": 2.0,
        "fitness_maximum": 3.0,
        "fitness_deviation": pytest.approx((2 / 16) ** 0.5),
        "fitness_infinite": 1,
        "fitness_invalid": 3,
    }
    assert record["non_finite"] == 4
    assert (record["best_ever_fitness"], record["best_ever_generation"]) == (None, 1)
    assert {"best_trust", "mean_trust", "seconds"} <= set(record)
    run.ask()
    assert run.tell(np.arange(20))["non_finite"] == 4, "counted over the whole run"


def test_a_run_on_a_dataset_has_no_own_fitness_in_its_records() -> None:
    """Nor a best ever: its champions are chosen on the validation split."""
    run, records = evolution(), []
    run.run(2, on_record=records.append)
    assert not [name for name in records[-1] if name.startswith(("fitness", "best_ever"))]
    assert run.best_ever is None
    assert set(run.champions()) == {"best", "consensus"}


# The best ever


def test_the_best_ever_outlives_its_generation() -> None:
    """It is the genome of the highest number told so far, the first of equals, with its generation."""
    run = own()
    told = [5.0, 7.0, 7.0, np.nan, 3.0, 8.0, 2.0]
    seen: dict[float, bytes] = {}
    for generation, number in enumerate(told, 1):
        asked = run.ask()
        seen.setdefault(number, asked[4].genes.tobytes())
        record = run.tell([number if index == 4 else -1.0 for index in range(20)])
        reached = np.nanmax(told[:generation])
        assert run.best_ever is not None
        assert (run.best_ever.fitness, run.best_ever.generation) == (reached, told.index(reached) + 1)
        assert run.champions()["best_ever"].genes.tobytes() == seen[reached]
        assert run.champions()["best_ever"].training == {"fitness": reached, "generation": told.index(reached) + 1}
        assert record["best_ever_fitness"] == reached


@pytest.mark.parametrize("name", BACKENDS)
def test_on_every_backend_the_best_ever_is_the_genome_that_was_asked(name: str) -> None:
    """Built again from its number, bit for bit; a perfect one leads there, too."""
    run = Evolution(tiny_config(), network=NETWORK, backend=create_or_skip(name))
    for number in (2, 19):
        asked = run.ask()
        run.tell([np.inf if index == 19 and number == 19 else float(index == number) for index in range(20)])
        assert run.best_ever is not None
        assert run.best_ever.genes.tobytes() == asked[number].genes.tobytes()
        assert run.champions()["best"].genes.tobytes() == asked[number].genes.tobytes()


def test_a_perfect_best_ever_is_never_displaced() -> None:
    """Neither by a finite number, however large, nor by another perfect one."""
    run = own()
    perfect = run.ask()[2].genes.tobytes()
    run.tell(some(0.0, 0.0, np.inf))
    for numbers in (some(1.7e308), some(np.inf), some(np.nan, np.inf)):
        run.ask()
        run.tell(numbers)
        assert run.champions()["best_ever"].genes.tobytes() == perfect
        assert run.champions()["best_ever"].training == {"fitness": None, "generation": 1}


def test_a_refused_tell_leaves_the_best_ever_alone() -> None:
    """Numbers that are refused count for nothing."""
    run = own()
    run.ask()
    for wrong in ([np.nan] * 20, some(9.0)[:19], [*some(9.0)[:19], None]):
        with pytest.raises(FitnessError):
            run.tell(wrong)  # type: ignore[arg-type]
    assert run.best_ever is None
    run.tell(some(3.0))
    assert run.best_ever is not None
    assert run.best_ever.fitness == 3


@pytest.mark.parametrize("highest", [7.25, np.inf])
def test_the_best_ever_is_in_a_checkpoint(tmp_path: Path, highest: float) -> None:
    """Saved, loaded and gone on with, it is what it was."""
    run = own()
    for numbers in (some(0.0, highest), some(1.0)):
        run.ask()
        run.tell(numbers)
    run.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", backend="numpy")
    assert again.best_ever is not None
    assert run.best_ever is not None
    assert (again.best_ever.fitness, again.best_ever.generation) == (highest, 1)
    assert again.best_ever.genes.tobytes() == run.best_ever.genes.tobytes()
    assert outcome(again) == outcome(run)


def test_a_checkpoint_without_a_best_ever_is_loaded(tmp_path: Path) -> None:
    """Older ones have none."""
    path = checkpoint(tmp_path / "c.npz", lambda header, arrays: (header.pop("best_ever"), arrays.pop("best_ever")))
    again = Evolution.load(path, backend="numpy")
    assert again.best_ever is None
    assert again.generation == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header.pop("best_ever"),
        lambda header, arrays: arrays.pop("best_ever"),
        lambda header, arrays: header.update(best_ever=3),
        lambda header, arrays: header["best_ever"].pop("fitness"),
        lambda header, arrays: header["best_ever"].update(fitness="9"),
        lambda header, arrays: header["best_ever"].update(fitness=True),
        lambda header, arrays: header["best_ever"].update(generation=0),
        lambda header, arrays: header["best_ever"].update(generation=1.5),
        lambda header, arrays: arrays.update(best_ever=np.zeros(25, np.float32)),
        lambda header, arrays: arrays.update(best_ever=np.zeros(26)),
        lambda header, arrays: arrays.update(best_ever=np.full(26, np.nan, np.float32)),
    ],
)
def test_a_damaged_best_ever_is_refused_in_one_line(tmp_path: Path, change: Any) -> None:
    """Half of it, or what no genome can have been."""
    path = checkpoint(tmp_path / "c.npz", change)
    with pytest.raises(RunError, match="best_ever") as raised:
        Evolution.load(path, backend="numpy")
    assert one_line(raised.value).startswith(f"{path}: ")


def test_equal_runs_have_equal_records() -> None:
    """The same seed and function give the same numbers, best ever included."""
    records: list[list[dict[str, Any]]] = [[], []]
    for lines in records:
        own().run(4, fitness=smallness, on_record=lines.append)
    for one, other in itertools.zip_longest(*records):
        assert one | {"seconds": 0} == other | {"seconds": 0}
