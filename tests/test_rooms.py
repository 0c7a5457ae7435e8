"""The house in order: imports run one way, from room to room below, without a circle; files are short."""

from __future__ import annotations

import ast
import statistics
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.helpers import ROOT

PACKAGE = ROOT / "genreg_np"
FLOORS = (  # from the ground up; rooms on one floor do not know each other
    ("errors", "version"),
    ("files", "infer", "streams"),
    ("settings", "infer_familiarity", "infer_images", "infer_int8", "infer_layers", "infer_table"),
    ("layers",),
    ("model", "fitness"),
    ("backends", "data", "engines"),
    ("strategies", "export"),
    ("runs",),
    ("search",),
    ("report", "estimators", "control"),
    ("experiments",),
    ("cli",),
)
ALIASES = ("hybrid",)  # an old name of something: it may know what it names
LONGEST = 400
RUNTIME = 560  # infer.py stands alone: a reader of files nobody trusts, model and dense layers, importing none of them


def modules() -> dict[str, Path]:
    """Return each module's file by its name within the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules of the package that a file imports, anywhere in it, for types only too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("genreg_np"):
            continue
        parent = str(node.module).removeprefix("genreg_np").removeprefix(".")
        for alias in node.names:
            child = f"{parent}.{alias.name}".removeprefix(".")
            found.add(child if child in known else parent)
    return found


def test_there_is_a_floor_for_every_room() -> None:
    """A new room is put where it belongs; the package's own files at the top are the face and the door."""
    rooms = {name.partition(".")[0] for name in modules()} - {"", "__main__", *ALIASES}
    assert rooms == {room for floor in FLOORS for room in floor} & rooms
    assert len({"infer" if room.startswith("infer_") else room for room in rooms}) <= 21  # infer's companions are one


def test_no_file_imports_from_a_room_above_or_beside_its_own() -> None:
    """What stands on what can be told from the folder names."""
    known = modules()
    floor_of = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    wrong = []
    for name, path in known.items():
        room = name.partition(".")[0]
        for other in imports(path, known):
            there = other.partition(".")[0]
            if room in floor_of and there in floor_of and room != there and floor_of[there] >= floor_of[room]:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_no_modules_import_each_other() -> None:
    """Not even for types, nor within functions."""
    known = modules()
    try:
        TopologicalSorter({name: imports(path, known) - {name} for name, path in known.items()}).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_files_are_short() -> None:
    """One screen holds most of them."""
    sizes = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules().items()}
    too_long = {name: size for name, size in sizes.items() if size > (RUNTIME if name == "infer" else LONGEST)}
    assert too_long == {}
    assert statistics.median(sizes.values()) < 150
