"""Steps of the runtime: of models that remember, and of all others, which take the same loop."""

from __future__ import annotations

import concurrent.futures
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.infer import ModelError
from genreg_np.layers.recurrent import Elman
from genreg_np.model import Model, Network
from tests.helpers import answers, model_of, one_line
from tests.test_infer import ACTIVATIONS
from tests.zoo import POLICIES, ZOO, exhibit_of

PLAIN, TWO = "elman, tanh", "elman, two, of standardised features"


@pytest.mark.parametrize("activation", list(infer.ACTIVATIONS))
def test_a_step_is_its_equation(activation: str) -> None:
    """As f(W x + U h + b) makes it out of h, 0 at first; worked out in doubles."""
    network = Network((3,), (Elman(3, 5, activation),))
    genes = np.random.default_rng(1).normal(0, 0.5, network.gene_count).astype(np.float32)
    model = Model.build(network, genes, ())
    weight, recurrent, bias = (
        model.arrays[f"layers.0.{name}"].astype(float) for name in ("weight", "recurrent", "bias")
    )
    function, state, hidden = np.vectorize(ACTIVATIONS[activation]), model.start(), np.zeros(5)
    for observation in np.random.default_rng(2).normal(size=(6, 3)):
        hidden = function(weight @ observation + recurrent @ hidden + bias)
        state, outputs = model.step(state, observation)
        assert outputs == pytest.approx(hidden, abs=1e-5)
        assert np.array_equal(state[0], outputs)


@pytest.mark.parametrize("name", POLICIES)
def test_states_and_outputs_are_float32_of_one_observation(name: str) -> None:
    """An array for each layer that remembers, zeros at the start; outputs (K,)."""
    model, steps = exhibit_of(name).model, exhibit_of(name).inputs
    layers = [layer for layer in model.header["network"]["layers"] if layer["kind"] == "elman"]
    state = model.start()
    assert not any(array.any() for array in state)
    for one in steps[:2]:
        assert [(array.shape, array.dtype) for array in state] == [((layer["outputs"],), "f4") for layer in layers]
        state, outputs = model.step(state, one)
        assert (outputs.shape, outputs.dtype) == ((model.output_count,), np.float32)


@pytest.mark.parametrize("name", ZOO)
def test_models_that_do_not_remember_take_the_same_loop(name: str) -> None:
    """Their state is (), and a step gives the bytes of `outputs`."""
    model, inputs = exhibit_of(name).model, exhibit_of(name).inputs
    assert model.start() == ()
    for one in inputs[:3]:
        state, outputs = model.step(model.start(), one)
        assert state == ()
        assert outputs.tobytes() == model.outputs(one)[0].tobytes()
        assert outputs.shape == (model.output_count,)


@pytest.mark.parametrize("name", POLICIES)
def test_a_step_leaves_its_state_as_it_is_and_depends_on_nothing_else(name: str) -> None:
    """Whatever is done to what came out: the same step gives the same again, and so does a copy of the model."""
    model, steps = exhibit_of(name).model, exhibit_of(name).inputs
    state, _ = model.step(model.start(), steps[0])
    kept = [array.copy() for array in state]
    after, outputs = model.step(state, steps[1])
    expected = [array.tobytes() for array in (*after, outputs)]
    outputs[:] = 7
    assert [array.tobytes() for array in after] == expected[:-1]
    assert all(map(np.array_equal, state, kept))
    for same in (model, pickle.loads(pickle.dumps(model))):
        again, outputs = same.step(state, steps[1])
        assert [array.tobytes() for array in (*again, outputs)] == expected
    with pytest.raises(ValueError, match="read-only"):
        model.start()[0][:] = 1


def test_threads_share_a_model() -> None:
    """Each with a state of its own: what they get is what one gets alone."""
    exhibit = exhibit_of(TWO)
    games = [np.roll(exhibit.inputs, shift, axis=0) for shift in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda game: answers(exhibit.model, game), games))
    assert all(np.array_equal(one, answers(exhibit.model, game)) for one, game in zip(found, games, strict=True))


