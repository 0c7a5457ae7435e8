"""Layers that remember: in files and networks, evolution that finds a policy, and what refuses them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import Evolution, TrainConfig, export, infer, strategies, train
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.cli import main
from genreg_np.errors import UsageError
from genreg_np.export.quantise import quantise
from genreg_np.files import pack_arrays
from genreg_np.infer import ModelError
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.description import parse, words
from genreg_np.layers.groups import Gene
from genreg_np.layers.recurrent import Elman
from genreg_np.model import Dense, Model, Network, load
from tests.helpers import BACKENDS, answers, create_or_skip, model_of, one_line, patient, tiny_config, tiny_dataset
from tests.test_infer_headers import JSON_VALUES
from tests.test_network_broods import EVERYONE, brood_of
from tests.zoo import POLICIES, exhibit_of

PLAIN = "elman, tanh"


# Files


def header_of(layers: list[dict[str, Any]], width: int) -> dict[str, Any]:
    return {
        "format": infer.FORMAT_NAME,
        "version": infer.FORMAT_VERSION,
        "network": {"input_shape": [width], "layers": layers},
        "class_names": [],
        "input_range": None,
    }


def parts(where: str, inputs: int = 2, outputs: int = 2) -> dict[str, np.ndarray]:
    shapes = {"weight": (outputs, inputs), "recurrent": (outputs, outputs), "bias": (outputs,)}
    return {f"{where}.{name}": np.ones(shape, np.float32) for name, shape in shapes.items()}


ELMAN = {"kind": "elman", "inputs": 2, "outputs": 2, "activation": "tanh"}
RESIDUAL = {"kind": "residual", "shape": [2], "layers": [ELMAN]}


@pytest.mark.parametrize(
    ("layers", "where", "why"),
    [
        ([RESIDUAL], "layers.0.0", r"layer 0\.0 \(elman\) remembers, so it cannot stand within another layer"),
        (
            [{"kind": "concatenate", "shape": [2], "branches": [[], [ELMAN]]}],
            "layers.0.1.0",
            r"layer 0\.1\.0 \(elman\) remembers",
        ),
        (
            [{"kind": "branches", "inputs": 2, "branches": [[ELMAN]]}, ELMAN | {"inputs": 2}],
            "layers.0.0.0",
            r"layer 0\.0\.0 \(elman\) remembers, so it cannot stand within another layer",
        ),
        ([ELMAN | {"activation": "odd"}], "layers.0", "unknown activation 'odd'"),
        ([ELMAN | {"outputs": 3}], "layers.0", r"array 'layers.0.weight' is \(2, 2\) float32"),
        ([ELMAN | {"outputs": True}], "layers.0", "whole number"),
        ([ELMAN], "layers.1", "array 'layers.0.weight' is missing"),
    ],
)
def test_files_that_cannot_be_are_refused_in_one_line(
    layers: list[dict[str, Any]], where: str, why: str, tmp_path: Path
) -> None:
    """Above all a layer that remembers within another, whose state nothing would hand on."""
    text = json.dumps(header_of(layers, 2)).encode()
    arrays = {"header": np.frombuffer(text, np.uint8), **parts(where)}
    (tmp_path / "m.npz").write_bytes(pack_arrays(arrays))
    with pytest.raises(ModelError, match=why) as raised:
        infer.load(tmp_path / "m.npz")
    one_line(raised.value)


@patient
@given(st.sampled_from(sorted(ELMAN)), JSON_VALUES)
def test_whatever_an_entry_is_the_file_is_read_or_refused(entry: str, value: Any) -> None:
    """Nothing else is raised, and what is read makes a step."""
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(header_of([ELMAN | {entry: value}], 2)).encode()
        path = Path(folder) / "m.npz"
        path.write_bytes(pack_arrays({"header": np.frombuffer(text, np.uint8), **parts("layers.0")}))
        try:
            model = infer.load(path)
        except ModelError as error:
            one_line(error)
        else:
            assert model.step(model.start(), [1, 2])[1].shape == (2,)


@pytest.mark.parametrize("name", ["weight", "recurrent", "bias"])
def test_weights_that_are_not_finite_are_refused(name: str) -> None:
    """Of all three arrays."""
    arrays = parts("layers.0")
    arrays[f"layers.0.{name}"].flat[0] = np.nan
    with pytest.raises(ModelError, match=f"'layers.0.{name}' holds NaN"):
        infer.Model(header_of([ELMAN], 2), arrays)


@pytest.mark.parametrize("name", POLICIES)
def test_the_exported_runtime_makes_the_same_steps(name: str, tmp_path: Path) -> None:
    """One file, which is run as it is."""
    exhibit = exhibit_of(name)
    files = export.files_of(exhibit.model, "python")
    (tmp_path / "model.npz").write_bytes(files["model.npz"])
    names: dict[str, Any] = {"__name__": "copied", "__file__": str(tmp_path / "infer.py")}
    exec(compile(files["infer.py"], "infer.py", "exec"), names)
    copied = names["load"](tmp_path / "model.npz")
    assert answers(copied, exhibit.inputs).tobytes() == answers(exhibit.model, exhibit.inputs).tobytes()
    assert b"model.step(" in files["example.py"]


# The layer


def test_a_description_has_a_word_for_it() -> None:
    """Any shape is seen as it lies; an activation after it is a layer of its own."""
    layers = parse("elman 5 / relu / dense 2", (3, 4))
    assert layers[0] == Elman(12, 5)
    assert words(layers) == "elman 5 / relu / dense 2"
    assert words([Elman(3, 4, "relu")]) == "elman 4 (relu)"
    assert Network((3, 4), layers).describe() == "3 x 4: elman 5 / relu / dense 2, 102 weights and biases"
    for text, why in (("elman", "N is missing; usage: elman N"), ("rnn 5", "did you mean 'elman'")):
        with pytest.raises(UsageError, match=why) as raised:
            parse(text, (3,))
        one_line(raised.value)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Elman(0, 2), "inputs of an elman layer"),
        (lambda: Elman(2, 1.5), "outputs of an elman layer"),  # type: ignore[arg-type]
        (lambda: Elman(2, 2, "tan"), "unknown activation 'tan'.*did you mean 'tanh'"),
        (lambda: Residual((2,), (Elman(2, 2),)), r"layer 0 \(elman\) remembers, so it cannot stand within residual"),
        (lambda: Concatenate((2,), ((Elman(2, 2),), ())), "remembers, so it cannot stand within concatenate"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make: Callable[[], Any], why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        Network((2,), (make(),))
    one_line(raised.value)


def test_crossover_exchanges_all_that_a_unit_has() -> None:
    """Its rows of both matrices and its bias; or the layer, or blocks of each matrix."""
    layer = Elman(2, 3)  # W is genes 0 .. 5, U 6 .. 14, b 15 .. 17
    unit = layer.groups(Gene.UNIT)
    assert unit.count == 3
    ends = [*(first for first, _ in unit.runs[1:]), layer.gene_count]
    owners = {
        first + gene: number
        for (first, number), end in zip(unit.runs, ends, strict=True)
        for gene in range(end - first)
    }
    assert [owners[gene] for gene in range(18)] == [0, 0, 1, 1, 2, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2]
    assert layer.groups(Gene.LAYER).count == 1
    assert layer.groups(Gene.BLOCK).runs == [(0, 0), (6, 1), (15, 1)]
    wide = Elman(100, 130).groups(Gene.BLOCK)
    assert wide.count == 3 * 2 + 3 * 3
    assert wide.runs[-1] == (130 * 230 + 86, 14)


def test_first_weights_shrink_with_all_that_a_unit_sees() -> None:
    """Inputs, and what the units gave before."""
    assert {parameter.fan_in for parameter in Elman(5, 11).parameters} == {16}


@pytest.mark.parametrize("name", BACKENDS)
def test_genomes_are_the_same_bits_everywhere(name: str) -> None:
    """Drawn or inherited, by whatever is exchanged as a whole."""
    network = Network((4,), (Elman(4, 6), Dense(6, 2)))
    backend, reference = create_or_skip(name), NumpyBackend()
    for brood in (brood_of(survivors=0, network=network), *(brood_of(gene, network=network) for gene in Gene)):
        found = backend.to_host(backend.rebuild(brood, EVERYONE))
        assert found.tobytes() == reference.rebuild(brood, EVERYONE).tobytes(), brood.gene


# Evolution


def recalled(model: Model) -> float:
    """Return how well a policy says, three steps later, which of two signs it saw: at most 1, without memory 0."""
    earned = 0.0
    for sign in (-1.0, 1.0):
        state = model.start()
        for seen in (sign, 0.0, 0.0, 0.0):
            state, outputs = model.step(state, [seen])
        earned += float(np.tanh(sign * outputs[0])) / 2
    return earned


@pytest.mark.parametrize("strategy", ["genreg", "cma-es"])
def test_evolution_finds_a_policy_that_remembers(strategy: str, tmp_path: Path) -> None:
    """A task that is beyond any policy without memory; what is saved does as well."""
    config = TrainConfig(strategy=strategy, seed=1, generations=40)
    remembering = Evolution(config, network=Network((1,), (Elman(1, 4), Dense(4, 1))), backend="numpy")
    remembering.run(fitness=recalled, target=0.8, out=tmp_path / "run")
    assert remembering.best_ever is not None
    assert remembering.best_ever.fitness > 0.8
    saved = load(tmp_path / "run" / "model.npz")
    assert recalled(saved) == remembering.best_ever.fitness
    forgetful = Evolution(config, network=Network.build((1,), (4,), 1), backend="numpy")
    forgetful.run(3, fitness=recalled)
    assert forgetful.best_ever is not None
    assert forgetful.best_ever.fitness == pytest.approx(0, abs=1e-6)


# What takes samples


@pytest.mark.parametrize("strategy", strategies.REGISTRY)
def test_nothing_learns_it_from_a_dataset(strategy: str) -> None:
    """Described, or given: one line."""
    dataset = tiny_dataset()
    network = Network(dataset.input_shape, (Elman(16, 3), Dense(3, 4)))
    for layers in (network, "elman 3 / dense 4"):
        with pytest.raises(UsageError) as raised:
            train(tiny_config(strategy=strategy, hidden=[]), dataset, network=layers, backend="numpy")
        assert one_line(raised.value).startswith("the network remembers, but samples have no order")


def test_no_features_are_made_of_samples_for_it() -> None:
    """The one place that all data go through on their way to a network."""
    network = exhibit_of(PLAIN).model.network
    with pytest.raises(UsageError, match="remembers, but samples have no order: evolve it by a fitness") as raised:
        network.features(np.zeros((3, 4), np.float32), None)
    one_line(raised.value)


def test_what_needs_samples_or_gradients_refuses_it() -> None:
    """ONNX, integers of 8 bits, and gradients: one line each."""
    model = exhibit_of(PLAIN).model
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: export.files_of(model, "onnx"), r"\(elman\) cannot be expressed in onnx; --to python or c or html"),
        (lambda: quantise(model, np.zeros((3, 4))), r"\(elman\) cannot be computed in 8-bit integers"),
        (lambda: model.network.layers[0].check_gradient(), "a layer of elman has no gradient to follow"),
    ]
    for refused, why in refusals:
        with pytest.raises(UsageError, match=why) as raised:
            refused()
        one_line(raised.value)


@pytest.mark.parametrize("command", ["infer", "eval"])
def test_the_command_line_says_so(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of samples in a file."""
    network = Network((4,), (Elman(4, 3), Dense(3, 2)))
    model_of(network, class_names=("a", "b"), input_range=None).save(tmp_path / "m.npz")
    end = ("", "") if command == "infer" else (",a", ",b")
    rows = "".join(f"1,2,3,4{end[0]}\n4,3,2,1{end[1]}\n" for _ in range(20))
    (tmp_path / "rows.csv").write_text(("w,x,y,z,label\n" if command == "eval" else "") + rows)
    given = [str(tmp_path / "rows.csv")] if command == "infer" else ["--dataset", str(tmp_path / "rows.csv")]
    with pytest.raises(SystemExit) as ended:
        main([command, str(tmp_path / "m.npz"), *given])
    assert ended.value.code
    assert "remembers" in one_line(capsys.readouterr().err.strip())
