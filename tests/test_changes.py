"""Stopping an evolution, and changing its settings under way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genreg_np.errors import UsageError
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.result import Watcher
from genreg_np.runs.training import resume, train
from tests.helpers import (
    DATASET,
    LEARNING,
    evolution,
    one_line,
    outcome,
    tiny_config,
)

pytestmark = pytest.mark.filterwarnings("error")


def without_seconds(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


# Stopping and changing


def test_a_target_ends_the_run_at_a_validation() -> None:
    """The run ends with the first validation that reaches the target."""
    records: list[dict[str, Any]] = []
    run = evolution(generations=200, target=0.5, validate_every=3, **LEARNING["genreg"])
    assert run.run(on_record=records.append) == "target"
    reached = [
        record["generation"]
        for record in records
        if max(record.get("validation_accuracy", 0), record.get("consensus_validation_accuracy", 0)) >= 0.5
    ]
    assert reached == [run.generation]
    assert run.generation % 3 == 0


def test_should_stop_ends_the_run_before_the_next_generation() -> None:
    """A stop asked for during a generation lets it finish, and the run can go on."""
    run, whole = evolution(), evolution()
    assert run.run(should_stop=lambda: run.generation == 2) == "stopped"
    assert run.generation == 2
    assert run.run() == "generations"
    whole.run()
    assert outcome(run) == outcome(whole)


def test_a_finished_run_does_nothing_more() -> None:
    """The number of generations is a total."""
    run = evolution()
    run.run(3)
    before = outcome(run)
    assert run.run(3) == "generations"
    assert outcome(run) == before


def test_a_change_applies_to_the_next_generation() -> None:
    """Settings that can change do so at once, and nothing before is touched."""
    run, same = evolution(), evolution()
    run.run(2)
    same.run(2)
    before = outcome(run)
    run.change(child_mutation_rate=0.0, mutation_scale=0.3, population_size=30)
    assert outcome(run) == before
    run.step()
    same.step()
    assert outcome(run) != outcome(same)
    assert run.config.population_size == 30
    assert len(run.ask()) == 30
    assert len(run.state.survivors) == 7


def test_a_change_is_in_the_champion_as_in_one_that_train_resumed(tmp_path: Path) -> None:
    """Evolution logs it itself, and keeps the log in its checkpoint; byte for byte what resume writes."""
    run, changes = evolution(generations=6), {"child_mutation_rate": 0.5, "mutation_scale": 0.3}
    run.run(2)
    run.change(**changes, population_size=run.config.population_size)
    events = [
        {"generation": 2, "setting": name, "old": getattr(tiny_config(), name), "new": new}
        for name, new in changes.items()
    ]
    assert run.changes == events
    run.run(4)
    seen: list[Any] = []
    stop = Watcher(on_record=seen.append, should_stop=lambda: len(seen) == 2)
    train(tiny_config(generations=6), DATASET, tmp_path / "run", backend="numpy", watcher=stop)
    seen.clear()
    stopped = resume(tmp_path / "run", dataset=DATASET, changes=changes, watcher=stop)
    assert run.champion().pack() == stopped.model.pack()
    assert run.champion().training["changes"] == events
    run.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", DATASET, backend="numpy")
    assert again.champion().pack() == run.champion().pack()
    other = Evolution.load(tmp_path / "c.npz", DATASET, config=run.config.changed(trust_decay=0.9), backend="numpy")
    old = run.config.trust_decay
    assert other.changes == [*events, {"generation": 4, "setting": "trust_decay", "old": old, "new": 0.9}]


def test_a_change_that_is_refused_is_not_logged() -> None:
    """Nor is one that changes nothing."""
    run = evolution()
    with pytest.raises(UsageError):
        run.change(seed=9)
    run.change(mutation_scale=run.config.mutation_scale)
    assert run.changes == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 4}, "random streams"),
        ({"hidden": (9,)}, "another length"),
        ({"weight_range": 1.0}, "generation 0"),
        ({"mutation_scale": -1.0}, "at least 0"),
        ({"mutation_scal": 1.0}, "mutation_scale"),
        ({"elites": 6}, "at most the 5 survivors"),
    ],
)
def test_a_refused_change_changes_nothing(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    """The run goes on as before, and its checkpoint can still be loaded."""
    run, same = evolution(), evolution()
    run.run(2)
    same.run(4)
    before = run.config
    with pytest.raises(UsageError) as raised:
        run.change(**changes)
    assert words in one_line(raised.value)
    assert run.config == before
    run.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", DATASET, backend="numpy")
    again.run(4)
    assert outcome(again) == outcome(same)


def test_more_elites_than_survivors_are_refused_at_once() -> None:
    """The line says how many survive, and why."""
    with pytest.raises(UsageError, match=r"5 survivors \(population_size 20 x survival_cutoff 0.25\)") as raised:
        evolution(elites=6)
    one_line(raised.value)