def test_one_observation_may_be_a_list_or_a_row_of_one() -> None:
    """The same outputs, of floats of any size."""
    model, one = exhibit_of(PLAIN).model, np.array([0.5, -0.25, 2, 0])
    found = [model.step(model.start(), given)[1] for given in (one, one.tolist(), one[None], one.astype(np.float16))]
    assert all(np.array_equal(outputs, found[0]) for outputs in found)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("ask", ["outputs", "predict", "predict_proba", "top"])
def test_a_model_that_remembers_takes_no_samples(name: str, ask: str) -> None:
    """One line, whether it has classes or not, that says what to call."""
    with pytest.raises(ModelError, match=r"remembers.*start\(\), then step\(\)") as raised:
        getattr(exhibit_of(name).model, ask)(exhibit_of(name).inputs)
    one_line(raised.value)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (lambda _: (), "not this model's: begin with start()"),
        (lambda start: start[:1], "not this model's"),
        (lambda start: start[::-1], "not this model's"),
        (lambda start: (*start, start[0]), "not this model's"),
        (lambda start: tuple(array[None] for array in start), "not this model's"),
    ],
)
def test_another_state_is_refused_in_one_line(state: Callable[[Any], Any], why: str) -> None:
    """Such as that of another model."""
    exhibit = exhibit_of(TWO)
    with pytest.raises(ModelError, match="the state is") as raised:
        exhibit.model.step(state(exhibit.model.start()), exhibit.inputs[0])
    assert why in one_line(raised.value)


def test_a_state_for_a_model_without_any_is_refused() -> None:
    """It came from elsewhere."""
    with pytest.raises(ModelError, match="not this model's") as raised:
        exhibit_of("values, not classes").model.step(exhibit_of(PLAIN).model.start(), np.zeros(3))
    one_line(raised.value)


@pytest.mark.parametrize(
    ("observation", "why"),
    [
        (np.zeros((2, 4)), "one observation"),
        (np.zeros((0, 4)), "one observation"),
        (np.zeros(3), "inputs have shape (3,)"),
        (np.array([0, np.nan, 0, 0]), "NaN"),
        ([0, 0, np.inf, 0], "infinite"),
        ([0, 0, 1e39, 0], "too large"),
        (["a", "b", "c", "d"], "must be numbers"),
    ],
)
@pytest.mark.parametrize("name", [PLAIN, "dense"])
def test_what_is_no_observation_is_refused_in_one_line(name: str, observation: Any, why: str) -> None:
    """With or without memory."""
    dense = model_of(Network.build((4,), (3,), 2), input_range=None)
    model = dense if name == "dense" else exhibit_of(name).model
    with pytest.raises(ModelError) as raised:
        model.step(model.start(), observation)
    assert why in one_line(raised.value)


@pytest.mark.parametrize("width", [4, 400])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_a_few_numbers_are_checked_as_many_are(width: int, dtype: Any) -> None:
    """Python looks at a few, NumPy at many: both take what is finite in float32, nothing else, and warn of nothing."""
    model = model_of(Network.build((width,), (3,), 2), input_range=None)
    for number in (6e4, -6e4, 3.4e38, -3.4e38, 1e-320, 0.0, -0.0):
        given = np.zeros(width, dtype)
        with np.errstate(over="ignore"):
            given[-1] = number
        if np.isfinite(given).all():
            assert model.prepare(given)[0, -1] == np.float32(number if dtype != np.float16 else given[-1])
    for number in (np.nan, np.inf, -np.inf, 3.5e38, -3.5e38):
        given = np.zeros(width, dtype)
        with np.errstate(over="ignore"):
            given[0] = number
        with pytest.raises(ModelError, match="NaN, infinite or too large"):
            model.prepare(given)
