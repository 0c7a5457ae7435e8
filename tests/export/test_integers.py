"""Models of 8-bit integers in words, whatever their headers say besides what they compute by."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from genreg_np.export import TARGETS, files_of, target
from genreg_np.export.facts import facts
from genreg_np.export.integers import words
from genreg_np.model import Model
from tests.export.hard_int8 import NUMBERS, hard_int8
from tests.helpers import one_line
from tests.zoo import ZOO, exhibit_of, kinds_in

INT8 = [name for name in ZOO if name.startswith("int8")]
DEEP = "int8, maps, stacks in stacks"
LINES = {
    "int8, deep": "100-9-8-5-3",
    "int8, branches, hidden layer": "84-6-3",
    "int8, layer of residual": "residual (conv 2 3 same / tanh) / dense 3",
    "int8, layer of instance-norm": "group-norm 2 / dense 3",
    DEEP: "conv 6 3 same / lookup / residual (conv 6 3 same / group-norm 2 / lookup / residual (conv 6 1 / tanh))"
    " / concatenate (avg 2 / lookup | conv 4 3 stride 2 same / sigmoid / lookup | max 2) / adaptive avg 3"
    " / dense 4 / tanh / dense 3",
    "int8, maps, down and up": "conv 5 5 stride 2 / leaky-relu / max 2 stride 1 / transposed 3 3 stride 2"
    " / group-norm 3 / upsample 2 / conv 4 3 same / adaptive max 3 / dense 3",
}


@pytest.mark.parametrize("name", LINES)
def test_layers_are_called_what_they_were_made_from(name: str) -> None:
    assert words(exhibit_of(name).model).learned == LINES[name]


@pytest.mark.parametrize("name", [*INT8, *NUMBERS])
def test_the_facts_say_what_numbers_a_network_has(name: str) -> None:
    """A line of its layers, and how many weights and biases it has."""
    model = (exhibit_of(name) if name in ZOO else hard_int8(name)).model
    count = sum(array.size for place, array in model.arrays.items() if place.endswith((".weight", ".bias")))
    (network, said), (weights, counted), *_ = facts(model, 1000)
    assert (network, weights) == ("Network", "Weights")
    assert one_line(said)
    assert counted == f"{count:,} learned, 8-bit integers; 1,000 bytes in all"


def changed(layers: list[dict[str, Any]], entries: dict[str, Any]) -> None:
    """Give every layer these entries, and those within it."""
    for layer in layers:
        for stack in (*([layer["layers"]] if "layers" in layer else ()), *layer.get("branches", ())):
            changed(stack, entries)
        layer.update({key: value for key, value in entries.items() if key not in layer or key == "activation"})


ODD: dict[str, dict[str, Any]] = {
    "no text": {"activation": 5, "function": [1]},
    "nothing": {"activation": None},
    "long text": {"activation": "two\nlines" * 200},
    "stacks where none are": {"layers": 5, "branches": {"a": 1}},
    "layers that are none": {"layers": [{"kind": 7}], "branches": [[3]]},
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["int8, tanh", DEEP, "int8, branches, hidden layer"])
def test_entries_that_nothing_needs_disturb_nothing(name: str, odd: str) -> None:
    """It is described in one line, and exported as it would be without them."""
    whole = exhibit_of(name).model
    header = copy.deepcopy(whole.header)
    changed(header["network"]["layers"], ODD[odd])
    model = Model(header, whole.arrays)
    assert one_line(dict(facts(model, 1000))["Network"])
    assert words(model).count == words(whole).count
    for to in TARGETS:
        if kinds_in(whole) <= target(to).TAKES:
            assert files_of(model, to)
    assert np.array_equal(model.outputs(exhibit_of(name).inputs), whole.outputs(exhibit_of(name).inputs))


def test_filters_larger_than_can_be_trained_are_called_by_their_kind() -> None:
    """A file may have any; no layer that learns is of such a size."""
    exhibit = hard_int8("convolution, cut, shift 30, same")
    header = copy.deepcopy(exhibit.model.header)
    layer = header["network"]["layers"][1]
    layer["size"] = 11
    arrays = dict(exhibit.model.arrays) | {"layers.1.weight": np.ones((4, 3, 11, 11), np.int8)}
    assert words(Model(header, arrays)).learned.startswith("convolution / dense ")
