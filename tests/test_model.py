"""Networks and models: what fits together, and files whose bytes are determined by the model alone."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import infer
from genreg_np.errors import UsageError
from genreg_np.model import Dense, Model, Network, Standardise, load
from tests.helpers import model_of, one_line, patient

STANDARDISE = Standardise(np.arange(6, dtype=np.float32), np.full(6, 0.5, np.float32))
NETWORKS = {
    "one layer": Network.build((6,), (), 2),
    "two hidden layers": Network.build((2, 3), (5, 4), 3, "relu"),
    "standardised": Network.build((6,), (4,), 3, fixed=(STANDARDISE,)),
}


# Networks


@patient
@given(st.lists(st.integers(1, 6), min_size=2, max_size=5), st.integers(1, 3))
def test_genes_are_each_weight_and_bias_once(widths: list[int], lead: int) -> None:
    """Unpacking views every gene exactly once: weights row by row, then biases, layer after layer."""
    network = Network.build((widths[0],), tuple(widths[1:-1]), widths[-1])
    genes = np.arange(lead * network.gene_count, dtype=np.float32).reshape(lead, network.gene_count)
    layers = network.unpack(genes)
    flat = [part.reshape(lead, -1) for weights, biases in layers for part in (weights, biases)]
    assert np.array_equal(np.concatenate(flat, axis=1), genes)
    assert [weights.shape[1:] for weights, _ in layers] == list(zip(widths[1:], widths[:-1], strict=True))
    assert all(np.shares_memory(part, genes) for layer in layers for part in layer)
    assert network.outputs == widths[-1]


def test_a_network_describes_itself() -> None:
    """The published MNIST net has 50,890 weights and biases."""
    assert Network.build((28, 28), (64,), 10).describe() == "784-64-10, tanh, 50,890 weights and biases"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Network((3,), ()), "at least one"),
        (lambda: Network((3,), (Dense(4, 2, "tanh"),)), "takes 4 inputs, but 3 arrive"),
        (
            lambda: Network((3,), (Dense(3, 2, "tanh"), Dense(3, 1, "linear"))),
            "layer 1 (dense) takes 3 inputs, but 2 arrive",
        ),
        (lambda: Dense(0, 2, "tanh"), "at least 1"),
        (lambda: Dense(2, 0, "tanh"), "at least 1"),
        (lambda: Dense(2, 2, "tahn"), "did you mean 'tanh'"),
    ],
)
def test_layers_that_do_not_fit_are_refused(make: object, words: str) -> None:
    """The error names the layer and both numbers, or the nearest activation."""
    with pytest.raises(UsageError) as raised:
        make()  # type: ignore[operator]
    assert words in one_line(raised.value)


def test_standardised_features_have_mean_0_and_deviation_1() -> None:
    """Features are standardised one by one; one that never changes becomes 0, not NaN."""
    features = np.random.default_rng(0).normal([5, -3, 0], [10, 0.1, 0], (500, 3)).astype(np.float32) + np.float32(2)
    transformed = Standardise.fit(features).apply(features)
    assert transformed.dtype == np.float32
    assert transformed.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert transformed.std(axis=0) == pytest.approx([1, 1, 0], abs=1e-4)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_training_features_are_what_prediction_sees(name: str) -> None:
    """Network.features, then the dense layers alone, give the bytes that the whole model gives."""
    network = NETWORKS[name]
    model = model_of(network)
    images = np.random.default_rng(1).integers(0, 256, (9, *network.input_shape)).astype(np.uint8)
    dense = Network((6,), network.dense)
    rest = Model.build(dense, model.genes)
    assert np.array_equal(rest.outputs(network.features(images, model.input_range)), model.outputs(images))


# Files


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_saved_model_comes_back_the_same(name: str, tmp_path: Path) -> None:
    """Saved, loaded and saved again, the bytes are equal, and so are network, genes, names and predictions."""
    model = model_of(NETWORKS[name], training={"seed": 3, "accuracy": 0.1})
    model.save(tmp_path / "a.npz")
    again = load(tmp_path / "a.npz")
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes() == model.pack()
    assert again.network == model.network == NETWORKS[name]
    assert again.genes.tobytes() == model.genes.tobytes()
    assert again.class_names == model.class_names
    assert again.input_range == model.input_range
    assert again.training == {"seed": 3, "accuracy": 0.1}
    x = np.arange(12, dtype=np.uint8).reshape(2, *model.input_shape)
    assert again.outputs(x).tobytes() == model.outputs(x).tobytes()


def test_equal_models_give_equal_bytes_whatever_the_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the clock nor the order in which training facts were noted is in the file."""
    model_of(NETWORKS["one layer"], training={"a": 1, "b": 2}).save(tmp_path / "now.npz")
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2e9))
    model_of(NETWORKS["one layer"], training={"b": 2, "a": 1}).save(tmp_path / "later.npz")
    assert (tmp_path / "now.npz").read_bytes() == (tmp_path / "later.npz").read_bytes()


