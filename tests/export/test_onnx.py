"""Target onnx: every model in the zoo gives infer.py's answers in onnxruntime; its file is valid and repeatable."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np import __version__, infer
from genreg_np.errors import MissingExtraError, UsageError
from genreg_np.export import export, files_of, onnx_
from genreg_np.model import Model, Network
from tests.export import mnist
from tests.helpers import KINDS, ROOT, model_of, one_line, python
from tests.zoo import NASTY_NAMES, ZOO, exhibit_for, exhibit_of

onnx = pytest.importorskip("onnx", reason="needs the package onnx: pip install onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the package onnxruntime: pip install onnxruntime")

Answers = dict[str, NDArray[np.generic]]
PIECE = 1000  # images at a time: a bank keeps all its responses to them in memory
BOUND = 1e-5  # of float logits, relative to the largest; measured: below 1e-6


def raw(model: Model, inputs: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return inputs in the type that the file takes."""
    whole = np.uint8 if model.input_range == (0.0, 255.0) else np.int64
    return inputs.astype(np.float32 if model.input_range is None else whole)


def answers(model: Model, inputs: NDArray[np.generic]) -> Answers:
    """Return what onnxruntime, as it is by default, makes of the exported model."""
    session = onnxruntime.InferenceSession(files_of(model, "onnx")["model.onnx"], providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    starts = range(0, max(1, len(inputs)), PIECE)
    pieces = [session.run(names, {"input": raw(model, inputs[start : start + PIECE])}) for start in starts]
    return dict(zip(names, map(np.concatenate, zip(*pieces, strict=True)), strict=True))


def assert_same_answers(model: Model, inputs: NDArray[np.generic], bound: float) -> None:
    """Compare with infer.py: logits within `bound` of the largest, classes where the margin exceeds that."""
    found, logits = answers(model, inputs), model.outputs(inputs)
    allowed = bound * np.abs(logits).max(initial=0)
    if not model.class_names:
        assert list(found) == ["outputs"]
        assert np.abs(found["outputs"] - logits).max(initial=0) <= allowed
        return
    assert list(found) == ["logits", "probabilities", "label"]
    assert found["logits"].dtype == found["probabilities"].dtype == np.float32
    assert found["label"].dtype == np.int64
    assert found["logits"].shape == logits.shape
    assert np.abs(found["logits"] - logits).max(initial=0) <= allowed
    assert np.abs(found["probabilities"] - model.predict_proba(inputs)).max(initial=0) <= allowed + 1e-6
    ordered = np.sort(logits, axis=1)
    decided = ordered[:, -1] - ordered[:, -2] >= 2 * allowed
    assert np.array_equal(found["label"][decided], model.predict(inputs)[decided])


def bound_of(model: Model) -> float:
    """Return how far from infer.py a model's logits may be: those of whole numbers not at all."""
    return 0.0 if model.header["network"]["layers"][-1]["kind"] in infer.INT8 else BOUND


@pytest.mark.parametrize("name", ZOO)
def test_every_model_gives_the_answers_of_infer_py(name: str) -> None:
    """All inputs at once, one alone, and none; models of 8-bit integers bit for bit."""
    exhibit = exhibit_for("onnx", name)
    for count in (len(exhibit.inputs), 1, 0):
        assert_same_answers(exhibit.model, exhibit.inputs[:count], bound_of(exhibit.model))


@pytest.mark.parametrize("name", ZOO)
def test_every_file_is_valid(name: str) -> None:
    """The full check infers the type and shape of every value, and finds them as declared."""
    message = onnx.load_from_string(files_of(exhibit_for("onnx", name).model, "onnx")["model.onnx"])
    onnx.checker.check_model(message, full_check=True)


def test_every_kind_of_layer_is_taken() -> None:
    """Whatever infer.py computes of samples; what remembers takes steps."""
    assert set(KINDS) - set(infer.REMEMBERS) == onnx_.TAKES


def test_the_file_says_which_onnx_it_is_of_and_takes_any_batch() -> None:
    """Version 13 of the operations, IR version 7, which old runtimes read; N images of the model's shape."""
    message = onnx.load_from_string(
        files_of(exhibit_of("deskew and detectors").model, "onnx", "strokes")["strokes.onnx"]
    )
    assert [(used.domain, used.version) for used in message.opset_import] == [("", 13)]
    assert message.ir_version == 7
    assert (message.producer_name, message.producer_version) == ("genreg-np", __version__)
    assert message.graph.name == "strokes"
    (images,) = message.graph.input
    assert [size.dim_param or size.dim_value for size in images.type.tensor_type.shape.dim] == ["N", 10, 10]
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_the_metadata_name_the_inputs_where_the_model_does() -> None:
    """In order, as JSON; a model without names says nothing of them."""
    named = exhibit_of("standardised features with names").model
    assert json.loads(onnx_.metadata(named, "m")["feature_names"]) == list(NASTY_NAMES)
    assert "feature_names" not in onnx_.metadata(exhibit_of("standardised features").model, "m")


def test_the_metadata_tell_integers_from_the_floats_they_were_made_from() -> None:
    """What they reach themselves is in an entry of its own; a model of floats has none."""
    model = exhibit_of("int8, relu").model
    int8 = {"inputs": 40, "validation_accuracy": 0.8, "float32_validation_accuracy": 0.9}
    training = {"accuracies": {"test": {"best": 0.9}}, "int8": int8}
    assert json.loads(onnx_.metadata(Model({**model.header, "training": training}, model.arrays), "m")["int8"]) == int8
    assert "int8" not in onnx_.metadata(exhibit_of("dense, relu").model, "m")


def test_the_metadata_say_what_the_model_is() -> None:
    """Class names, range and training are there as JSON, whatever characters they have."""
    training = {"method": "genreg", "seed": 3, "accuracies": {"test": {"best": 0.5}}, "changes": []}
    names = ("é", 'a "b"', "\ud800")
    model = model_of(Network.build((4, 4), (5,), 3), class_names=names, training=training)
    session = onnxruntime.InferenceSession(files_of(model, "onnx", "letters")["letters.onnx"])
    said = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    assert said == {
        "name": "letters",
        "class_names": list(names),
        "input_range": [0.0, 255.0],
        "method": "genreg",
        "seed": 3,
        "accuracies": {"test": {"best": 0.5}},
    }


def test_equal_models_give_equal_bytes_in_any_process(tmp_path: Path) -> None:
    model = exhibit_of("genreg-2").model
    model.save(tmp_path / "model.npz")
    code = (
        "import hashlib, sys; from genreg_np.export import files_of; from genreg_np.model import load;"
        "print(hashlib.sha256(files_of(load(sys.argv[1]), 'onnx')['model.onnx']).hexdigest())"
    )
    here = hashlib.sha256(files_of(model, "onnx")["model.onnx"]).hexdigest()
    assert python(code, tmp_path / "model.npz", PYTHONHASHSEED="7").strip() == here


def test_weights_keep_their_names_and_types() -> None:
    """Equal arrays of two layers stay two; those of 8 bits take a byte each."""
    network = Network.build((3,), (3,), 3)
    zeros = Model.build(network, np.zeros(network.gene_count, np.float32), ("a", "b", "c"))
    for model in (zeros, exhibit_of("int8, deep").model):
        message = onnx.load_from_string(files_of(model, "onnx")["model.onnx"])
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in message.graph.initializer}
        for name, array in model.arrays.items():
            assert stored[name].dtype == array.dtype
            assert np.array_equal(stored[name], array)


