"""What importing costs, and the runtime that stands alone: proved in fresh interpreters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import genreg_np
from genreg_np import infer
from genreg_np.model import Network, Standardise
from tests.helpers import model_of, python

FOREIGN = (
    "print(*sorted({name.partition('.')[0] for name in sys.modules}"
    " - set(sys.stdlib_module_names) - {'__mp_main__'} - before))"
)
BEFORE = "import sys; before = {name.partition('.')[0] for name in sys.modules}\n"  # what .pth files brought


def test_importing_the_package_imports_nothing_heavy() -> None:
    """`import genreg_np` costs nothing but Python."""
    assert python(BEFORE + "import genreg_np\n" + FOREIGN).split() == ["genreg_np"]


def test_the_runtime_imports_numpy_and_nothing_else() -> None:
    """`import genreg_np.infer` needs neither click nor numba nor anything of ours but itself."""
    printed = python(BEFORE + "import genreg_np.infer\n" + FOREIGN + "; print(*sorted(sys.modules))").splitlines()
    assert printed[0].split() == ["genreg_np", "numpy"]
    ours = [name for name in printed[1].split() if name.startswith("genreg_np")]
    assert ours == ["genreg_np", "genreg_np.infer"]


def test_training_modules_import_neither_the_command_line_nor_optional_packages() -> None:
    """The library knows neither click nor rich, and loads numba, scikit-learn and Pillow only where it uses them."""
    code = "import genreg_np.runs.evolution, genreg_np.runs.training, genreg_np.backends.numpy_\n"
    foreign = set(python(BEFORE + code + FOREIGN).split())
    assert foreign <= {"genreg_np", "numpy", "tomli_w"}


EMBEDDED = """
import json, sys
before = {name.partition('.')[0] for name in sys.modules}
import infer
model = infer.load("model.npz")
images = [[[0, 51, 102], [153, 204, 255]]] * 2
import numpy as np
images = np.array(images, np.uint8)
found = {"outputs": model.outputs(images).tolist(), "predict": model.predict(images).tolist(),
         "top": model.top(images, 2), "single": model.predict(images[0]).tolist()}
foreign = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - before
print(json.dumps([sorted(foreign), infer.__file__, found]))
"""


def test_the_copied_runtime_predicts_on_its_own(tmp_path: Path) -> None:
    """infer.py alone in a folder, with a model beside it: it predicts the same, and only NumPy was imported."""
    fixed = Standardise(np.full(6, 0.5, np.float32), np.full(6, 3, np.float32))
    model = model_of(Network.build((2, 3), (5,), 3, "sigmoid", (fixed,)))
    model.save(tmp_path / "model.npz")
    shutil.copy(infer.__file__, tmp_path / "infer.py")
    code = EMBEDDED + "assert 'genreg_np' not in sys.modules\n"
    foreign, file, found = json.loads(python(code, cwd=tmp_path))
    assert foreign == ["infer", "numpy"]
    assert Path(file).resolve() == (tmp_path / "infer.py").resolve()
    images = np.tile(np.arange(0, 256, 51, dtype=np.uint8).reshape(1, 2, 3), (2, 1, 1))
    assert found["outputs"] == model.outputs(images).tolist()
    assert found["predict"] == found["single"] * 2 == model.predict(images).tolist()
    assert [[tuple(pair) for pair in row] for row in found["top"]] == model.top(images, 2)


def test_every_public_name_can_be_had() -> None:
    """Names listed in __all__ resolve, and dir() shows them with the version."""
    for name in genreg_np.__all__:
        public = getattr(genreg_np, name)
        assert public.__name__ == name
        assert public.__module__ == genreg_np._PUBLIC[name]
    assert {*genreg_np.__all__, "__version__"} <= set(dir(genreg_np))


def test_load_gives_the_model_that_can_be_saved(tmp_path: Path) -> None:
    """The package's `load` returns its own Model, not the runtime's."""
    model_of(Network.build((2,), (), 2)).save(tmp_path / "m.npz")
    assert type(genreg_np.load(tmp_path / "m.npz")) is genreg_np.Model


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    """A misspelt name fails as it does in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Evolutoin'"):
        genreg_np.Evolutoin  # noqa: B018
