"""The tiny runtime: it predicts what a plain reference predicts, and refuses what it cannot take."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.infer import ModelError
from genreg_np.model import Dense, Model, Network, Standardise
from tests.helpers import model_of, one_line

ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "linear": lambda z: z,
    "tanh": math.tanh,
    "relu": lambda z: max(z, 0.0),
    "leaky-relu": lambda z: z if z > 0 else 0.01 * z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "step": lambda z: 1.0 if z > 0 else 0.0,
    "sign": lambda z: 1.0 if z > 0 else -1.0,
}

IMAGE_NET = Network.build((2, 3), (5, 4), 3, "tanh")
IMAGES = np.random.default_rng(5).integers(0, 256, (7, 2, 3)).astype(np.uint8)


def test_every_activation_has_a_reference() -> None:
    """A new activation cannot go untested."""
    assert set(ACTIVATIONS) == set(infer.ACTIVATIONS)


@pytest.mark.parametrize("name", list(infer.ACTIVATIONS))
def test_each_activation_is_its_formula(name: str) -> None:
    """Element by element, in float32, at zero and far out too."""
    z = np.concatenate([np.linspace(-5, 5, 101), [0.0, -0.0, 80.0, -80.0]]).astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        found = infer.ACTIVATIONS[name](z)
    assert found.dtype == np.float32
    assert found == pytest.approx([ACTIVATIONS[name](float(value)) for value in z], abs=1e-6)


def reference_outputs(model: Model, inputs: np.ndarray) -> np.ndarray:
    """Work out a model's outputs in float64, layer by layer from its header."""
    values = inputs.reshape(len(inputs), -1).astype(np.float64)
    for index, layer in enumerate(model.header["network"]["layers"]):
        part = {key: model.arrays.get(f"layers.{index}.{key}") for key in ("weight", "bias", "mean", "scale")}
        if layer["kind"] == "standardise":
            values = (values - part["mean"]) * part["scale"]
        else:
            values = values @ part["weight"].T.astype(np.float64) + part["bias"]
            values = np.vectorize(ACTIVATIONS[layer["activation"]])(values)
    return values


@pytest.mark.parametrize("activation", list(infer.ACTIVATIONS))
def test_a_model_agrees_with_a_plain_reference(activation: str) -> None:
    """Fixed layers, dense layers, softmax, arg max and ranking, for every activation."""
    fixed = Standardise(np.linspace(0, 1, 6, dtype=np.float32), np.linspace(1, 2, 6, dtype=np.float32))
    model = model_of(Network.build((2, 3), (5, 4), 3, activation, (fixed,)))
    expected = reference_outputs(model, IMAGES / 255)
    assert model.outputs(IMAGES).dtype == np.float32
    assert model.outputs(IMAGES) == pytest.approx(expected, abs=1e-5)
    softmax = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    probabilities = model.predict_proba(IMAGES)
    assert probabilities == pytest.approx(softmax, abs=1e-5)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert model.predict(IMAGES).tolist() == expected.argmax(axis=1).tolist()
    for row, shares in zip(model.top(IMAGES, 2), softmax, strict=True):
        best = sorted(range(3), key=lambda k: -shares[k])[:2]
        assert [name for name, _ in row] == [model.class_names[k] for k in best]
        assert [share for _, share in row] == pytest.approx(shares[best].tolist(), abs=1e-5)


def test_top_gives_at_most_all_and_at_least_one_class() -> None:
    """Asking for more classes than there are gives all of them."""
    model = model_of(IMAGE_NET)
    assert [len(model.top(IMAGES, k)[0]) for k in (0, 1, 3, 99)] == [1, 1, 3, 3]


def test_ties_go_to_the_lowest_class() -> None:
    """A model that cannot decide always says the first class."""
    model = Model.build(IMAGE_NET, np.zeros(IMAGE_NET.gene_count, np.float32), ("a", "b", "c"))
    assert model.predict(np.zeros((2, 6))).tolist() == [0, 0]
    assert [name for name, _ in model.top(np.zeros((1, 6)))[0]] == ["a", "b", "c"]


