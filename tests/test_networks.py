"""Networks as a line of words: read and written, refused with the place marked, and taken by config and command."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.infer import ACTIVATIONS
from genreg_np.layers.activation import FUNCTIONS, Activation
from genreg_np.layers.base import Layer
from genreg_np.layers.branching import Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.description import WORDS, parse, tidied, words
from genreg_np.layers.pooling import Pooling
from genreg_np.model import Network
from genreg_np.runs.config import TrainConfig, read_toml
from genreg_np.strategies.problem import HiddenLayers, network_for
from tests.helpers import DATASET, ROOT, one_line, patient

NUMBERS = {"K": st.integers(1, 4), "KERNEL": st.integers(1, 4), "P": st.sampled_from([0.25, 0.5])}


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Return a line of words as their usage has them; it need not fit."""
    steps = []
    for name in draw(st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=6)):
        step = [name]
        usage = WORDS[name].usage.replace("[", " [ ").replace("]", " ] ").split()[1:]
        skipping = False
        for part in usage:
            if part == "[":
                skipping = not draw(st.booleans())
            elif part == "]":
                skipping = False
            elif not skipping:
                number = draw(NUMBERS.get(part, st.integers(1, 5))) if part.isupper() else part
                step.append(str(draw(st.sampled_from(part.split("|"))) if "|" in part else number))
        steps.append(" ".join(step))
    return draw(st.sampled_from([" / ", "/", "  /\t"])).join(steps)


def layers_of(text: str, shape: tuple[int, ...]) -> tuple[Layer, ...] | None:
    """Return the layers of a line, or None where they do not fit."""
    try:
        return parse(text, shape)
    except UsageError as error:
        line = one_line(error)
    assert line.startswith("network: layer ")
    return None


@patient
@given(lines(), st.sampled_from([(3, 9, 8), (9, 8), (12,)]))
def test_words_of_layers_are_read_as_the_same_layers(text: str, shape: tuple[int, ...]) -> None:
    """parse(words(layers)) == layers, whatever was read; a line that does not fit names the layer."""
    layers = layers_of(text, shape)
    if layers is None:
        return
    assert parse(words(layers), shape) == layers
    assert parse(tidied(text), shape) == layers
    assert tidied(tidied(text)) == tidied(text)


@patient
@given(st.text("conv max dense/ 0123.-relu\n\x00é", max_size=40))
def test_any_text_is_layers_or_one_line(text: str) -> None:
    """Nothing but a UsageError of one printable line comes of nonsense."""
    layers_of(text, (2, 7, 7))


def test_dense_layers_in_words_are_the_network_that_hidden_builds() -> None:
    """So that they stay what the fastest kernels are for."""
    assert parse("dense 64 / relu / dense 10", (784,)) == Network.build((784,), (64,), 10, "relu").layers
    assert Network((28, 28), parse("dense 64 / relu / dense 10", (28, 28))).is_dense
    for name in FUNCTIONS:
        single = parse(f"dense 3 / {name}", (4,))
        assert len(single) == (1 if name in ACTIVATIONS else 2), name


