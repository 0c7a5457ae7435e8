"""Every kind of layer of the registry: its file, its arithmetic beside the runtime's, its gradient, its refusals."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.errors import UsageError
from genreg_np.layers import REGISTRY, layer_class, read_layer
from genreg_np.layers.base import Layer
from genreg_np.layers.dense import Dense
from genreg_np.layers.groups import Gene
from genreg_np.layers.images import FixedLayer
from genreg_np.model import Model, Network, load
from tests.helpers import INT8, KINDS, answers, one_line
from tests.test_gradients import check_layer


@pytest.fixture(params=list(REGISTRY))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind, out of the registry."""
    return str(request.param)


def example(kind: str) -> tuple[Layer, tuple[int, ...]]:
    return layer_class(kind).example()


def drawn(layer: Layer, networks: int = 1) -> list[np.ndarray]:
    """Return parameters (P, *shape) at random, and statistics, which are positive."""
    rng = np.random.default_rng(5)
    learned = [rng.normal(size=(networks, *one.shape)).astype(np.float32) for one in layer.parameters]
    kept = [rng.uniform(0.5, 2, (networks, *one.shape)).astype(np.float32) for one in layer.statistics]
    return learned + kept


def whole(shape: tuple[int, ...], count: int) -> np.ndarray:
    """Return inputs (N, *shape): whole numbers 0 .. 255, which every layer takes."""
    return np.random.default_rng(6).integers(0, 256, (count, *shape)).astype(np.float32)


def network_of(kind: str) -> Network:
    """Return a network that begins with the layer, and ends in three classes."""
    layer, shape = example(kind)
    width = int(np.prod(layer.output_shape(shape)))
    return Network(shape, (layer, Dense(width, 3)))


def model_of(kind: str, seed: int = 0) -> Model:
    """Return a model of what is left of the layer once it is trained."""
    network = network_of(kind)
    genes = np.random.default_rng(seed).normal(size=network.gene_count).astype(np.float32)
    return Model.build(*network.finish(genes, network.first_statistics), ("a", "b", "c"))


# Registries


def test_the_runtime_computes_every_kind_that_a_saved_model_can_have_and_no_other() -> None:
    """Beside them it has what `--int8` makes."""
    assert set(KINDS) == {kind for kind in REGISTRY if not example(kind)[0].needs_finishing} | INT8


def test_a_layer_is_of_the_kind_it_is_registered_as(kind: str) -> None:
    assert layer_class(kind).kind == example(kind)[0].kind == kind


@pytest.mark.parametrize(("name", "near"), [("dence", "did you mean 'dense'"), ("", "known: "), ([], "known: ")])
def test_an_unknown_kind_is_refused_with_the_nearest(name: object, near: str) -> None:
    """Whatever stands in a header, in one line."""
    with pytest.raises(UsageError, match="unknown kind of layer") as raised:
        layer_class(name)  # type: ignore[arg-type]
    assert near in one_line(raised.value)


# File


def test_a_layer_comes_back_from_its_header_and_arrays(kind: str) -> None:
    """What is read is described, and written, as what was written; and it learns the same parameters."""
    layer, _ = example(kind)
    values = [values[0] for values in drawn(layer)][: len(layer.parameters)]
    arrays = {f"layers.4.{name}": array for name, array in layer.arrays(values).items()}
    again = read_layer({"kind": kind, **layer.header()}, arrays, "layers.4")
    assert again == layer
    assert again.header() == layer.header()
    assert again.parameters == layer.parameters
    assert again.statistics == layer.statistics
    assert one_line(again.words()) == layer.words()
    for name, array in again.arrays(values).items():
        assert array.dtype == layer.arrays(values)[name].dtype
        assert np.array_equal(array, arrays[f"layers.4.{name}"])


def test_a_model_of_it_is_the_same_after_saving(kind: str, tmp_path: Path) -> None:
    """The same bytes, network and answers; and other weights are another file."""
    model, (_, shape) = model_of(kind), example(kind)
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert again.pack() == model.pack() != model_of(kind, seed=1).pack()
    assert again.network == model.network
    assert again.genes.tobytes() == model.genes.tobytes()
    inputs = whole(shape, 5)
    assert answers(infer.load(tmp_path / "m.npz"), inputs).tobytes() == answers(model, inputs).tobytes()


# Arithmetic


