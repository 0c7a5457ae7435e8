"""Values of hidden layers, and the genes a run began with."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from genreg_np import strategies
from genreg_np.layers.activation import Activation
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.pooling import Pooling
from genreg_np.model import Network
from genreg_np.report import initial
from genreg_np.report.hidden import after, hidden_of
from genreg_np.report.initial import BY_DATA
from genreg_np.report.subject import Subject
from tests.helpers import evolution, model_of, tiny_dataset
from tests.report.subjects import run_of, shown
from tests.zoo import ZOO, exhibit_of


@pytest.mark.parametrize("name", ZOO)
def test_layers_one_by_one_are_the_model(name: str) -> None:
    """What comes after the last layer is what the model answers."""
    exhibit = exhibit_of(name)
    layers = range(len(exhibit.model.header["network"]["layers"]))
    values = functools.reduce(
        lambda values, index: after(exhibit.model, index, values), layers, exhibit.model.prepare(exhibit.inputs)
    )
    assert values == pytest.approx(exhibit.model.outputs(exhibit.inputs), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", ZOO)
def test_every_model_has_hidden_layers_that_fit(name: str) -> None:
    """As many rows as inputs, channels that divide the values; of a linear head what it sees, if that is not raw."""
    exhibit = exhibit_of(name)
    for hidden in hidden_of(exhibit.model, exhibit.inputs):
        assert len(hidden.values) == len(exhibit.inputs)
        assert hidden.units.shape[:2] == (len(exhibit.inputs), hidden.channels)
        assert hidden.units.size == hidden.values.size


def test_dense_layers_but_the_last() -> None:
    """With their activations, which the numbers are computed with by hand."""
    model = model_of(Network.build((6,), (5, 4), 3, "tanh"), input_range=None)
    inputs = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    first, second = hidden_of(model, inputs)
    (w1, b1), (w2, b2), _ = model.network.unpack(model.genes)
    by_hand = np.tanh(inputs @ w1.T + b1)
    assert (first.name, first.function, first.channels, first.learned) == ("layer 0, dense", "tanh", 5, True)
    assert first.values == pytest.approx(by_hand, rel=1e-5)
    assert second.values == pytest.approx(np.tanh(by_hand @ w2.T + b2), rel=1e-5)


def test_a_convolution_has_its_activation_and_no_pooling() -> None:
    """Its units are channels."""
    layers = (
        Convolution((1, 6, 6), 3, 3),
        Activation(48, "relu"),
        Pooling((3, 4, 4), "max", 2),
        Dense(12, 4, "sigmoid"),
        Dense(4, 2),
    )
    model = model_of(Network((6, 6), layers), input_range=None)
    images = np.random.default_rng(2).uniform(size=(5, 6, 6)).astype(np.float32)
    maps, dense = hidden_of(model, images)
    assert (maps.name, maps.function, maps.channels) == ("layer 0, convolution", "relu", 3)
    assert (dense.name, dense.function, dense.channels) == ("layer 3, dense", "sigmoid", 4)
    weight, bias = model.arrays["layers.0.weight"], model.arrays["layers.0.bias"]
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    by_hand = np.einsum("nyxij,cij->ncyx", windows, weight[:, 0]) + bias[:, None, None]
    assert maps.units == pytest.approx(np.maximum(by_hand, 0).reshape(5, 3, 16), rel=1e-4, abs=1e-6)


def test_a_linear_head_has_what_it_sees() -> None:
    """Features, but no raw inputs."""
    raw = model_of(Network.build((6,), (), 3), input_range=None)
    assert hidden_of(raw, np.zeros((2, 6), np.float32)) == ()
    (features,) = shown("detectors, not deskewed").hidden
    assert not features.learned


@pytest.mark.parametrize("function", ["tanh", "sigmoid", "step", "sign"])
def test_bounded_integers_are_in_the_units_of_the_floats(function: str) -> None:
    """To what 8 bits can tell."""
    exact, whole = exhibit_of(f"dense, {function}"), exhibit_of(f"int8, {function}")
    (one,), (other,) = hidden_of(exact.model, exact.inputs), hidden_of(whole.model, whole.inputs)
    assert one.function == other.function == function
    near = np.abs(one.values - other.values) < 0.05
    assert near.mean() > 0.98  # a switch may fall to the other side


def test_nothing_without_data() -> None:
    """Neither hidden values nor first genes of a model alone."""
    subject = Subject("alone", model_of(Network.build((6,), (5,), 3)))
    assert subject.hidden == ()
    assert subject.initial is None


@pytest.mark.parametrize("strategy", strategies.REGISTRY)
def test_the_first_genes_are_those_of_generation_0(strategy: str, tmp_path: Path) -> None:
    """Of a population the first it asks for; of one network its first."""
    subject = run_of(tmp_path / "run", strategy=strategy)
    if strategy in BY_DATA:
        assert subject.initial is None
        return
    begun = evolution(on=subject.dataset, strategy=strategy)
    genes = getattr(begun.state, "genes", np.zeros(1))
    drawn = [genes] if genes.any() else [vars(begun.state)["population"]] if strategy == "mixed" else None
    expected = begun.ask()[0].genes if drawn is None else np.atleast_2d(drawn[0])[0]
    assert subject.initial is not None
    np.testing.assert_array_equal(subject.initial, expected)


def test_the_first_genes_need_few_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a dataset, where the fitness is the user's own: they depend on the seed and the network."""
    subject = run_of(tmp_path / "run")
    monkeypatch.setattr(initial, "MOST_INPUTS", 3)
    few = Subject("few", subject.model, subject.dataset, run=subject.run).initial
    none = Subject("none", subject.model, run=subject.run).initial
    assert subject.initial is not None
    assert few is not None
    assert none is not None
    np.testing.assert_array_equal(few, subject.initial)
    np.testing.assert_array_equal(none, subject.initial)


def test_a_run_of_a_model_began_with_its_mutants(tmp_path: Path) -> None:
    """Of which the folder keeps the model."""
    from genreg_np import train
    from genreg_np.report.opening import of_run
    from tests.helpers import tiny_config

    data = tiny_dataset()
    parent = evolution(on=data, seed=9).ask()[0]
    settings = tiny_config(strategy="node-perturbation")
    train(settings, data, tmp_path / "run", backend="numpy", initial=parent)
    subject, _ = of_run(tmp_path / "run")
    begun = Subject("run", subject.model, data, run=subject.run).initial
    assert begun is not None
    np.testing.assert_array_equal(begun, parent.genes)


def test_another_network_than_the_settings_build_has_no_known_start(tmp_path: Path) -> None:
    """Such as one that a script handed over."""
    subject = run_of(tmp_path / "run")
    other = model_of(Network.build((4, 4), (6,), 4))
    assert Subject("other", other, subject.dataset, run=subject.run).initial is None
