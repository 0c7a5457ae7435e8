"""What exported C says of the model: names, hashes, accuracies; whatever a file holds, the comment stays one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from genreg_np.export import files_of
from genreg_np.export.c_origin import origin
from genreg_np.model import Model, load
from tests import zoo
from tests.export.c_build import GCC, compiled, write

NASTY = '*/ evil(); /* ??/\n\\ größe " ?'
INT8 = {
    "from": "0123456789abcdef" * 4,
    "inputs": 5000,
    "dataset": "mnist",
    "validation_accuracy": 0.981,
    "float32_validation_accuracy": 0.982,
}


def telling(name: str, training: object, **header: object) -> Model:
    """Return an exhibit whose file says this of its training."""
    model = zoo.exhibit_of(name).model
    return Model({**model.header, "training": training, **header}, dict(model.arrays))


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    """SHA-256 of model.npz as it lies on the disk, before and after it is read."""
    model = zoo.exhibit_of("dense, relu").model
    model.save(tmp_path / "model.npz")
    digest = hashlib.sha256((tmp_path / "model.npz").read_bytes()).hexdigest()
    for one in (model, load(tmp_path / "model.npz")):
        assert f" * Model     SHA-256 of model.npz {digest}\n" in files_of(one, "c")["model.h"].decode()


def test_the_header_says_how_good_the_model_is() -> None:
    """The test split's accuracy, and without one the validation split's."""
    training = {"genome": "best", "accuracies": {"validation": {"best": 0.9}, "test": {"best": 0.8123}}}
    assert origin(telling("dense, relu", training))["Accuracy"] == "81.23 % on the test split"
    del training["accuracies"]["test"]  # type: ignore[attr-defined]
    assert origin(telling("dense, relu", training))["Accuracy"] == "90.00 % on the validation split"


def test_the_header_says_what_integers_were_made_from() -> None:
    """The float model's hash, both accuracies, and what it was calibrated by."""
    told = origin(telling("int8, relu", {"int8": INT8}))
    assert told["Made from"] == f"SHA-256 of the float32 model.npz {INT8['from']}"
    assert told["8 bits"] == (
        "98.10 % on the validation split, 98.20 % there as float32, calibrated on 5,000 inputs of mnist"
    )
    only = {"float32_validation_accuracy": 1, "inputs": 7}
    assert origin(telling("int8, relu", {"int8": only}))["8 bits"] == (
        "100.00 % on the validation split as float32, calibrated on 7 inputs"
    )


WRONG = [None, True, -1, 10**400, 1.5, float("inf"), "x", "A" * 64, [], {"from": {}}, NASTY]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_what_is_of_another_kind_is_left_out(value: object) -> None:
    """Every entry, and the object itself."""
    names = {"Classes", "Model"} - ({"Model"} if value == float("inf") else set())  # no file of ours: it has no hash
    assert set(origin(telling("int8, relu", {"int8": value}))) == names
    assert set(origin(telling("int8, relu", value))) == names
    entries = dict.fromkeys(INT8, value)
    told = origin(telling("int8, relu", {"int8": entries}))
    assert set(told) <= names | {"8 bits"}
    assert ("8 bits" in told) == (value == 10**400)  # a whole number of inputs


def test_class_names_stand_in_the_header_where_they_are_few() -> None:
    """In their order; beyond a line they are in the array alone, and a model of values has none."""
    assert origin(zoo.exhibit_of("dense, relu").model)["Classes"].startswith('"')
    many = [f"a name that is long, {number}" for number in range(3)]
    assert "Classes" in origin(telling("dense, relu", {}, class_names=many))
    assert "Classes" not in origin(telling("dense, relu", {}, class_names=[name * 9 for name in many]))
    assert "Classes" not in origin(zoo.exhibit_of("values, not classes").model)


def test_nothing_ends_the_comment(tmp_path: Path) -> None:
    """Names of classes and data with the end of a comment, trigraphs and lines in them: no warning, no error."""
    training = {
        "method": NASTY,
        "genome": NASTY,
        "accuracies": {"test": {NASTY: 0.5}},
        "int8": {**INT8, "dataset": NASTY},
    }
    model = telling("int8, relu", training, class_names=[NASTY, "b", "*/"])
    header = write(model, tmp_path)
    comment = header[: header.index("#ifndef")]
    assert comment.count("*/") == comment.count("/*") == 1
    assert "evil" in comment
    assert comment.isascii()
    compiled(GCC.need(), tmp_path, "-c", "model.c")
    compiled(GCC, tmp_path, "-c", "main.c")
