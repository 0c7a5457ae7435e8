"""The registries: every name is what it says, a wrong one is answered with the nearest, and no test passes one over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import backends, export, strategies
from genreg_np.backends.base import Backend
from genreg_np.data import built_in
from genreg_np.errors import GenregError, MissingExtraError, RunError, UsageError
from genreg_np.infer import ModelError
from genreg_np.layers.activation import Activation
from genreg_np.layers.branching import Residual
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.normalise import BatchNorm
from genreg_np.layers.shaping import Flatten
from genreg_np.model import Network
from genreg_np.runs.config import TrainConfig, default_preset
from genreg_np.runs.evolution import Evolution
from tests.helpers import (
    CPU_BACKENDS,
    DATASET,
    LEARNING,
    NOT_FOR,
    TINY,
    dataset_for,
    one_line,
    own,
    smallness,
    strategies_for,
    tiny_config,
)
from tests.test_checkpoints import checkpoint


@pytest.mark.parametrize("name", list(strategies.REGISTRY))
def test_a_strategy_is_called_what_it_is_registered_as(name: str) -> None:
    """It says what it is in a line, and runs by its own settings where it has no preset of its name."""
    strategy = strategies.strategy_class(name)
    assert strategy.name == name
    assert one_line(strategy.summary)
    assert TrainConfig.from_preset(default_preset("digits", name)).strategy == name


@pytest.mark.parametrize("name", list(backends.REGISTRY))
def test_a_backend_is_called_what_it_is_registered_as(name: str) -> None:
    try:
        found = backends.backend_class(name)
    except MissingExtraError as error:
        pytest.skip(one_line(error))
    assert issubclass(found, Backend)
    assert found.name == name


LOOK_UPS: dict[str, tuple[Callable[[str], Any], str]] = {
    "unknown strategy": (strategies.strategy_class, "genrg"),
    "unknown backend": (backends.backend_class, "nunpy"),
    "unknown target": (export.target, "pyton"),
    "unknown built-in dataset": (built_in.built_in_dataset, "digit"),
}


@pytest.mark.parametrize("words", list(LOOK_UPS))
def test_an_unknown_name_is_answered_with_the_nearest(words: str) -> None:
    look_up, wrong = LOOK_UPS[words]
    with pytest.raises(UsageError, match=rf"^{words} '{wrong}' \(did you mean '") as raised:
        look_up(wrong)
    one_line(raised.value)


def test_the_tables_of_the_tests_name_nothing_that_is_not_there() -> None:
    """And whoever is left out of a shared test is left out for a reason; all others are in it."""
    known = set(strategies.REGISTRY)
    assert known >= set(TINY) | set(LEARNING)
    for test, reasons in NOT_FOR.items():
        assert known >= set(reasons)
        assert all(len(reason) > 20 for reason in reasons.values())
        assert set(strategies_for(test)) == known - set(reasons)


# Layers that mean something only while gradients are followed

SHAPE = (1, 4, 4)
ONLY_BY_GRADIENT: dict[str, tuple[Network, str]] = {
    "dropout between dense ones": (Network(SHAPE, (Dense(16, 5), Dropout(5, 0.5), Dense(5, 4))), "dropout"),
    "batch norm before them": (Network(SHAPE, (BatchNorm(SHAPE), Dense(16, 4))), "batch-norm"),
    "within a residual": (Network(SHAPE, (Residual(SHAPE, (BatchNorm(SHAPE),)), Dense(16, 4))), "residual"),
}


@pytest.mark.parametrize("name", list(ONLY_BY_GRADIENT))
@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("strategy", strategies_for("layers that only gradients train"))
def test_a_layer_that_only_gradients_train_is_refused_in_one_line(strategy: str, backend: str, name: str) -> None:
    """Before anything is computed: which layer it is; or that the strategy builds its own network."""
    network, kind = ONLY_BY_GRADIENT[name]
    with pytest.raises(UsageError) as raised:
        Evolution(tiny_config(strategy=strategy), dataset_for(strategy, DATASET), network=network, backend=backend).run(
            1
        )
    line = one_line(raised.value)
    assert "builds its own network" in line or "build it to fit" in line or (kind in line and "layer " in line)


@pytest.mark.parametrize("strategy", list(strategies.REGISTRY))
def test_a_fitness_of_ones_own_on_such_a_network_is_refused_in_one_line(strategy: str) -> None:
    """Where it is not refused, no genes are lost."""
    network = ONLY_BY_GRADIENT["dropout between dense ones"][0]
    with pytest.raises((GenregError, ModelError)) as raised:
        Evolution(tiny_config(strategy=strategy), network=network, backend="numpy").run(1, fitness=smallness)
    one_line(raised.value)


def test_a_network_of_other_layers_describes_itself() -> None:
    """Where it is refused, whoever says so can say what it is."""
    network, _ = ONLY_BY_GRADIENT["dropout between dense ones"]
    assert network.describe() == "1 x 4 x 4: dense 5 / dropout 0.5 / dense 4, 109 weights and biases"


@pytest.mark.parametrize("layers", [(), (Flatten((2, 3, 3)),), (Activation(18, "relu"), Dropout(18, 0.1))])
def test_a_network_without_anything_to_learn_is_refused(layers: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="at least one layer that learns, such as a dense one") as raised:
        Network((2, 3, 3), layers)
    one_line(raised.value)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("kind", "attention", "unknown kind of layer 'attention'"),
        ("kind", ["dense"], "unknown kind of layer"),
        ("inputs", 7, "takes 7 inputs, but 3 arrive"),
        ("outputs", 0, "must be at least 1"),
        ("activation", "gelu", "unknown activation 'gelu'"),
    ],
)
def test_a_checkpoint_of_layers_that_are_not_here_says_which(
    tmp_path: Path, place: str, value: object, words: str
) -> None:
    """As of a package whose layer is not registered now."""

    def spoil(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        header["network"]["layers"][0][place] = value

    path = checkpoint(tmp_path / "c.npz", spoil)
    with pytest.raises(RunError) as raised:
        Evolution.load(path, backend="numpy")
    line = one_line(raised.value)
    assert line.startswith(f"{path}: ")
    assert words in line
    assert own().network == Evolution.load(checkpoint(tmp_path / "ok.npz", lambda header, arrays: None)).network