@pytest.mark.parametrize("networks", [0, 1, 3])
def test_forward_is_what_the_runtime_computes(kind: str, networks: int) -> None:
    """For inputs that all networks share (0), and for each network's own; of the shape that it says.

    The runtime computes what a saved model has in place of the layer, and prediction is meant.
    """
    layer, shape = example(kind)
    width = int(np.prod(shape))
    parameters = drawn(layer, max(1, networks))
    rows = whole((width,), 4 * max(1, networks)).reshape(-1, 4, width)
    columns = np.ascontiguousarray(rows.swapaxes(1, 2))
    found, _ = layer.forward(parameters, columns if networks else columns[0])
    found = found if networks or layer.parameters else found[None]
    assert found.shape == (max(1, networks), int(np.prod(layer.output_shape(shape))), 4)
    assert found.dtype == np.float32
    for network, inputs in enumerate(rows):
        expected = inputs
        for then, own in layer.finished([values[network] for values in parameters]):
            stored = {f"layers.0.{name}": array for name, array in then.arrays(own[: len(then.parameters)]).items()}
            made = KINDS[then.kind]({"kind": then.kind, **then.header()}, stored, "layers.0", "layer 0")
            assert made[:2] == (expected.shape[1], int(np.prod(layer.output_shape(shape))))
            expected = made[2](expected)
        assert np.allclose(found[network].reshape(-1, 4).T, expected, rtol=1e-5, atol=1e-4)


def test_a_gradient_is_right_or_is_refused_in_one_line(kind: str) -> None:
    """By parameters and inputs, against finite differences, in prediction and in training."""
    layer, shape = example(kind)
    try:
        layer.check_gradient()
    except UsageError as error:
        refused = one_line(error)
    else:
        for networks, training in itertools.product((1, 2), (False, True)):
            check_layer(layer, networks, shape, 3, shared=False, seed=1, training=training, passes=500)
        return
    assert refused == f"a layer of {kind} has no gradient to follow"
    with pytest.raises(UsageError, match=refused):
        layer.backward([], None, np.zeros((1, 1)))


@pytest.mark.parametrize("gene", [Gene.UNIT, Gene.LAYER, Gene.BLOCK])
def test_crossover_takes_every_gene_once_or_is_refused_in_one_line(kind: str, gene: Gene) -> None:
    """Runs begin where they say, in order, from the first gene on, and name groups that there are."""
    layer, _ = example(kind)
    if not layer.parameters:
        assert layer.gene_count == 0
        with pytest.raises(UsageError, match=f"a layer of {kind} has no genes to exchange") as raised:
            layer.groups(gene)
        one_line(raised.value)
        return
    groups = layer.groups(gene)
    starts = [first for first, _ in groups.runs]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] < layer.gene_count
    assert {number for _, number in groups.runs} == set(range(groups.count))


def test_a_layer_that_learns_and_does_not_say_what_crossover_exchanges_is_told_what_it_lacks() -> None:
    """Not that it learns nothing."""
    layer, _ = example("prelu")
    with pytest.raises(UsageError, match="a layer of prelu has genes, but no `groups`") as raised:
        Layer.groups(layer, Gene.UNIT)
    one_line(raised.value)


# Refusals


def test_an_input_that_does_not_fit_is_refused_in_one_line(kind: str) -> None:
    """By the layer, and by a network, which says where it stands; both numbers are in the line."""
    layer, shape = example(kind)
    assert all(type(extent) is int for extent in layer.output_shape(shape))
    wrong = (*shape[:-1], shape[-1] + 1)
    with pytest.raises(UsageError) as raised:
        layer.output_shape(wrong)
    line = one_line(raised.value)
    with pytest.raises(UsageError) as raised:
        Network(wrong, (layer, Dense(2, 2)))
    assert one_line(raised.value) == f"layer 0 ({kind}) {line}"


def test_a_network_of_nothing_but_what_cannot_learn_is_refused(kind: str) -> None:
    """A fixed layer is no network of its own."""
    layer, shape = example(kind)
    if layer.parameters:
        assert Network(shape, (layer,)).gene_count == layer.gene_count
        return
    with pytest.raises(UsageError, match="at least one layer that learns") as raised:
        Network(shape, (layer,))
    one_line(raised.value)


def test_a_fixed_layer_after_one_that_learns_is_refused(kind: str) -> None:
    """They are applied to all data once, before training."""
    layer, shape = example(kind)
    if not isinstance(layer, FixedLayer):
        return
    width = int(np.prod(shape))
    with pytest.raises(UsageError, match=rf"layer 1 \({kind}\) is fixed: it must come before") as raised:
        Network((2,), (Dense(2, width), layer))
    one_line(raised.value)
