"""The test beside exported C, NAME_test.h: infer.py's answer, which a spoilt weight does not give."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.export import c_vector, files_of
from genreg_np.model import Model, Network
from tests import zoo
from tests.export.c_build import CORTEX_M3, GCC, WARNINGS, Tools, compiled, ran, write
from tests.export.test_c import CHECKED
from tests.export.test_c_memory import large
from tests.helpers import model_of, one_line

SPOILT = "the test vector does not agree: weights, code or compiler have changed"
WITHOUT_STDIO = '#include "model_test.h"\nint main(void) {{ static {0} room[{1}]; return model_test(room) ? 0 : 3; }}\n'


def spoilt(model: Model, name: str) -> Model:
    """Return the model with the numbers of one array of the other sign."""
    return Model(model.header, {**model.arrays, name: -model.arrays[name]})


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("dense, tanh", "layers.0.weight"),
        ("dense, relu", "layers.1.bias"),
        ("standardised features", "layers.0.mean"),
        ("deskew and detectors", "layers.2.filters"),
        ("maps, two stages", "layers.0.weight"),
        ("values, not classes", "layers.1.weight"),
        ("int8, deep", "layers.2.weight"),
        ("int8, relu", "layers.2.bias"),
        ("int8, standardised features", "layers.0.b"),
    ],
)
def test_a_spoilt_array_is_noticed(name: str, array: str, tmp_path: Path) -> None:
    """The vector of one model with the code of the other: exit code 1, and one line on stderr."""
    model = zoo.exhibit_of(name).model
    write(spoilt(model, array), tmp_path)
    (tmp_path / "model_test.h").write_bytes(files_of(model, "c")["model_test.h"])
    compiled(GCC.need(), tmp_path, "model.c", "main.c", "-o", "example", "-lm")
    assert ran(GCC, tmp_path, "example", "--check") == (1, b"", f"{SPOILT}\n")


@pytest.mark.parametrize(
    ("name", "least"), [("dense, tanh", 0.9), ("int8, deep", 0.8), ("int8, standardised features", 0.8)]
)
def test_most_weights_are_noticed_one_by_one(name: str, least: float) -> None:
    """Of the larger half of a layer's weights, each with the other sign."""
    model = zoo.exhibit_of(name).model
    vector = c_vector.drawn(model)
    whole = "unit" in model.header["network"]["layers"][-1]
    where = f"layers.{int(whole)}.weight"
    weight = model.arrays[where].astype(np.float64)
    places = np.flatnonzero(np.abs(weight) >= np.median(np.abs(weight)))
    seen = 0
    for place in places:
        other = weight.copy()
        other.flat[place] *= -1
        arrays = {**model.arrays, where: other.clip(-128, 127).astype(model.arrays[where].dtype)}
        outputs = Model(model.header, arrays).outputs(vector.inputs.reshape(1, *model.input_shape))[0]
        seen += np.abs(outputs - vector.outputs).max() > (0 if whole else vector.bound)
    assert seen >= least * len(places)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_no_number_of_a_vector_is_zero(name: str) -> None:
    """Nor are all alike; raw values are in the model's range; equal models have equal vectors."""
    model = zoo.exhibit_for("c", name).model
    vector = c_vector.drawn(model)
    assert np.array_equal(vector.inputs, c_vector.drawn(Model(model.header, dict(model.arrays))).inputs)
    low, high = model.input_range or (-np.inf, np.inf)
    assert ((vector.inputs >= low) & (vector.inputs <= high)).all()
    assert (vector.inputs != 0).all()
    assert len(np.unique(vector.inputs)) > 1
    expected = model.outputs(vector.inputs.reshape(1, *model.input_shape))[0]
    assert np.abs(vector.outputs - expected).max() <= vector.bound


@pytest.mark.parametrize("name", ["int8, deep", "standardised features"])
def test_firmware_checks_itself(name: str, tmp_path: Path) -> None:
    """On an emulated Cortex-M3, without stdio; a spoilt model is noticed there, too."""
    model = zoo.exhibit_of(name).model
    header = write(model, tmp_path)
    kind = "int32_t" if "int32_t *logits" in header else "float"
    (tmp_path / "firmware.c").write_text(WITHOUT_STDIO.format(kind, "MODEL_CLASSES"))
    for status, source in ((0, model), (3, spoilt(model, "layers.1.weight"))):
        (tmp_path / "model.c").write_bytes(files_of(source, "c")["model.c"])
        compiled(CORTEX_M3.need(), tmp_path, "-Os", "model.c", "firmware.c", *CORTEX_M3.sources, "-o", "test", "-lm")
        assert ran(CORTEX_M3, tmp_path, "test")[0] == status


