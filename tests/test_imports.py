"""What importing costs: proved in fresh interpreters."""

from __future__ import annotations

from pathlib import Path

import pytest

import genreg_np
from genreg_np.model import Network
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
