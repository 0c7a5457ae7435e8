"""Runs on networks that are not all dense: each strategy that takes them, from start to resume; the others say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import backends, load
from genreg_np.data.dataset import Dataset
from genreg_np.errors import GenregError, UsageError
from genreg_np.layers.activation import Activation
from genreg_np.layers.description import parse
from genreg_np.model import Network
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.result import Watcher
from genreg_np.runs.training import resume, train
from genreg_np.strategies import REGISTRY, strategy_class
from genreg_np.strategies.base import Takes
from tests.helpers import CPU_BACKENDS, create_or_skip, dataset_for, one_line, outcome, tiny_config, tiny_dataset

WORDS = "conv 3 3 / relu / max 2 / prelu / dense 5 / tanh / dense 4"
TAKEN = [name for name in REGISTRY if strategy_class(name).takes is not Takes.DENSE]
REFUSED = [name for name in REGISTRY if name not in TAKEN]
CPUS = [name for name in REGISTRY if name in TAKEN and strategy_class(name).keeps_population]


def coloured(classes: int = 4) -> Dataset:
    """Return small colour photographs (N, 3, 7, 6), each class of its own hue."""
    rng = np.random.default_rng(8)
    labels = np.arange(40 * classes) % classes
    hues = rng.uniform(40, 215, (classes, 3, 1, 1))
    inputs = np.clip(hues[labels] + rng.normal(0, 30, (len(labels), 3, 7, 6)), 0, 255).astype(np.uint8)
    return Dataset.from_arrays(inputs, labels, input_range=(0, 255), name="coloured")


GREY, COLOURED = dataset_for("genreg-2", tiny_dataset()), coloured()


def config_of(strategy: str, **changes: Any) -> TrainConfig:
    """Return a run of milliseconds on a small network of maps."""
    return tiny_config(strategy=strategy, hidden=[]).replace(network=WORDS, generations=4, **changes)


def of(strategy: str, backend: Any, dataset: Dataset = GREY, **changes: Any) -> Evolution:
    """Return such a run, not begun."""
    return Evolution(config_of(strategy, **changes), dataset, backend=backend)


@pytest.mark.parametrize("strategy", TAKEN)
@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("dataset", [GREY, COLOURED], ids=["grey", "colour"])
def test_the_same_seed_gives_the_same_bytes(strategy: str, backend: str, dataset: Dataset) -> None:
    """Whatever the inputs: one channel or several."""
    one, two = (of(strategy, create_or_skip(backend), dataset) for _ in range(2))
    one.run()
    two.run()
    assert outcome(one) == outcome(two)
    assert not one.network.is_dense


@pytest.mark.parametrize("strategy", TAKEN)
@pytest.mark.skipif(backends.resolve("cpu") != "numba", reason="no numba")
def test_threads_change_no_byte(strategy: str) -> None:
    """One thread or two."""
    one, two = (of(strategy, backends.create("numba", threads)) for threads in (1, 2))
    one.run()
    two.run()
    assert outcome(one) == outcome(two)


@pytest.mark.parametrize("strategy", TAKEN)
def test_resume_equals_uninterrupted(strategy: str, tmp_path: Path) -> None:
    """Byte for byte; the folder says which network it is, and so does the model."""
    whole = train(config_of(strategy), COLOURED, backend="numpy")
    seen: list[Any] = []
    stop = Watcher(on_record=seen.append, should_stop=lambda: len(seen) == 2)
    train(config_of(strategy), COLOURED, tmp_path / "run", backend="numpy", watcher=stop)
    assert f'network = "{WORDS}"' in (tmp_path / "run" / "config.toml").read_text("utf-8")
    done = resume(tmp_path / "run", dataset=COLOURED, backend="numpy")
    assert done.generations == 4
    assert done.model.pack() == whole.model.pack()
    assert done.model.training["config"]["network"] == WORDS
    assert done.model.network.learning == parse(WORDS, COLOURED.input_shape)
    saved = load(tmp_path / "run" / "model.npz")
    assert float(np.mean(saved.predict(COLOURED.test.inputs) == COLOURED.test.labels)) == done.test_accuracy


@pytest.mark.parametrize("strategy", TAKEN)
def test_a_checkpoint_is_loaded_and_goes_on(strategy: str, tmp_path: Path) -> None:
    """As without one."""
    whole, part = of(strategy, "numpy"), of(strategy, "numpy")
    whole.run()
    part.run(2)
    part.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", GREY, backend="numpy")
    again.run()
    assert outcome(again) == outcome(whole)


@pytest.mark.parametrize("strategy", CPUS)
def test_a_fitness_of_ones_own_is_told_of_models(strategy: str) -> None:
    """Ask and tell, and run(fitness=...), hand out models that answer."""
    network = Network((2, 5, 4), parse("conv 2 3 / layer-norm / relu / flatten / dense 3", (2, 5, 4)))
    inputs = np.random.default_rng(1).random((3, 2, 5, 4), np.float32)
    runs = []
    for _ in range(2):
        run = Evolution(tiny_config(strategy=strategy), network=network, backend="numpy")
        run.run(2, fitness=lambda model: float(model.outputs(inputs).sum()))
        models = run.ask()
        assert {model.network for model in models} == {network.finished}
        run.tell([float(model.outputs(inputs).sum()) for model in models])
        runs.append(run)
    assert outcome(runs[0]) == outcome(runs[1])
    assert runs[0].best_ever.fitness == runs[1].best_ever.fitness


@pytest.mark.parametrize("strategy", REFUSED)
def test_what_a_strategy_cannot_train_is_refused_before_anything_is_computed(strategy: str) -> None:
    """In one line that names the layer; no kernel is compiled and no feature made."""
    backend = create_or_skip("numpy")
    backend.warm_up = backend.levels = None
    with pytest.raises(UsageError) as raised:
        of(strategy, backend)
    line = one_line(raised.value)
    assert f"layer 1, 'conv 3 3': strategy {strategy} trains only dense layers" in line
    assert "such as genreg or gradient" in line


@pytest.mark.parametrize("strategy", [name for name in TAKEN if strategy_class(name).takes is Takes.EVOLVED])
def test_layers_that_mean_nothing_without_gradients_are_named(strategy: str) -> None:
    """With what to choose instead."""
    for words in ("batch-norm", "dropout 0.5"):
        config = config_of(strategy).replace(network=f"dense 5 / {words} / relu / dense 4")
        with pytest.raises(UsageError) as raised:
            Evolution(config, GREY, backend="numpy")
        line = one_line(raised.value)
        assert line.startswith(f"layer 2, '{words}': has an effect only with a strategy that uses gradients")
        assert "such as gradient" in line


@pytest.mark.parametrize("strategy", [name for name in REGISTRY if name not in ("genreg-2",)])
def test_dense_layers_in_words_train_what_hidden_does(strategy: str) -> None:
    """The same bytes, for every strategy that takes hidden layers."""
    hidden = tiny_config(strategy=strategy, generations=2, hidden=[6])
    words = hidden.replace(network="dense 6 / tanh / dense 4")
    one, two = (Evolution(config, GREY, backend="numpy") for config in (hidden, words))
    one.run()
    two.run()
    assert {name: model.genes.tobytes() for name, model in one.champions().items()} == {
        name: model.genes.tobytes() for name, model in two.champions().items()
    }
    assert one.network == two.network


# train(network=...)


def test_train_takes_a_line_or_the_network_it_describes() -> None:
    """Equal models."""
    config = tiny_config(generations=2)
    line = train(config, GREY, network=WORDS, backend="numpy")
    network = Network(GREY.input_shape, parse(WORDS, GREY.input_shape))
    assert line.model.pack() == train(config, GREY, network=network, backend="numpy").model.pack()
    assert line.model.training["config"]["network"] == WORDS


def test_a_network_that_no_line_describes_is_given_again(tmp_path: Path) -> None:
    """To resume; another, or none, is refused."""
    features = GREY.input_shape
    layers = (*parse("conv 2 3", features), Activation(200, "relu"), *parse("dense 4", (200,)))
    network = Network((1, *features), layers)
    stop = Watcher(should_stop=lambda: (tmp_path / "run" / "metrics.jsonl").exists())
    config = tiny_config(generations=3)
    whole = train(config, GREY, network=network, backend="numpy")
    train(config, GREY, tmp_path / "run", network=network, backend="numpy", watcher=stop)
    other = Network(features, parse(WORDS, features))
    for wrong in (None, other):
        with pytest.raises(GenregError, match=r"call resume\(run, network="):
            resume(tmp_path / "run", dataset=GREY, network=wrong, backend="numpy")
    done = resume(tmp_path / "run", dataset=GREY, network=network, backend="numpy")
    assert done.model.pack() == whole.model.pack()


def test_what_is_no_network_is_refused() -> None:
    """In one line."""
    with pytest.raises(UsageError, match="network must be a Network, not int"):
        train(tiny_config(), GREY, network=3)
    with pytest.raises(UsageError, match="end it with `dense 4`"):
        train(tiny_config(), GREY, network="dense 9", backend="numpy")
