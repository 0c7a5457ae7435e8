"""C of models that remember: steps of infer.py, with a state that the caller keeps; the example reads rows in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np.export import files_of
from genreg_np.layers.dense import Dense
from genreg_np.layers.recurrent import Elman
from genreg_np.model import Model, Network
from tests import zoo
from tests.export.c_build import AARCH64, CLANG, CORTEX_M3, DTYPES, FILES, GCC, Tools, compiled, ran, write
from tests.export.test_c import CHECKED, LOGITS
from tests.export.test_c_vector import SPOILT, spoilt
from tests.helpers import answers, model_of

PLAIN = "elman, tanh"


def stepped(model: Model, steps: NDArray[np.generic], folder: Path, tools: Tools, *options: str) -> Any:
    """Return what the model's C gives of steps: `kept` of one state, `anew` of a first step, and of classes `best`."""
    header = write(model, folder)
    (given,) = re.findall(r"model_step\(model_state \*state, const (\w+) \*", header)
    flags = [f"-DINPUT={given}", *(["-DSCRATCH"] if "model_scratch" in header else [])]
    compiled(
        tools.need(), folder, *options, *flags, "model.c", FILES / "steps.c", *tools.sources, "-o", "harness", "-lm"
    )
    (folder / "inputs.bin").write_bytes(np.ascontiguousarray(steps, DTYPES[given]).tobytes())
    status, _, error = ran(tools, folder, "harness")
    assert status == 0, error
    fields: list[Any] = [(name, "<f4", (model.output_count,)) for name in ("kept", "anew")]
    found = np.frombuffer((folder / "outputs.bin").read_bytes(), fields + [("best", "<i4")] * bool(model.class_names))
    assert len(found) == len(steps)
    return found


def agree(exhibit: zoo.Exhibit, folder: Path, tools: Tools, *options: str) -> None:
    """Hold C to infer.py over all steps, within the bound of all floats."""
    model, steps = exhibit.model, exhibit.inputs
    found, expected = stepped(model, steps, folder, tools, *options), answers(model, steps)
    bound = LOGITS * float(np.abs(expected).max())
    assert np.abs(found["kept"] - expected).max() <= bound
    firsts = np.stack([model.step(model.start(), one)[1] for one in steps])
    assert np.abs(found["anew"] - firsts).max() <= bound
    assert np.abs(firsts[1:] - expected[1:]).max() > 1000 * bound
    if model.class_names:
        assert np.array_equal(found["best"], found["kept"].argmax(axis=1))


@pytest.mark.parametrize("tools", [GCC, CLANG], ids=["gcc", "clang"])
@pytest.mark.parametrize("name", zoo.POLICIES)
def test_c_makes_the_steps_of_infer(name: str, tools: Tools, tmp_path: Path) -> None:
    """States are apart from each other; no warning of many that there are."""
    agree(zoo.exhibit_of(name), tmp_path, tools, "-O2")


@pytest.mark.parametrize("name", zoo.POLICIES)
def test_nothing_is_undefined(name: str, tmp_path: Path) -> None:
    """No read or write beyond an array; and no warning of many more."""
    agree(zoo.exhibit_of(name), tmp_path, GCC, *CHECKED)


@pytest.mark.parametrize("tools", [CORTEX_M3, AARCH64], ids=["Cortex-M3", "aarch64"])
@pytest.mark.parametrize("name", [PLAIN, "elman, of bytes"])
def test_emulated_machines_make_the_same_steps(name: str, tools: Tools, tmp_path: Path) -> None:
    """A microcontroller without floating point, too."""
    agree(zoo.exhibit_of(name), tmp_path, tools, "-O2")


def test_what_a_large_model_works_in_is_handed_over_beside_its_state(tmp_path: Path) -> None:
    """What it remembers may lie elsewhere than what it works in."""
    network = Network((2,), (Dense(2, 4200, "tanh"), Elman(4200, 4), Dense(4, 3)))
    genes = np.random.default_rng(1).normal(0, 0.02, network.gene_count).astype(np.float32)
    genes[-15:] *= 50
    model = Model.build(network, genes, ("a", "b", "c"))
    steps = np.random.default_rng(2).normal(size=(20, 2)).astype(np.float32)
    header = write(model, tmp_path)
    assert "model_step(model_state *state, const float *features, model_scratch *scratch, float *logits);" in header
    agree(zoo.Exhibit(model, steps), tmp_path, GCC, "-O2")


def test_an_input_that_is_refused_is_no_step(tmp_path: Path) -> None:
    """-1, and the state is what it was."""
    exhibit = zoo.exhibit_of(PLAIN)
    write(exhibit.model, tmp_path)
    (tmp_path / "own.c").write_text(
        '#include "model.h"\n#include <math.h>\n#include <string.h>\nint main(void) {\n'
        "    model_state state, before;\n    float values[4] = {1, 2, 3, 4}, outputs[2];\n    model_start(&state);\n"
        "    if (model_step(&state, values, outputs) != 0) return 1;\n    before = state;\n    values[2] = NAN;\n"
        "    if (model_step(&state, values, outputs) != -1) return 2;\n"
        "    return memcmp(&before, &state, sizeof state) ? 3 : 0;\n}\n"
    )
    compiled(GCC.need(), tmp_path, "model.c", "own.c", "-o", "own", "-lm")
    assert ran(GCC, tmp_path, "own") == (0, b"", "")


