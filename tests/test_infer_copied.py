"""The runtime stands alone: copied into an application, as one file or several, it predicts what it predicts here."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np import infer, infer_images, infer_int8, infer_layers, infer_table
from genreg_np.files import pack_arrays
from genreg_np.infer import ModelError
from genreg_np.model import Model
from tests.forking import forked
from tests.helpers import KINDS, one_line
from tests.test_infer_headers import header_bytes
from tests.zoo import exhibit_of

RUNTIME = tuple(Path(str(module.__file__)) for module in (infer, infer_images, infer_int8, infer_layers, infer_table))
OWN, MORE, INT8 = "dense, relu", "branches, hidden layer", "int8, deep"
MAPS, SUMS = "int8, maps, two stages", "int8, layer of transposed-convolution"
NEEDED = {  # files besides infer.py
    OWN: set(),
    MORE: {"infer_images", "infer_layers"},
    INT8: {"infer_int8"},
    MAPS: {"infer_int8", "infer_layers"},
    SUMS: {"infer_int8", "infer_layers"},
    "int8, branches, hidden layer": {"infer_images", "infer_int8", "infer_layers"},
    "int8, layer of instance-norm": {"infer_int8"},
}

# How an application imports the runtime: the folder it lies in, its file's name, and the code that gives `infer`.
PLACES = {
    "a folder": (".", "infer.py", "import infer"),
    "a folder, renamed": (".", "runtime.py", "import runtime as infer"),
    "a package": ("app", "infer.py", "from app import infer"),
    "a package, renamed": ("app", "runtime.py", "from app import runtime as infer"),
    "a package in a package": ("app/parts", "infer.py", "import app.parts.infer as infer"),
    "a file": (
        "else where",
        "infer.py",
        "import importlib.util as u; spec = u.spec_from_file_location('tiny', 'else where/infer.py'); "
        "infer = u.module_from_spec(spec); spec.loader.exec_module(infer)",
    ),
}

ALONE = """
import sys
{code}
import json
import numpy as np
try:
    outputs = infer.load("model.npz").outputs(np.load("inputs.npy"))
    np.save("outputs.npy", outputs)
    error = None
except infer.ModelError as raised:
    error = str(raised)