def test_a_model_with_scratch_is_checked(tmp_path: Path) -> None:
    """The example hands over its own, and nothing is undefined."""
    write(large(), tmp_path)
    compiled(GCC.need(), tmp_path, *CHECKED[:3], "model.c", "main.c", "-o", "example", "-lm")
    assert ran(GCC, tmp_path, "example", "--check") == (0, b"the test vector agrees\n", "")


def test_the_vector_costs_a_product_nothing(tmp_path: Path) -> None:
    """Its arrays are not in NAME.c, and a file that includes it without use has neither them nor a warning."""
    write(zoo.exhibit_of("int8, relu").model, tmp_path)
    assert "model_test" not in (tmp_path / "model.c").read_text()
    (tmp_path / "unused.c").write_text('#include "model_test.h"\nint nothing(void);\nint nothing(void) { return 0; }\n')
    compiled(GCC.need(), tmp_path, "-O1", "-c", "unused.c")
    listed = subprocess.run(["nm", "unused.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "model_test" not in listed


def test_cpp_takes_the_vector(tmp_path: Path) -> None:
    """A C++ program may include it."""
    write(zoo.exhibit_of("int8, relu").model, tmp_path)
    compiled(GCC.need(), tmp_path, "-c", "model.c")
    (tmp_path / "main.cpp").write_text(WITHOUT_STDIO.format("int32_t", "MODEL_CLASSES"))
    tools = Tools(("g++",), "g++").need()
    options = [option for option in WARNINGS if option != "-std=c99"]
    subprocess.run([*tools.compiler, *options, "main.cpp", "model.o", "-o", "test"], cwd=tmp_path, check=True)
    assert ran(tools, tmp_path, "test")[0] == 0


RANGES = [(0.4, 9.7), (-5.0, 5.0), (6.5, 7.2), (-100000.0, 7.0), (0.0, 1e12), (-(2.0**63), 0.0)]


@pytest.mark.parametrize("input_range", RANGES, ids=str)
def test_raw_values_of_any_range_are_drawn(input_range: tuple[float, float], tmp_path: Path) -> None:
    """Wide integers are written as C reads them, and a range may be a single number."""
    write(model_of(Network.build((2, 3), (4,), 3, "tanh"), input_range=input_range), tmp_path)
    compiled(GCC.need(), tmp_path, "model.c", "main.c", "-o", "example", "-lm")
    assert ran(GCC, tmp_path, "example", "--check")[0] == 0


@pytest.mark.parametrize("scale", [0.0, 1e-38, 1e38])
def test_features_of_any_deviation_are_drawn(scale: float, tmp_path: Path) -> None:
    """Also where nothing is told by them, or everything is beyond float32."""
    model = zoo.exhibit_of("standardised features").model
    arrays = {**model.arrays, "layers.0.scale": np.full(4, scale, np.float32)}
    write(Model(model.header, arrays), tmp_path)
    compiled(GCC.need(), tmp_path, "model.c", "main.c", "-o", "example", "-lm")
    assert ran(GCC, tmp_path, "example", "--check")[0] == 0


def test_a_model_without_a_finite_answer_is_refused() -> None:
    """There is nothing to hold C to."""
    model = model_of(Network.build((2,), (2,), 1, "relu"), class_names=(), input_range=None)
    arrays = {"layers.0.bias": np.full(2, 3e38, np.float32), "layers.1.weight": np.full((1, 2), 9, np.float32)}
    with pytest.raises(UsageError) as raised:
        files_of(Model(model.header, {**model.arrays, **arrays}), "c")
    assert "outputs are infinite or not numbers" in one_line(raised.value)


def test_an_array_of_nothing_is_no_weight_to_spoil() -> None:
    """A file may hold arrays that no layer needs, empty ones too: the vector is drawn as it is without them."""
    model = zoo.exhibit_of("dense, tanh").model
    more = Model(model.header, {"extra": np.empty(0, np.float32), **model.arrays})
    assert np.array_equal(c_vector.drawn(more).inputs, c_vector.drawn(model).inputs)