def test_another_model_gives_other_bytes() -> None:
    """Weights, names, range, network and training facts are all in the file."""
    network = NETWORKS["one layer"]
    models = [
        model_of(network),
        model_of(network, seed=1),
        model_of(network, class_names=("x", "y")),
        model_of(network, class_names=()),
        model_of(network, input_range=None),
        model_of(network, training={"seed": 1}),
        model_of(Network.build((2, 3), (), 2)),
        model_of(Network((6,), (Dense(6, 2, "tanh"),))),
    ]
    assert len({model.pack() for model in models}) == len(models)


def test_class_names_may_be_any_text(tmp_path: Path) -> None:
    """Names keep every character of any script."""
    names = ("zwölf \U0001f600", 'quote " and \\', "")
    model = model_of(Network.build((1,), (), 3), class_names=names)
    model.save(tmp_path / "m.npz")
    assert load(tmp_path / "m.npz").class_names == names


@pytest.mark.parametrize("cls", [Model, infer.Model])
def test_a_pickled_model_is_the_same_model(cls: type) -> None:
    """Models travel to worker processes as their header and arrays, and arrive complete."""
    model = model_of(NETWORKS["standardised"], training={"seed": 1})
    sent = model if cls is Model else infer.Model(model.header, dict(model.arrays))
    again = pickle.loads(pickle.dumps(sent))
    assert type(again) is cls
    assert again.header == model.header
    x = np.random.default_rng(0).random((5, 6))
    assert again.outputs(x).tobytes() == model.outputs(x).tobytes()


def test_a_model_does_not_share_the_genes_it_was_built_of() -> None:
    """Changing the array afterwards changes nothing, and a model's own arrays cannot be written."""
    network = NETWORKS["one layer"]
    genes = np.zeros(network.gene_count, np.float32)
    model = Model.build(network, genes)
    genes[:] = 1
    assert not model.genes.any()
    with pytest.raises(ValueError, match="read-only"):
        model.arrays["layers.0.weight"][:] = 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_names": ("one", "two", "three")}, "3 class names for 2 outputs"),
        ({"input_range": (1.0, 1.0)}, "is not a range"),
        ({"input_range": (0.0, float("inf"))}, "is not a range"),
    ],
)
def test_a_model_that_contradicts_itself_cannot_be_built(changes: dict[str, object], words: str) -> None:
    """What a reader would refuse is not built in the first place."""
    with pytest.raises(infer.ModelError) as raised:
        model_of(NETWORKS["one layer"], **changes)
    assert words in one_line(raised.value)


def test_a_failed_save_leaves_the_old_model(tmp_path: Path) -> None:
    """A model whose facts are not JSON is refused before the file is touched."""
    path = tmp_path / "m.npz"
    model_of(NETWORKS["one layer"]).save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        model_of(NETWORKS["one layer"], training={"accuracy": float("nan")}).save(path)
    assert path.read_bytes() == before


def test_layers_may_be_a_list_and_are_a_tuple() -> None:
    """Equal networks are equal, whatever held their layers."""
    layers = [Dense(3, 4, "tanh"), Dense(4, 2)]
    assert Network((3,), layers) == Network((3,), tuple(layers))  # type: ignore[arg-type]
    assert hash(Network((3,), layers)) == hash(Network((3,), tuple(layers)))  # type: ignore[arg-type]
    for wrong in (Dense, "dense"):
        with pytest.raises(UsageError, match="is not a layer"):
            Network((3,), (wrong,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((Dense(4, 2, "sigmoid"),), "4-2, sigmoid, 10"),
        ((Dense(4, 3, "tanh"), Dense(3, 2, "sigmoid")), "4-3-2, tanh, then sigmoid, 23"),
        ((Dense(4, 2),), "4-2, linear, 10"),
        ((Dense(4, 3, "tanh"), Dense(3, 2)), "4-3-2, tanh, 23"),
    ],
)
def test_the_last_layers_activation_is_told(layers: tuple[Dense, ...], said: str) -> None:
    assert Network((4,), layers).describe() == f"{said} weights and biases"


@pytest.mark.parametrize("count", [0, 25, 27])
def test_genes_that_are_not_as_many_as_the_network_has_are_one_line(count: int) -> None:
    """With both numbers; a genome in a row of genomes, too."""
    network = Network.build((3,), (4,), 2)
    for genes, shown in ((np.zeros(count, np.float32), str(count)), (np.zeros((1, 26), np.float32), r"\(1, 26\)")):
        with pytest.raises(UsageError, match=f"genes: .*{shown}, but this network has 26 weights and biases") as error:
            Model.build(network, genes)
        one_line(error.value)


@pytest.mark.parametrize("name", ["class_names", "feature_names"])
def test_a_word_is_no_list_of_names(name: str) -> None:
    """Nor is it one of letters."""
    network = Network.build((2,), (), 2)
    with pytest.raises(UsageError, match=f"{name} = 'ab' must be a list of names") as error:
        Model.build(network, np.zeros(6, np.float32), **{name: "ab"})
    one_line(error.value)