print(json.dumps([error, sorted({{name for name in sys.modules if "infer" in name}})]))
"""


def alone(code: str, folder: Path, python: str = sys.executable) -> tuple[str | None, list[str]]:
    """Run code that imports the runtime as `infer`, without this package, on a folder's model.npz and inputs.npy.

    Outputs are in outputs.npy. Returns the line of a ModelError, if there was one, and which modules of the runtime
    were imported.
    """
    error, modules = json.loads(forked(ALONE.format(code=code), folder, python))
    return error, modules


def lay(folder: Path, model: str, place: str = "a folder", files: tuple[Path, ...] = RUNTIME) -> str:
    """Copy files of the runtime, a model and inputs into a folder; return the code that imports the runtime."""
    below, name, code = PLACES[place]
    (folder / below).mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder / below / (name if file == RUNTIME[0] else file.name))
    exhibit_of(model).model.save(folder / "model.npz")
    np.save(folder / "inputs.npy", exhibit_of(model).inputs)
    return code


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("model", NEEDED)
def test_copied_files_find_each_other(tmp_path: Path, model: str, place: str) -> None:
    """In a folder or a package, under any name, or loaded from a file: the same bytes of outputs."""
    error, _ = alone(lay(tmp_path, model, place), tmp_path)
    assert error is None
    exhibit = exhibit_of(model)
    assert np.load(tmp_path / "outputs.npy").tobytes() == exhibit.model.outputs(exhibit.inputs).tobytes()


@pytest.mark.parametrize("place", PLACES)
def test_errors_of_copied_layers_are_those_of_the_copied_runtime(tmp_path: Path, place: str) -> None:
    """An application that catches its ModelError catches what other files raise."""
    code = lay(tmp_path, MORE, place)
    spoilt = Model(exhibit_of(MORE).model.header, exhibit_of(MORE).model.arrays)
    spoilt.arrays = {name: array for name, array in spoilt.arrays.items() if not name.endswith(".filters")}
    spoilt.save(tmp_path / "model.npz")
    error, _ = alone(code, tmp_path)
    assert error is not None
    assert "filters' is missing" in one_line(error)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("model", "needs"),
    [
        (
            MORE,
            "infer_layers.py and infer_images.py for layers of kind standardise, branches, levels, deskew, detectors",
        ),
        (INT8, "infer_int8.py for layers of kind quantise, dense-int8"),
    ],
)
def test_a_model_that_needs_missing_files_says_so_in_one_line(
    tmp_path: Path, place: str, model: str, needs: str
) -> None:
    """It names the kinds of layers, the files, and what else would do."""
    error, _ = alone(lay(tmp_path, model, place, RUNTIME[:1]), tmp_path)
    line = one_line(error)
    assert line.startswith(f"model.npz: needs {needs} (")
    assert "beside infer.py" in line
    assert "export --to python" in line


@pytest.mark.parametrize("place", PLACES)
def test_integers_whose_sums_are_those_of_other_layers_say_which(tmp_path: Path, place: str) -> None:
    """A transposed convolution of integers is one of floats that holds integers."""
    files = tuple(file for file in RUNTIME if file.stem != "infer_layers")
    error, _ = alone(lay(tmp_path, SUMS, place, files), tmp_path)
    assert one_line(error).startswith("model.npz: needs infer_layers.py for layers of kind transposed-convolution (")


def test_dense_models_need_one_file(tmp_path: Path) -> None:
    """infer.py alone runs them; where other files are there, they are not imported, and could be anything."""
    code = lay(tmp_path, OWN, files=RUNTIME[:1])
    assert alone(code, tmp_path) == (None, ["infer"])
    for file in RUNTIME[1:]:
        (tmp_path / file.name).write_text("raise SystemExit('imported')")
    assert alone(code, tmp_path) == (None, ["infer"])
    exhibit = exhibit_of(OWN)
    assert np.load(tmp_path / "outputs.npy").tobytes() == exhibit.model.outputs(exhibit.inputs).tobytes()


@pytest.mark.parametrize("model", NEEDED)
def test_only_files_that_are_needed_are_run(tmp_path: Path, model: str) -> None:
    """A file that the model has no layer of is not asked for."""
    code = lay(tmp_path, model, files=tuple(file for file in RUNTIME if file.stem in {"infer", *NEEDED[model]}))
    assert alone(code, tmp_path)[0] is None


@pytest.mark.parametrize("model", NEEDED)
def test_the_package_imports_other_layers_for_models_that_have_some(tmp_path: Path, model: str) -> None:
    """Loading a model of dense layers costs one module, not four."""
    code = "del sys.modules['genreg_np']; from genreg_np import infer"
    package = tmp_path / "genreg_np"
    package.mkdir()
    (package / "__init__.py").touch()
    for file in RUNTIME:
        shutil.copy(file, package)
    lay(tmp_path, model, files=())
    error, modules = alone(code, tmp_path)
    assert error is None
    assert modules == sorted(f"genreg_np.{file}" for file in {"infer", *NEEDED[model]})


def test_integers_within_other_layers_are_checked_at_once(tmp_path: Path) -> None:
    """The first model that a process reads, too: nothing here takes what the stack gives."""
    code = lay(tmp_path, OWN)
    inner = [{"kind": "quantise", "inputs": 1, "low": 0}]
    dense = {"kind": "dense", "inputs": 1, "outputs": 1, "activation": "linear"}
    layers = [{"kind": "concatenate", "shape": [1], "branches": [inner]}, dense]
    ones = np.ones(1, np.float32)
    arrays = {"layers.0.0.0.a": ones, "layers.0.0.0.b": ones, "layers.1.weight": ones[None], "layers.1.bias": ones}
    header = exhibit_of(OWN).model.header | {"network": {"input_shape": [1], "layers": layers}, "class_names": []}
    (tmp_path / "model.npz").write_bytes(pack_arrays({"header": header_bytes(header), **arrays}))
    error, _ = alone(code, tmp_path)
    assert one_line(error) == "model.npz: layer 1 takes none, but 8-bit integers arrive"


def test_infer_knows_which_kinds_are_elsewhere() -> None:
    """Every kind has its place in one of the files, and in the package there is one of each, whoever imports it."""
    places = {kind: make.__module__.removeprefix("genreg_np.") for kind, make in KINDS.items()}
    assert {kind: place for kind, place in places.items() if place.startswith("infer_")} == infer.ELSEWHERE
    assert {file.stem for file in RUNTIME[1:]} == set(infer.ELSEWHERE.values())
    assert infer_layers.ModelError is ModelError


def test_files_that_do_not_go_together_are_told(tmp_path: Path) -> None:
    """An infer.py of another version lacks names: one line, with what is missing."""
    code = lay(tmp_path, MORE, "a package")
    text = RUNTIME[0].read_text("utf-8").replace("def weights_of", "def weights_from")
    (tmp_path / "app" / "infer.py").write_text(text, "utf-8")
    error, _ = alone(code, tmp_path)
    assert "cannot import name 'weights_of'" in one_line(error)
    assert "from the same genreg-np" in one_line(error)
