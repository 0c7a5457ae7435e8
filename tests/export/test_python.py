"""Target python: the one file of the runtime that is written needs nothing but NumPy, and has nothing twice."""

from __future__ import annotations

import ast
import collections
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from genreg_np import export, infer
from genreg_np.export import python_
from tests.helpers import MAPS, python
from tests.test_infer_copied import alone
from tests.zoo import ZOO, exhibit_of, kinds_in

SOURCES = {file: Path(infer.__file__).with_name(f"{file}.py").read_text("utf-8") for file in ("infer", *python_.FILES)}
JOINED = python_.joined(python_.FILES)
MAPS_SHOWN = [name for name in ZOO if kinds_in(exhibit_of(name).model) & MAPS]
OTHER = "branches, hidden layer"  # a model with layers of two more files
SUMMED = {"convolution-int8", "transposed-convolution-int8", "pooling-int8", "adaptive-pooling-int8"}  # of infer_layers
FIRST = {file: kind for kind, file in reversed(infer.ELSEWHERE.items())}  # of the kinds that a file has


def exported(folder: Path, name: str) -> Path:
    """Export a model of the zoo, with inputs beside it."""
    export.export(exhibit_of(name).model, "python", folder)
    np.save(folder / "inputs.npy", exhibit_of(name).inputs)
    return folder


TAKEN = [
    name
    for name in ZOO
    if {kind for _, kind in export.kinds_of(exhibit_of(name).model.header["network"]["layers"])} <= python_.TAKES
]


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_written_runs_alone(tmp_path: Path, name: str) -> None:
    """One file, without this package and sites: the same bytes of outputs."""
    exhibit = exhibit_of(name)
    folder = exported(tmp_path / "app", name)
    assert alone("import infer", folder) == (None, ["infer"])
    assert np.load(folder / "outputs.npy").tobytes() == exhibit.model.outputs(exhibit.inputs).tobytes()


@pytest.mark.parametrize("name", TAKEN)
def test_only_what_a_model_needs_is_joined(name: str) -> None:
    """Models of dense layers get infer.py as it is, all others the files that have their kinds."""
    kinds = {kind for _, kind in export.kinds_of(exhibit_of(name).model.header["network"]["layers"])}
    written = export.files_of(exhibit_of(name).model, "python")["infer.py"].decode("utf-8")
    files = {infer.ELSEWHERE[kind] for kind in kinds - {"dense"}} | ({"infer_layers"} if kinds & SUMMED else set())
    assert written == python_.joined([file for file in python_.FILES if file in files])
    assert written.startswith(SOURCES["infer"])
    assert {file for file in python_.FILES if f'"{FIRST[file]}": _' in written} == files


def bound(source: str) -> list[str]:
    """Return every name that a module's statements bind, as often as they do."""
    names = []
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            names += [alias.asname or alias.name for alias in statement.names]
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            names.append(statement.name)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names += [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        else:
            assert isinstance(statement, (ast.Expr, ast.AugAssign)), ast.unparse(statement)  # what adds to lists
    return names


def test_the_joined_file_has_no_name_twice() -> None:
    """All of all files, each name once; one docstring, one __future__, imports before anything else."""
    assert [name for name, times in collections.Counter(bound(JOINED)).items() if times > 1] == []
    assert set(bound(SOURCES["infer"])) < set(bound(JOINED))
    assert {"deskew", "detect", "respond", "statistics", "RESPONSES", "UNMOVED", "MOST_INT8"} <= set(bound(JOINED))
    assert JOINED.count("from __future__") == 1
    statements = ast.parse(JOINED).body
    imports = [isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in statements[1:]]
    assert imports == sorted(imports, reverse=True)
    assert (
        sum(isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) for statement in statements)
        == 1
    )
    added = [ast.unparse(statement.target) for statement in statements if isinstance(statement, ast.AugAssign)]
    assert sorted(added) == ["LAYERS"] * len(python_.FILES) + ["TABLES"]


def test_the_joined_file_finds_every_name(tmp_path: Path) -> None:
    """No name that a function looks up at the top is missing there."""
    (tmp_path / "infer.py").write_text(JOINED, "utf-8")
    code = (
        "import builtins, dis, sys, types; sys.path.insert(0, '.'); import infer\n"
        "def looked_up(code):\n"
        "    yield from (step.argval for step in dis.get_instructions(code) if step.opname == 'LOAD_GLOBAL')\n"
        "    for part in code.co_consts:\n"
        "        yield from looked_up(part) if isinstance(part, types.CodeType) else ()\n"
        "source = compile(open('infer.py', encoding='utf-8').read(), 'infer.py', 'exec')\n"
        "print(sorted(name for name in looked_up(source) if name not in {*vars(infer), *vars(builtins)}))"
    )
    assert python(code, cwd=tmp_path).strip() == "[]"


@pytest.mark.parametrize("source", [*SOURCES.values(), JOINED], ids=[*SOURCES, "joined"])
def test_the_runtime_is_written_in_python_3_9(source: str) -> None:
    """Its grammar, at least: what follows runs it where that Python is."""
    ast.parse(source, feature_version=(3, 9))


def python_3_9() -> str:
    """Return an interpreter of Python 3.9 that has NumPy; skip where there is none."""
    named = shutil.which("python3.9")
    places = [*([named] if named else []), *map(str, Path.home().glob(".pyenv/versions/3.9*/bin/python"))]
    for place in places:
        if subprocess.run([place, "-c", "import numpy"], capture_output=True, check=False).returncode == 0:
            return place
    pytest.skip(f"no Python 3.9 with NumPy: {', '.join(places) or 'none found'}")


@pytest.mark.parametrize("name", ["dense, tanh", "int8, deep", "standardised features", OTHER, "genreg-2", *MAPS_SHOWN])
def test_what_is_written_runs_with_python_3_9(tmp_path: Path, name: str) -> None:
    """Outputs within rounding: another NumPy adds in another order."""
    exhibit = exhibit_of(name)
    folder = exported(tmp_path / "app", name)
    error, _ = alone("import infer", folder, python_3_9())
    assert error is None
    np.testing.assert_allclose(
        np.load(folder / "outputs.npy"), exhibit.model.outputs(exhibit.inputs), rtol=1e-4, atol=1e-4
    )