def test_huge_logits_give_probabilities_not_nan() -> None:
    """Softmax is shifted by the largest logit first."""
    network = Network.build((1,), (), 2)
    model = Model.build(network, np.array([0, 0, 1e30, -1e30], np.float32), ("a", "b"))
    assert model.predict_proba(np.zeros((1, 1))).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("shape", [(2, 3), (6,), (1, 6), (6, 1)])
def test_one_input_alone_is_a_batch_of_one(shape: tuple[int, ...]) -> None:
    """A single input of the model's own shape gives the row it gives in a batch."""
    model = model_of(Network.build(shape, (4,), 3))
    one = np.arange(6, dtype=np.uint8).reshape(shape)
    assert model.outputs(one).shape == (1, 3)
    assert np.array_equal(model.outputs(one), model.outputs(one[None]))
    assert model.prepare(one).shape == (1, 6)


def test_inputs_may_be_flat_rows_or_nested_lists() -> None:
    """(N, 6) and lists are taken for (N, 2, 3) arrays."""
    model = model_of(IMAGE_NET)
    assert np.array_equal(model.outputs(IMAGES.reshape(7, 6)), model.outputs(IMAGES))
    assert np.array_equal(model.outputs(IMAGES.tolist()), model.outputs(IMAGES))


def test_no_inputs_give_no_outputs() -> None:
    """An empty batch is not an error."""
    model = model_of(IMAGE_NET)
    assert model.outputs(IMAGES[:0]).shape == (0, 3)
    assert model.predict(IMAGES[:0]).tolist() == []
    assert model.top(IMAGES[:0]) == []


@pytest.mark.parametrize("rows", [1, 2, 3, 6, 7])
def test_predicting_in_pieces_equals_predicting_at_once(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Batches larger than a piece give the same outputs, up to rounding, in the same order."""
    model = model_of(IMAGE_NET)
    whole = model.outputs(IMAGES)
    monkeypatch.setattr(infer, "CHUNK_BYTES", 4 * 6 * rows)
    assert model.outputs(IMAGES) == pytest.approx(whole, abs=1e-6)
    assert np.array_equal(model.predict(IMAGES), whole.argmax(axis=1))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
@pytest.mark.parametrize("input_range", [(0.0, 255.0), (0.0, 300.0), (-10.0, 255.0)])
def test_integers_are_raw_values_and_floats_are_mapped_ones(input_range: tuple[float, float], dtype: type) -> None:
    """An integer v means (v - low) / (high - low), of whatever integer type; a float is taken as it is."""
    model = model_of(IMAGE_NET, input_range=input_range)
    low, high = input_range
    mapped = (IMAGES.astype(np.float64) - low) / (high - low)
    assert model.prepare(IMAGES.astype(dtype)) == pytest.approx(mapped.reshape(7, 6), abs=1e-6)
    assert model.outputs(mapped) == pytest.approx(model.outputs(IMAGES.astype(dtype)), abs=1e-5)


def test_booleans_are_integers() -> None:
    """A mask is an image of zeros and ones."""
    model = model_of(IMAGE_NET, input_range=(0.0, 1.0))
    assert np.array_equal(model.prepare(IMAGES > 99), (IMAGES > 99).reshape(7, 6).astype(np.float32))


def test_without_a_range_integers_and_floats_are_features_alike() -> None:
    """Tables have no range: 3 and 3.0 are the same, and any finite value goes."""
    model = model_of(IMAGE_NET, input_range=None)
    assert np.array_equal(model.outputs(IMAGES.astype(int) - 1000), model.outputs(IMAGES.astype(float) - 1000))


def test_a_model_of_values_gives_outputs_and_refuses_to_name_classes() -> None:
    """Without class names there is nothing to predict; the error says what to call instead."""
    model = model_of(Network.build((2, 3), (4,), 2), class_names=())
    assert model.outputs(IMAGES).shape == (7, 2)
    for call in (model.predict, model.predict_proba, model.top):
        with pytest.raises(ModelError, match=r"outputs\(\)") as raised:
            call(IMAGES)
        one_line(raised.value)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.zeros((4, 3, 2)), "(4, 3, 2)"),
        (np.zeros((4, 7)), "(N, 2, 3)"),
        (np.zeros(6), "(6,)"),
        (np.zeros((1, 1, 2, 3)), "(1, 1, 2, 3)"),
        (np.float32(1), "()"),
        ([[1, 2], [3]], "numbers"),
        (np.full((1, 2, 3), np.nan), "NaN"),
        (np.full((1, 2, 3), -np.inf), "infinite"),
        (np.full((1, 2, 3), 200.0), "as integers"),
        (np.full((1, 2, 3), -0.5), "0 .. 1"),
        (np.full((1, 2, 3), 256), "0 .. 255"),
        (np.full((1, 2, 3), -1), "0 .. 255"),
        (np.full((1, 2, 3), "7"), "numbers"),
        (np.full((1, 2, 3), None), "numbers"),
        (np.full((1, 2, 3), 1j), "numbers"),
        (b"image", "numbers"),
    ],
)
def test_inputs_the_model_cannot_take_are_refused_in_one_line(inputs: Any, words: str) -> None:
    """Wrong shapes, types and values are errors, never a silent nonsense answer."""
    with pytest.raises(ModelError) as raised:
        model_of(IMAGE_NET).predict(inputs)
    assert words in one_line(raised.value)


def test_features_beyond_float32_are_refused() -> None:
    """A finite float64 that becomes infinite in float32 is as useless as infinity itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ModelError):
            model_of(IMAGE_NET, input_range=None).predict(np.full((1, 2, 3), 1e300))