def test_a_line_says_what_each_layer_is() -> None:
    """Shapes go from layer to layer: grey images are one channel, and an activation after a dense layer is its own."""
    layers = parse("conv 4 3 stride 2 same / relu / max 2 / prelu / dense 6 / tanh / relu", (9, 8))
    assert layers[0] == Convolution((1, 9, 8), 4, 3, 2, same=True)
    assert layers[1] == Activation(4 * 5 * 4, "relu")
    assert layers[2] == Pooling((4, 5, 4), "max", 2)
    assert layers[4:] == (Dense(4 * 2 * 2, 6, "tanh"), Activation(6, "relu"))
    assert parse("conv 4 3", (3, 9, 8)) == (Convolution((3, 9, 8), 4, 3),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dense 2 / softmax", "layer 2, 'softmax': there is no layer 'softmax': leave it out, the last"),
        ("residual (conv 2 3) / dense 2", "there is no layer 'residual': it is made from Python only"),
        ("linear 3 / dense 2", "there is no layer 'linear' (did you mean 'dense'?)"),
        ("cnov 16 3 / dense 2", "layer 1, 'cnov 16 3': there is no layer 'cnov' (did you mean 'conv'?)"),
        (
            "relu / conv 16",
            "layer 2, 'conv 16': KERNEL is missing; usage: conv FILTERS KERNEL [stride S] [same]",
        ),
        ("conv x 3", "FILTERS = 'x' must be a whole number from 1"),
        ("conv 0 3", "FILTERS = '0' must be a whole number from 1"),
        ("dense 99999999999", "N = '99999999999' must be a whole number from 1 to"),
        ("dense 4 4", "layer 1, 'dense 4 4': '4' is not expected there; usage: dense N"),
        ("conv 4 3 strid 2", "'strid' is not expected there (did you mean 'stride'?)"),
        ("conv 4 3 stride", "stride S is missing"),
        ("conv 4 3 same same", "'same' is not expected there"),
        ("adaptive mx 2", "'mx' must be one of max, avg (did you mean 'max'?)"),
        ("dense 4 // relu", "layer 2, '': nothing is written there"),
        ("", "layer 1, '': nothing is written there"),
        ("conv 2 3 / max 9", "layer 2, 'max 9': 9 x 9 is larger than the 5 x 5 that are pooled"),
        ("max 4 / conv 2 3", "layer 2, 'conv 2 3': filters of 3 x 3 are larger than the 1 x 1 they slide over"),
        ("dense 4 / conv 2 3", "layer 2, 'conv 2 3': needs maps, channels x rows x columns, but 4 flat values arrive"),
        ("conv 2 10 same", "size 10 of a convolution is more than 9"),
        (" / ".join(["relu"] * 257), "has 257 layers, but must have at most 256"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text: str, said: str) -> None:
    """One line: which layer, in its words, and what was expected."""
    with pytest.raises(UsageError) as raised:
        parse(text, (7, 7))
    line = one_line(raised.value)
    assert line.startswith("network: ")
    assert said in line


def test_flat_inputs_have_no_maps() -> None:
    """A table's columns are no image."""
    with pytest.raises(UsageError, match="but 12 flat values arrive"):
        parse("conv 2 3 / dense 2", (12,))


def test_every_word_is_described() -> None:
    """docs/networks.md has its usage as errors show it."""
    page = (ROOT / "docs" / "networks.md").read_text("utf-8").replace("\\|", "|")
    assert [word.usage for word in WORDS.values() if f"`{word.usage}`" not in page] == []


# Settings


def test_a_network_takes_the_place_of_hidden_layers(tmp_path: Path) -> None:
    """In a preset, a file, a copy; and it comes back from TOML as it was."""
    config = TrainConfig.from_preset("small", network="conv 4 3/relu /  dense 4")
    assert (config.network, config.hidden) == ("conv 4 3 / relu / dense 4", ())
    (tmp_path / "c.toml").write_text(tomli_w.dumps(config.to_dict()), "utf-8")
    assert TrainConfig.from_dict(read_toml(tmp_path / "c.toml")) == config
    assert config.replace(hidden=(9,)).network == ""
    assert TrainConfig(hidden=(9,)).replace(network="dense 4").hidden == ()
    assert config.replace(seed=2).network == config.network


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"network": "dense 4", "hidden": [64]}, "network and hidden cannot be combined"),
        ({"network": "dense 4", "activation": "relu"}, "write it as a layer of its own"),
        ({"network": "dense"}, "layer 1, 'dense': N is missing"),
        ({"network": 4}, "network = 4 must be a word"),
    ],
)
def test_settings_that_contradict_a_network_are_refused(values: dict[str, Any], said: str) -> None:
    """In one line, before data are looked for."""
    with pytest.raises(UsageError) as raised:
        TrainConfig.from_dict(values)
    assert said in one_line(raised.value)


def test_a_network_under_way_stays_what_it_is() -> None:
    """Its genomes have a length."""
    with pytest.raises(UsageError, match="network cannot be changed during a run"):
        TrainConfig(network="dense 4").changed(network="dense 5 / dense 4")


def test_outputs_must_be_the_classes() -> None:
    """The line says what to write."""
    with pytest.raises(UsageError, match="gives 7 outputs, but tiny has 4 classes: end it with `dense 4`") as raised:
        network_for(DATASET, HiddenLayers((), "tanh", "dense 7"))
    one_line(raised.value)


@pytest.mark.parametrize("shape", [(3, 6, 5), (6, 5)])
def test_float_images_are_standardised_before_maps(shape: tuple[int, ...]) -> None:
    """As other features are; the maps are still there."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, *shape)).astype(np.float32)
    dataset = Dataset.from_arrays(inputs, np.arange(40) % 2)
    network = network_for(dataset, HiddenLayers((), "tanh", "conv 2 3 / relu / dense 2"))
    assert network.input_shape == shape
    assert [layer.kind for layer in network.layers] == ["standardise", "convolution", "activation", "dense"]
    assert network.shapes[0] == (math.prod(shape),)


def test_colours_last_are_refused_with_what_to_do() -> None:
    """Channels come first; a narrow map of many channels is none of that."""
    hint = "reorder axes, .* is 16 x 16 x 3, and channels come first: 3 x 16 x 16"
    with pytest.raises(UsageError, match=hint) as raised:
        parse("conv 4 3 / dense 2", (16, 16, 3))
    one_line(raised.value)
    assert parse("conv 4 3 / dense 2", (3, 16, 16))
    assert parse("conv 4 3 / dense 2", (16, 5, 3))


def test_layers_nested_deeper_than_a_model_file_may_be_are_refused() -> None:
    """When the network is made, not when the model that a run ends with is read."""
    layer: Layer = Dense(3, 3)
    for _ in range(20):
        layer = Residual((3,), (layer,))
    with pytest.raises(UsageError, match="nested too deeply for a model file") as raised:
        Network((3,), (layer,))
    one_line(raised.value)
