"""Headers of models that were searched for: what `infer`, `eval`, `demo` and `export` need to know of their data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import load, load_dataset, train
from genreg_np.data.dataset import Dataset
from genreg_np.export.facts import facts
from genreg_np.report.subject import Subject
from genreg_np.search.images import Found
from genreg_np.search.networks import WHOLE
from genreg_np.search.searching import Watcher
from tests.helpers import tiny_config
from tests.search.helpers import bars, search

QUICK: dict[str, Any] = {"generations": 1, "population": 3, "rungs": (64,), "final_seeds": 1}
COPIES: dict[str, Any] = {"kind": "autoencoder", "metric": "psnr", "max_macs": 200_000, "max_parameters": 8000}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Images of a user's own file that has the name of a built-in dataset, dark on light."""
    whole, path = bars().everything, tmp_path_factory.mktemp("own") / "digits.npz"
    np.savez(path, x=255 - whole.inputs, y=whole.labels, class_names=np.array(bars().class_names))
    return load_dataset(path)


@pytest.fixture(scope="module")
def found(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A search on these images."""
    return search(tmp_path_factory.mktemp("search") / "run", data, **QUICK)


def test_the_header_says_of_the_data_what_train_says(data: Dataset, found: Found) -> None:
    """Where they came from, how bright their borders are, and that validation was learned from."""
    assert data.origin is not None
    config = tiny_config(dataset=data.origin["source"], strategy="gradient", generations=2, keep="refit")
    trained = train(config, data, backend="numpy").model
    assert trained is not None
    ours, theirs = load(found.path).training, trained.training
    assert ours["config"]["dataset"] == theirs["config"]["dataset"] == "digits.npz"
    assert ours["background"] == theirs["background"] > 0.6
    assert ours["refit"] is theirs["refit"] is True
    assert ours["note"] == WHOLE
    (memory,) = {search(found.folder.with_name("other"), bars(), **QUICK).model.training["config"]["dataset"]}
    assert memory == "bars (in memory)"


def test_the_header_has_the_accuracy_on_the_test_split(found: Found) -> None:
    accuracy = found.finals[0]["accuracy"]
    assert found.model.training["accuracies"] == {"test": {"best": accuracy}}
    assert ("Accuracy", f"{100 * accuracy:.2f} % on the test split") in facts(found.model, 1)


def test_validation_is_not_shown_as_unseen_by_a_winner(data: Dataset, found: Found) -> None:
    """Also of its model alone, without the search's folder; the best so far has only been selected by it."""
    alone = Subject("model", load(found.path), data)
    assert alone.learned_from
    assert set(alone.shares) == {"train", "test"}
    within = Subject("run", load(found.path), dataclasses.replace(data, origin=None), search=object())  # type: ignore[arg-type]
    assert within.learned_from
    other = dataclasses.replace(data, name="digits", origin={"source": "digits"})
    assert not Subject("model", load(found.path), other).learned_from


@pytest.mark.parametrize(("folds", "learned"), [(1, False), (2, True)])
def test_the_best_so_far_says_whether_it_learned_from_validation(folds: int, learned: bool, tmp_path: Path) -> None:
    """Which it did if it was judged by cross-validation."""

    def stop(trial: Any, search: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "run", bars(45), watcher=Watcher(on_trial=stop), folds=folds, **QUICK)
    training = load(tmp_path / "run/model.npz").training
    assert ("refit" in training) == ("note" in training) == learned
    assert "background" in training
    assert "accuracies" not in training


def test_halves_of_an_autoencoder_know_their_data_too(data: Dataset, tmp_path: Path) -> None:
    found = search(tmp_path / "run", data, **QUICK | COPIES)
    for name in ("model", "encoder", "decoder"):
        training = load(found.folder / f"{name}.npz").training
        assert training["config"]["dataset"] == "digits.npz"
        assert training["background"] > 0.6
        assert training["refit"] is True
        assert "accuracies" not in training
