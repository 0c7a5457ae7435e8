"""`keep = refit`: the best on validation is trained again, up to its generation, and learns from that split as well."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import Dataset, Result, Split, TrainConfig, Watcher, load_dataset, resume, train
from genreg_np.errors import UsageError
from genreg_np.layers.table import Columns
from genreg_np.report.subject import Subject
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import REGISTRY
from tests.helpers import CPU_BACKENDS, Clock, one_line, tiny_config
from tests.test_kept import GENERATIONS, SETTINGS, data_of

REFIT: dict[str, Any] = SETTINGS | {"keep": "refit", "champion": "best"}


def of_both(data: Dataset) -> Dataset:
    """Return data whose training split has the validation split as well."""
    one, more = data.train, data.validation
    inputs, labels = np.concatenate([one.inputs, more.inputs]), np.concatenate([one.labels, more.labels])
    return dataclasses.replace(data, train=Split(inputs, labels))


def trained(data: Dataset, out: Path | None = None, **how: Any) -> Result:
    """Train on NumPy."""
    return train(tiny_config(**REFIT), data, out, backend="numpy", **how)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("strategy", [name for name in REGISTRY if name != "mixed"])
def test_it_is_what_a_run_on_both_splits_has_at_that_generation(strategy: str, backend: str) -> None:
    """By every strategy; and the score on validation is that of before."""
    data, config = data_of(strategy), tiny_config(strategy=strategy, **REFIT)
    best = train(config.replace(keep="best"), data, backend=backend)
    result = train(config, data, backend=backend)
    assert result.model is not None
    assert best.model is not None
    training = result.model.training
    run = Evolution(config, of_both(data), backend=backend)
    run.run(training["generation"])
    assert np.array_equal(result.model.genes, run.champion_genes()["best"])
    assert (result.validation, training["accuracies"]["validation"]) == (best.validation, best.validation)
    assert result.test["best"].score == run.accuracies("test")["best"] == training["accuracies"]["test"]["best"]
    assert set(result.test) == {"best"}
    assert (training["refit"], training["generations"]) == (True, GENERATIONS)
    assert training["note"].startswith("trained again")
    assert "refit" not in best.model.training


@pytest.mark.parametrize("at", [3, GENERATIONS, GENERATIONS + 2])
def test_stopped_in_either_training_and_gone_on_with_it_gives_the_same_bytes(tmp_path: Path, at: int) -> None:
    """What is saved where it was stopped is what it was without training again."""
    data, asked = data_of(), []

    def stop() -> bool:
        asked.append(None)
        return len(asked) > at

    whole = trained(data, tmp_path / "whole")
    stopped = trained(data, tmp_path / "run", watcher=Watcher(should_stop=stop))
    assert (stopped.ended, stopped.generations, stopped.test) == ("stopped", min(at, GENERATIONS), {})
    assert stopped.model is not None
    assert "refit" not in stopped.model.training
    assert resume(tmp_path / "run", dataset=data).ended == "generations"
    for name in ("model.npz", "config.toml"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert whole.ended == "generations"


def test_settings_changed_in_mid_run_change_again_at_their_generation(tmp_path: Path) -> None:
    """In the order in which they were changed."""
    data = data_of()
    seen: list[Any] = []
    trained(data, tmp_path, watcher=Watcher(on_record=seen.append, should_stop=lambda: len(seen) >= 2))
    result = resume(tmp_path, dataset=data, changes={"child_mutation_rate": 0.02})
    assert result.model is not None
    assert [(change["generation"], change["new"]) for change in result.model.training["changes"]] == [(2, 0.02)]
    run = Evolution(tiny_config(**REFIT), of_both(data), backend="numpy")
    run.run(2)
    run.change(child_mutation_rate=0.02)
    generation = result.model.training["generation"]
    assert generation > 2
    run.run(generation)
    assert np.array_equal(result.model.genes, run.champion_genes()["best"])


def test_a_table_is_filled_in_by_the_rows_of_both_splits(tmp_path: Path) -> None:
    """What stands for a missing number is the median of those that are learned from."""
    numbers = ["" if n % 9 == 0 else f"{x:.4f}" for n, x in enumerate(np.random.default_rng(0).normal(size=90))]
    rows = [f"{'ab'[n % 2]},{x},{'yn'[n % 3 // 2]}" for n, x in enumerate(numbers)]
    (tmp_path / "t.csv").write_text("\n".join(["word,number,class", *rows]), "utf-8")
    data = load_dataset(tmp_path / "t.csv", label="class")
    place = data.feature_names.index("number")
    for keep, split in (("best", data.train), ("refit", data.train.with_(data.validation))):
        model = train(TrainConfig.from_preset("tables", generations=40, keep=keep), data, backend="numpy").model
        assert model is not None
        columns = model.network.fixed[0]
        assert isinstance(columns, Columns)
        assert columns.fill[place] == np.nanmedian(split.inputs[:, place])


def test_a_run_that_starts_from_a_model_does_not_begin_anew(tmp_path: Path) -> None:
    """Refused at the start, and when it is gone on with."""
    data = data_of()
    first = train(tiny_config(**SETTINGS), data, backend="numpy").model
    with pytest.raises(UsageError) as raised:
        trained(data, initial=first)
    assert "leave it at best" in one_line(raised.value)
    train(tiny_config(**SETTINGS), data, tmp_path / "run", backend="numpy", initial=first)
    with pytest.raises(UsageError, match="leave it at best"):
        resume(tmp_path / "run", dataset=data, changes={"keep": "refit"})


def test_a_budget_is_for_both_trainings() -> None:
    """Half as many generations fit into it."""
    found = {}
    for keep in ("best", "refit"):
        config = tiny_config(**REFIT | {"keep": keep, "generations": 600})
        result = train(config, data_of(), backend="numpy", budget_seconds=5.0, clock=Clock(0.01))
        found[keep] = result.generations
    assert found["refit"] == pytest.approx(found["best"] / 2, abs=1)


def test_weights_go_with_their_rows() -> None:
    """Where only one split has any, rows of the other count 1."""
    data = data_of()
    heavy = dataclasses.replace(data.train, weights=np.full(len(data.train), 2.0))
    both = heavy.with_(data.validation)
    assert both.weights is not None
    assert (both.weights[: len(heavy)] == 2).all()
    assert (both.weights[len(heavy) :] == 1).all()
    assert data.train.with_(data.validation).weights is None
    assert len(data.validation.with_(heavy).weights) == len(both)  # type: ignore[arg-type]


def test_a_report_of_the_model_alone_counts_no_validation_inputs() -> None:
    """It has learned from them, and does not say so of the score of before, which its run has."""
    data = data_of()
    result = trained(data)
    assert result.model is not None
    assert "validation" not in Subject("shown", result.model, data).shares
    best = train(tiny_config(**SETTINGS), data, backend="numpy").model
    assert best is not None
    assert "validation" in Subject("shown", best, data).shares
