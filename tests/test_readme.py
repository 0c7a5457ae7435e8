"""The Python of README and pages runs as printed, and their commands exist."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import load, load_dataset
from genreg_np.cli import main
from genreg_np.infer import ModelError
from genreg_np.model import Network
from genreg_np.runs.config import read_preset
from tests.helpers import model_of, own

README = Path(__file__).resolve().parents[1] / "README.md"


def python_of(page: Path) -> list[str]:
    """Return the blocks of Python of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = python_of(README)
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["score"](load("sine.npz")) >= -0.05


def test_the_python_examples_of_the_page_on_python_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = python_of(README.parent / "docs/python.md")
    assert len(blocks) == 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "python.md", "exec"), names)
        if block is blocks[0]:
            assert names["result"].test_accuracy > 0.9
            assert [path.name for path in tmp_path.iterdir()] == ["near.npz"]
        if block is blocks[1]:
            assert load_dataset("penguins.csv", label="mass").columns
            assert abs(names["mass"].predict([["Biscoe", "12"]])[0] - 4380) < 100
    assert Path("runs/first/model.npz").exists()
    assert names["parity"](names["best"]) >= 3


def test_the_readme_leads_from_a_raw_table_to_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its two lines on tables as printed: words, dates and gaps, columns in another order, one that is new."""
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^genreg-np .*table.*$", README.read_text("utf-8"), re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["train", "infer"]
    draw = np.random.default_rng(0)
    kinds, known, new = [], ["kind,seen,size,soil"], ["soil,note,size,seen"]
    for row in range(120):
        kind, soil = [("oak", "NA"), ("yew", "sand"), ("ash", "clay")][row % 3]
        day, size = f"{1 + row % 28}.{1 + row % 12}.2024", "" if row % 17 == 5 else f"{draw.normal(3 * (row % 3)):.2f}"
        kinds.append(kind)
        known.append(f"{kind},{day},{size},{soil}")
        new.append(f"{soil},new,{size},{day}")
    Path("table.csv").write_text("\n".join(known))
    Path("new.csv").write_text("\n".join(new))
    for line in lines:
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(line, comments=True)[1:])
        assert not ended.value.code
    header, *told = (line.split(",") for line in Path("predictions.csv").read_text("utf-8").splitlines())
    assert header == ["soil", "note", "size", "seen", "prediction", "probability"]
    assert np.mean([one[4] == kind for one, kind in zip(told, kinds, strict=True)]) > 0.9


@pytest.mark.parametrize(("page", "least"), [("README.md", 7), ("docs/command-line.md", 32)])
def test_the_command_lines_of_a_page_are_understood(page: str, least: int) -> None:
    """Commands and options exist; and what is quantised is a model that can be."""
    lines = re.findall(r"^genreg-np (.*)$", (README.parent / page).read_text("utf-8"), re.MULTILINE)
    assert len(lines) >= least
    for line in lines:
        name, *arguments = shlex.split(line, comments=True)
        command = importlib.import_module(f"genreg_np.cli.{name}_").command
        names = ["-h", "--help"]  # as the program has them: a command keeps those it is first asked with
        context = command.make_context(name, arguments, resilient_parsing=False, help_option_names=names)
        if context.params.get("int8"):
            preset = re.fullmatch(r"runs/mnist-(.+)-0/model.npz", context.params["model_path"])
            assert preset is not None
            assert read_preset(preset[1])["strategy"] != "detector-bank", line


def test_the_python_example_of_the_methods_runs() -> None:
    (block,) = python_of(README.parent / "docs/methods.md")
    names: dict[str, object] = {}
    exec(compile(block, "methods.md", "exec"), names)
    assert names["evolution"].accuracies("validation")["best"] > 0.9  # type: ignore[attr-defined]


def test_a_model_of_numbers_takes_what_the_page_on_embedding_says() -> None:
    """No mapping, no further column, no gap; and what the page makes of these. Models of mixed tables take all."""
    pandas = pytest.importorskip("pandas", reason="needs DataFrames")
    network = Network.build((2,), (), 2)
    model = model_of(network, class_names=("a", "b"), feature_names=("x", "y"), input_range=None)
    row = {"y": [2.0, -1.0], "more": ["a", "b"], "x": [1.0, 3.0]}
    frame = pandas.DataFrame(row)
    for refused in ({name: row[name] for name in "xy"}, frame, [[1.0, float("nan")]]):
        with pytest.raises(ModelError):
            model.predict(refused)
    (block,) = (one for one in python_of(README.parent / "docs/embedding.md") if "column_stack" in one)
    expected = model.outputs([[1.0, 2.0], [3.0, -1.0]])
    for line in block.replace("predict", "outputs").splitlines():
        np.testing.assert_array_equal(eval(line, {"model": model, "frame": frame, "row": row, "np": np}), expected)
    np.testing.assert_array_equal(model.outputs(frame[["y", "x"]]), expected)


def test_the_python_examples_of_networks_in_words_run() -> None:
    """A network that holds others, and one that remembers."""
    names: dict[str, Any] = {}
    for block in python_of(README.parent / "docs/networks.md"):
        exec(compile(block, "networks.md", "exec"), names)
    assert names["evolution"].best_ever.fitness > 0.9
    assert names["result"].test_accuracy > 0.9
    assert "residual (" in names["result"].model.network.describe()


def test_the_python_example_of_mixed_evolution_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = python_of(README.parent / "docs/mixed.md")
    names: dict[str, object] = {}
    exec(compile(block, "mixed.md", "exec"), names)
    assert names["child"].network == names["first"].network  # type: ignore[attr-defined]


def text_of_imports(block: str) -> str:
    """Return what a block imports; genreg_np.control stands for Gymnasium."""
    lines = [line for line in block.splitlines() if line.startswith(("from", "import"))]
    return " ".join(lines).replace("genreg_np.control", "gymnasium")


def test_the_python_examples_of_scores_of_ones_own_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a simulator to a policy that does what it should, and is kept; Gymnasium's where that is installed."""
    monkeypatch.chdir(tmp_path)
    blocks = python_of(README.parent / "docs/own-scores.md")
    assert len(blocks) == 6
    names: dict[str, Any] = {}
    for block in blocks:
        if "gymnasium" in text_of_imports(block) and importlib.util.find_spec("gymnasium") is None:
            continue
        exec(compile(block, "own-scores.md", "exec"), names)
        if block is blocks[2]:
            assert np.mean([names["score"](load("crane.npz"), seed) for seed in range(50)]) > -0.3
    assert names["ended"] == "target"
    if "returns" in names:
        assert names["returns"].mean() > 400


def test_the_records_of_a_fitness_of_ones_own_are_documented() -> None:
    """Every name that a record has is in the table, and every name of the table in a record."""
    text = (README.parent / "docs/own-scores.md").read_text("utf-8").split("## Records")[1].split("## ")[0]
    records: list[dict[str, Any]] = []
    own().run(1, fitness=lambda model: float("inf"), on_record=records.append)
    named = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `")))
    assert sorted(named) == sorted(set(records[0]) - {"generation"})


def test_links_and_files_named_in_the_readme_exist() -> None:
    """Those of docs/ are in test_docs.py."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text("utf-8")):
        assert (README.parent / target).exists(), f"README.md links to {target}"


def test_the_tables_of_the_readme_are_what_the_results_say() -> None:
    script = README.parent / "bench/figures.py"
    if not (README.parent / "bench/results/generation.json").exists():
        pytest.skip("the results are not part of the source package")
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