@pytest.mark.parametrize("name", zoo.POLICIES)
def test_the_header_says_what_the_caller_keeps(name: str) -> None:
    """A struct of an array for each layer that remembers, and its size; no function that would forget."""
    model = zoo.exhibit_of(name).model
    header = files_of(model, "c", "policy")["policy.h"].decode("ascii")
    kept = [int(count) for count in re.findall(r"^    float layer_\d+\[(\d+)\];$", header, re.MULTILINE)]
    assert kept == [len(state) for state in model.start()]
    assert f"State     {4 * sum(kept):,} bytes that the caller keeps, policy_state: any number of threads" in header
    assert "void policy_start(policy_state *state);" in header
    assert not re.search(r"policy_(logits|outputs)\(", header)


def test_models_without_memory_have_no_state() -> None:
    """Nor any word of it, but that there is none."""
    header = files_of(zoo.exhibit_of("dense, tanh").model, "c")["model.h"].decode("ascii")
    assert "State     none: any number of threads may call" in header
    assert not re.search(r"model_(state|start|step)", header)


@pytest.mark.parametrize("array", ["weight", "recurrent", "bias"])
def test_a_spoilt_array_is_noticed(array: str, tmp_path: Path) -> None:
    """The test vector is several steps, so that recurrent weights have a say."""
    model = zoo.exhibit_of(PLAIN).model
    write(spoilt(model, f"layers.0.{array}"), tmp_path)
    (tmp_path / "model_test.h").write_bytes(files_of(model, "c")["model_test.h"])
    compiled(GCC.need(), tmp_path, "model.c", "main.c", "-o", "example", "-lm")
    assert ran(GCC, tmp_path, "example", "--check") == (1, b"", f"{SPOILT}\n")


# The example


def example(model: Model, folder: Path) -> None:
    write(model, folder, "policy")
    compiled(GCC.need(), folder, "policy.c", "main.c", "-o", "example", "-lm")


def text(rows: NDArray[np.generic], between: str = " ") -> bytes:
    return "".join(f"{between.join(map(str, row))}\n" for row in rows.reshape(len(rows), -1).tolist()).encode()


@pytest.mark.parametrize("between", [" ", ",", ", ", "\t"])
def test_the_example_answers_row_by_row(between: str, tmp_path: Path) -> None:
    """In their order, from a file and from stdin, outputs on a line; its comment says so, and --check agrees."""
    exhibit = zoo.exhibit_of(PLAIN)
    example(exhibit.model, tmp_path)
    rows, expected = text(exhibit.inputs, between), answers(exhibit.model, exhibit.inputs)
    (tmp_path / "rows").write_bytes(rows)
    for status, out, error in (ran(GCC, tmp_path, "example", "rows"), ran(GCC, tmp_path, "example", given=rows)):
        assert (status, error) == (0, "")
        found = np.array([line.split(" ") for line in out.decode().splitlines()], float)
        assert np.abs(found - expected).max() <= LOGITS * np.abs(expected).max()
    assert ran(GCC, tmp_path, "example", "--check") == (0, b"the test vector agrees\n", "")
    assert ran(GCC, tmp_path, "example", given=rows.rstrip(b"\n"))[1] == out
    assert "The model is recurrent: rows are consecutive steps" in (tmp_path / "main.c").read_text()


def test_the_example_names_classes_of_whole_numbers(tmp_path: Path) -> None:
    """A class a line, of bytes as text."""
    exhibit = zoo.exhibit_of("elman, of bytes")
    example(exhibit.model, tmp_path)
    names = [exhibit.model.class_names[place] for place in answers(exhibit.model, exhibit.inputs).argmax(axis=1)]
    assert len(set(names)) > 1
    expected = "".join(f"{name}\n" for name in names).encode()
    assert ran(GCC, tmp_path, "example", given=text(exhibit.inputs)) == (0, expected, "")


@pytest.mark.parametrize(
    ("name", "rows", "complaint"),
    [
        (PLAIN, b"1 2 3 4\n1 2 3\n", "stdin, row 2: needs 4 numbers as text"),
        (PLAIN, b"1 2 3 4 5\n", "stdin, row 1: needs 4 numbers as text"),
        (PLAIN, b"1 2 three 4\n", "stdin, row 1: needs 4 numbers as text"),
        (PLAIN, b"1 2 3 4\n\n1 2 3\n", "stdin, row 2: needs 4 numbers as text"),
        (PLAIN, b"1 2 nan 4\n", "stdin: a value is infinite or not a number"),
        ("elman, of bytes", b"256" + b" 0" * 11, "stdin, row 1: needs 12 whole numbers, 0 .. 255 as text"),
        ("elman, of bytes", b"1.5" + b" 0" * 11, "stdin, row 1: needs 12 whole numbers, 0 .. 255 as text"),
    ],
)
def test_a_row_that_is_none_is_refused_in_one_line(name: str, rows: bytes, complaint: str, tmp_path: Path) -> None:
    """What came before it is answered."""
    example(zoo.exhibit_of(name).model, tmp_path)
    status, out, error = ran(GCC, tmp_path, "example", given=rows)
    assert (status, error) == (1, f"{complaint}\n")
    assert len(out.splitlines()) == (complaint.startswith("stdin, row 2"))


def test_equal_models_have_equal_files() -> None:
    model = model_of(Network((3,), (Elman(3, 4), Dense(4, 2))), class_names=(), input_range=None)
    assert files_of(model, "c") == files_of(Model(model.header, dict(model.arrays)), "c")
