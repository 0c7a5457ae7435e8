"""What is measured of C for microcontrollers: classes, stack, flash, and a table that hides no gap."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import zoo

BENCH = Path(__file__).resolve().parents[1] / "bench"
GRAPH = """graph: { title: "model.c"
node: { title: "model.c:inner" label: "inner\\nmodel.c:3:12\\n40 bytes (static)" }
node: { title: "model.c:other" label: "other\\nmodel.c:5:12\\n64 bytes (static)" }
node: { title: "model_predict" label: "model_predict\\nmodel.c:9:5\\n100 bytes (static)" }
node: { title: "unused" label: "unused\\nmodel.c:30:5\\n5000 bytes (static)" }
node: { title: "memcpy" label: "__builtin_memcpy\\n<built-in>" shape : ellipse }
edge: { sourcename: "model_predict" targetname: "model.c:outer" label: "model.c:10:1" }
node: { title: "model.c:outer" label: "outer\\nmodel.c:4:12\\n8 bytes (static)" }
edge: { sourcename: "model.c:outer" targetname: "model.c:inner" label: "model.c:4:20" }
edge: { sourcename: "model.c:inner" targetname: "memcpy" label: "model.c:3:20" }
edge: { sourcename: "model_predict" targetname: "model.c:inner" label: "model.c:11:1" }
}
"""


@pytest.fixture(autouse=True)
def bench_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def test_the_stack_is_that_of_the_longest_path_of_calls() -> None:
    """Not of all functions, nor of those that prediction never reaches; frames of unknown size are refused."""
    from footprint import deepest

    assert deepest(GRAPH, "model_predict") == 100 + 8 + 40
    assert deepest(GRAPH, "model.c:other") == 64
    with pytest.raises(ValueError, match="inner is not known: dynamic"):
        deepest(GRAPH.replace("40 bytes (static)", "40 bytes (dynamic)"), "model_predict")


@pytest.mark.parametrize("name", ["dense, deep", "int8, deep", "maps, two stages"])
def test_classes_and_bytes_are_those_of_the_exported_model(name: str, tmp_path: Path) -> None:
    """The timed program answers as the model does; flash holds its weights, RAM what the caller hands over."""
    import export_c
    import footprint

    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt install gcc")
    exhibit = zoo.exhibit_of(name)
    export_c.build(tmp_path, exhibit.model, np.asarray(exhibit.inputs, np.uint8))
    assert np.array_equal(export_c.classes(tmp_path), exhibit.model.predict(exhibit.inputs))
    weights = sum(array.nbytes for key, array in exhibit.model.arrays.items() if key.endswith(("weight", "bias")))
    stated = re.search(r"Memory +([\d,]+) bytes", (tmp_path / "model.h").read_text())
    scratch = int(stated[1].replace(",", "")) if stated else 0
    for machine in footprint.there().values():
        found = footprint.footprint(tmp_path, machine)
        assert weights < found["flash"] < weights + 40_000
        assert found["stack"] > 0
        assert scratch <= found["variables"] < scratch + 200  # the C library keeps an error number


def row(who: str, kind: str, **others: Any) -> dict[str, Any]:
    measured = {"accuracy": 0.99, "unlike our float32": 3, "times as long as ours": {"-O3": 2.5}}
    return {"who": who, "type": kind, **measured, **others}


def test_the_table_has_a_row_for_what_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stack and variables are added up, what is cited is marked, and a dash is explained."""
    import microcontroller_tables
    import tables

    both = {"-O3": 1.5, "-O3 -march=native": 1.25}
    footprint = {"flash": 2000, "variables": 100, "stack": 30}
    sizes = {"Cortex-M3": footprint, "x86-64": footprint | {"flash": 1900}}
    rows = [
        row("genreg-np", "float32", microseconds=both, bytes=sizes),
        {"who": "genreg-np", "type": "int8", "left out": "layer 0 cannot"},
        row(
            "TensorFlow Lite Micro", "float32", microseconds={"package": 9}, bytes={"model": 70, "arena": {"total": 50}}
        ),
    ]
    around = {"processor": "P", "compilers": {"gcc": "gcc 12"}, "versions": {"emlearn": "1"}, "load": 0.1}
    settings = {"calibration images": 5, "timed images": 6, "turns": 7, "passes": 8}
    document = {"machine": around, "settings": settings, "networks": [{"network": "N", "rows": rows}]}
    (tmp_path / "microcontrollers.json").write_text(json.dumps(document))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    lines = microcontroller_tables.small().splitlines()
    assert "| genreg-np, float32 | 99.00 | 3 | 1.50 | 1.25 |  | 2,000 | 1,900 | 130 |" in lines
    assert f"| genreg-np, int8 |{' - |' * 8}" in lines
    assert "* genreg-np, int8: layer 0 cannot." in lines
    micro = "| 9.00 (package) | - | 2.50 | 70 + 9,732 (cited) + kernels | 70 + runtime | 50 + stack |"
    assert f"| TensorFlow Lite Micro, float32 | 99.00 | 3 {micro}" in lines