def test_deeper_and_wider_networks_than_ours_are_read(tmp_path: Path) -> None:
    """The reader is not bound to what `train` builds: several fixed layers, any activation last."""
    dense = (Dense(2, 9, "step"), Dense(9, 1, "sigmoid"))
    fixed = Standardise(np.ones(2, np.float32), np.ones(2, np.float32))
    model = model_of(Network((2,), (fixed, fixed, *dense)), class_names=(), input_range=None)
    (tmp_path / "deep.npz").write_bytes(model.pack())
    x = np.random.default_rng(0).normal(size=(4, 2))
    assert infer.load(tmp_path / "deep.npz").outputs(x) == pytest.approx(reference_outputs(model, x), abs=1e-6)


def test_one_call_predicts_from_a_file(tmp_path: Path) -> None:
    """The plain function gives what a loaded model gives."""
    model = model_of(Network.build((4, 4), (3,), 5))
    model.save(tmp_path / "model.npz")
    images = np.random.default_rng(1).integers(0, 256, (7, 4, 4)).astype(np.uint8)
    assert np.array_equal(infer.predict(tmp_path / "model.npz", images), model.predict(images))


@pytest.mark.parametrize("size", [3e38, 1e30])
def test_outputs_that_are_no_numbers_are_refused(size: float) -> None:
    """Finite weights and inputs may still meet in infinity: no class is named then, for one input or for many."""
    network = Network.build((4,), (3,), 2, "relu")
    genes = np.full(network.gene_count, size, np.float32)
    genes[-network.outputs * 4 : -network.outputs * 2] *= -1
    model = Model.build(network, genes, ("a", "b"))
    inputs = np.full((5, 4), 1e9, np.float32)
    for ask in (model.predict, model.predict_proba, model.top):
        for given in (inputs, inputs[0]):
            with np.errstate(all="ignore"), pytest.raises(ModelError, match="outputs are not finite"):
                ask(given)
