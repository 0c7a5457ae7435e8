"""What sections take from a subject: answers, and what hidden layers give."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np.data.dataset import Dataset, Split
from genreg_np.report.subject import MOST_HIDDEN, Subject
from tests.helpers import evolution, tiny_dataset
from tests.zoo import ZOO, exhibit_of


def test_answers_are_the_models() -> None:
    run = evolution()
    run.run(2)
    data, model = tiny_dataset(), run.champion()
    subject = Subject("run", model, data)
    assert subject.split_name == "test"
    assert np.array_equal(subject.predicted, model.predict(data.test.inputs))
    assert np.array_equal(subject.labels, data.test.labels)
    places = np.array([1, 0, 3, 2])
    assert np.array_equal(Subject("run", model, data, places).labels, places[data.test.labels])


def test_hidden_values_are_those_that_the_network_computes() -> None:
    run = evolution(hidden=[5, 3])
    run.run(2)
    data, model = tiny_dataset(), run.champion()
    first, second = Subject("run", model, data).hidden
    (w1, b1), (w2, b2), _ = model.network.unpack(model.genes)
    x = model.prepare(data.test.inputs)
    expected = np.tanh(x @ w1.T + b1)
    np.testing.assert_allclose(first.values, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second.values, np.tanh(expected @ w2.T + b2), rtol=1e-5, atol=1e-6)
    assert (first.name, second.kind) == ("layer 0, dense", "dense")


@pytest.mark.parametrize("name", ZOO)
def test_layer_by_layer_is_what_the_model_answers(name: str) -> None:
    """Of every kind of layer: the last hidden values, and the last layer on them, come to the model's outputs."""
    exhibit = exhibit_of(name)
    model, inputs = exhibit.model, exhibit.inputs
    labels = np.arange(len(inputs)) % max(2, len(model.class_names))
    names = model.class_names or ("one", "other")
    some = Split(inputs, labels)
    subject = Subject(name, model, Dataset("shown", some, some, some, names, model.input_range))
    values = model.prepare(inputs[subject.rows])
    for index in range(len(model.header["network"]["layers"])):
        values = subject._after(index, values)
    expected = model.outputs(inputs[subject.rows])
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5 * max(1.0, float(np.abs(expected).max())))
    assert all(len(hidden.values) == len(subject.rows) for hidden in subject.hidden)


def test_of_many_inputs_some_are_looked_at() -> None:
    """Evenly spread over all of them."""
    run = evolution()
    run.run(1)
    data = tiny_dataset()
    split = Split(np.tile(data.test.inputs, (200, 1, 1)), np.tile(data.test.labels, 200))
    subject = Subject("many", run.champion(), Dataset("many", split, split, split, data.class_names, data.input_range))
    assert MOST_HIDDEN // 2 < len(subject.rows) <= MOST_HIDDEN
    assert len(set(np.diff(subject.rows))) == 1