@pytest.mark.parametrize("classes", [2, 3, 10, 17, 62])
def test_ties_go_to_the_lowest_class(classes: int) -> None:
    """A network that passes its inputs on, and inputs of which several are largest."""
    network = Network.build((classes,), (), classes)
    genes = np.concatenate([np.eye(classes, dtype=np.float32).ravel(), np.zeros(classes, np.float32)])
    model = Model.build(network, genes, tuple(map(str, range(classes))))
    inputs = np.random.default_rng(0).integers(0, 3, (500, classes)).astype(np.float32)
    found = answers(model, inputs)
    assert np.array_equal(found["logits"], inputs)
    assert np.array_equal(found["label"], inputs.argmax(axis=1))


def test_a_layer_it_cannot_express_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_, "TAKES", onnx_.TAKES - {"detectors"})
    with pytest.raises(UsageError) as raised:
        export(exhibit_of("deskew and detectors").model, "onnx", tmp_path / "out")
    assert one_line(raised.value).startswith("layer 2 (detectors) cannot be expressed in onnx")
    assert not (tmp_path / "out").exists()


def test_more_weights_than_a_file_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_, "MOST_BYTES", 100)
    with pytest.raises(UsageError) as raised:
        export(exhibit_of("dense, relu").model, "onnx", tmp_path / "out")
    assert one_line(raised.value).endswith("but an onnx file holds at most 100")
    assert not (tmp_path / "out").exists()


def test_without_the_package_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError) as raised:
        export(exhibit_of("dense, relu").model, "onnx", tmp_path / "out")
    expected = "onnx is needed to write ONNX files: pip install 'genreg-np[export]'"
    assert one_line(raised.value) == expected
    assert not (tmp_path / "out").exists()


def test_the_package_is_imported_only_to_write() -> None:
    python("import sys, genreg_np.export.onnx_; assert 'onnx' not in sys.modules")


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "export.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    export(model_of(Network.build((28, 28), (4,), 10)), "onnx", tmp_path, "digits")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block, "export.md", "exec"), names)
    assert names["probabilities"].shape == (5, 10)


@pytest.mark.data
def test_a_trained_network_gives_the_same_classes_on_all_test_images() -> None:
    assert mnist.dense().network.describe().startswith("784-64-10")
    assert_same_answers(mnist.dense(), mnist.dataset().test.inputs, BOUND)


@pytest.mark.data
def test_its_8_bit_integers_give_the_same_bits_on_all_test_images() -> None:
    assert_same_answers(mnist.integers(), mnist.dataset().test.inputs, 0)


@pytest.mark.data
@pytest.mark.parametrize("make", [mnist.bank, mnist.convolution], ids=["bank", "convolution"])
def test_larger_networks_give_the_same_classes_on_two_thousand_test_images(make: Callable[[], Model]) -> None:
    """A bank of detectors, and a convolutional network."""
    assert_same_answers(make(), mnist.dataset().test.inputs[:2000], BOUND)
