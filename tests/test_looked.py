"""What a look at the validation split records for a report."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import train
from genreg_np.runs.looked import class_facts, distance_of, kin_facts, weight_facts
from genreg_np.strategies import REGISTRY
from tests.helpers import dataset_for, evolution, tiny_config, tiny_dataset


def test_classes_are_counted_one_by_one() -> None:
    """A class without images has no accuracy; of many classes none is told."""
    labels = np.array([0, 0, 0, 2, 2, 3])
    right = np.array([True, False, True, False, False, True])
    shares = [0.6667, None, 0.0, 1.0]
    assert class_facts(right, labels, 4) == {"class_accuracy": shares}
    assert class_facts(right, labels, 4, "consensus_") == {"consensus_class_accuracy": shares}
    assert class_facts(right, labels, 101) == {}


def test_weights_are_measured() -> None:
    """One that is no number has no size."""
    genes = np.array([-3.0, 1.0, 0.5, -0.5], np.float32)
    assert weight_facts(genes) == {"mean_weight": 1.25, "largest_weight": 3.0}
    assert weight_facts(np.array([np.inf], np.float32)) == {"mean_weight": None, "largest_weight": None}


@pytest.mark.parametrize("genes", [1, 5, 4096, 20_000])
def test_the_distance_is_that_of_all_pairs(genes: int) -> None:
    """To a few percent where genes are many, and only some are looked at."""
    survivors = np.random.default_rng(0).normal(size=(6, genes)).astype(np.float32)
    squares = [float(((one - other) ** 2).sum()) for one, other in itertools.combinations(survivors, 2)]
    assert distance_of(survivors) == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-3 if genes <= 4096 else 0.05)
    assert distance_of(np.zeros((3, 4), np.float32)) == 0


def test_a_lonely_survivor_is_unlike_nobody() -> None:
    """Nor is one there where a strategy keeps none."""
    assert kin_facts(np.ones((1, 3), np.float32), np.ones(1)) == {}
    assert kin_facts(None, None) == {}
    assert kin_facts(np.ones((2, 3), np.float32), np.array([1.0, 3.0])) == {
        "survivor_distance": 0.0,
        "trust_deviation": 1.0,
    }


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_every_look_has_it_and_nothing_else_has(strategy: str, tmp_path: Path) -> None:
    """It is JSON, and what it says of classes comes to the accuracy."""
    data = dataset_for(strategy, tiny_dataset())
    train(tiny_config(strategy=strategy), data, tmp_path / "run", backend="numpy")
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text("utf-8").splitlines()]
    for line in lines:
        assert ("class_accuracy" in line) == ("validation_accuracy" in line) == (line["generation"] % 2 == 0)
        looks = [name for name in line if name.endswith("validation_accuracy")]
        assert [name for name in line if name.endswith("class_accuracy")] == [
            name.replace("validation", "class") for name in looks
        ]
        for name in looks:  # of as many images each
            assert np.mean(line[name.replace("validation", "class")]) == pytest.approx(line[name], abs=1e-3)
        if looks:
            assert 0 < line["mean_weight"] <= line["largest_weight"]


def test_survivors_are_told_of() -> None:
    """By the strategies that keep any."""
    lines: list[dict[str, Any]] = []
    run = evolution(strategy="genreg")
    run.run(on_record=lines.append)
    last = lines[-1]
    assert last["survivor_distance"] == pytest.approx(distance_of(run.state.survivors))
    assert last["trust_deviation"] == pytest.approx(float(run.state.trust.std()), rel=1e-3)
