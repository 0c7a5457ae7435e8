"""Tables whose columns stand in another order: eval, export and info go by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from genreg_np.model import load
from tests.zoo import named_features


def write_table(path: str, order: str, flip: bool = False) -> None:
    """Write a table of four columns and a label, the columns in an order."""
    data = named_features()
    rows = np.concatenate([part.inputs for part in (data.train, data.validation, data.test)])
    labels = np.concatenate([part.labels for part in (data.train, data.validation, data.test)])
    columns = {name: rows[:, place] for place, name in enumerate("wxyz")}
    lines = [f"{','.join(order)},label"]
    for row, label in enumerate(labels):
        lines.append(",".join(f"{columns[name][row]:.9g}" for name in order) + f",{'abc'[label]}")
    Path(path).write_text("\n".join(lines) + "\n")


@pytest.fixture
def table_model(genreg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model trained on a table of columns w, x, y, z."""
    monkeypatch.chdir(tmp_path)
    write_table("table.csv", "wxyz")
    assert genreg("train", "--dataset", "table.csv", "--generations", 60, "--out", "run", "--quiet").code == 0
    return "run/model.npz"


def test_eval_takes_columns_by_name(genreg, table_model: str) -> None:
    """The same rows with their columns in another order: the same accuracy, class by class."""
    write_table("other.csv", "zxwy")
    straight, turned = (
        json.loads(genreg("eval", table_model, "--dataset", file, "--split", "all", "--json").out)
        for file in ("table.csv", "other.csv")
    )
    assert straight["confusion"] == turned["confusion"]
    assert straight["accuracy"] > 0.6


def test_eval_names_columns_that_are_not_the_models(genreg, table_model: str) -> None:
    """Missing and unknown ones, before anything is said of shapes."""
    write_table("other.csv", "wxy")
    done = genreg("eval", table_model, "--dataset", "other.csv")
    assert done.code == 2
    assert "other.csv: lacks 'z'" in done.err


def test_eval_says_that_nameless_columns_go_by_order(genreg, table_model: str) -> None:
    """Without a header there is nothing to go by."""
    write_table("other.csv", "wxyz")
    Path("bare.csv").write_text(Path("other.csv").read_text().partition("\n")[2])
    assert "matched by position" in genreg("eval", table_model, "--dataset", "bare.csv").out


def test_eval_says_that_a_nameless_model_goes_by_order(genreg, table_model: str) -> None:
    """Trained on a table without a header, measured on one that has one."""
    Path("bare.csv").write_text(Path("table.csv").read_text().partition("\n")[2])
    assert genreg("train", "--dataset", "bare.csv", "--generations", 10, "--out", "bare", "--quiet").code == 0
    assert "the model has no column names" in genreg("eval", "bare/model.npz", "--dataset", "table.csv").out


def test_int8_is_calibrated_on_columns_by_name(genreg, table_model: str) -> None:
    """The validation split of a table in another order calibrates to the same integers."""
    write_table("other.csv", "zxwy")
    made = []
    for file in ("table.csv", "other.csv"):
        told = ("--int8", "--max-loss", 50, "--dataset", file, "--out", f"for {file}")
        assert genreg("export", table_model, "--to", "python", *told).code == 0
        model = load(f"for {file}/model.npz")
        assert model.training["int8"].pop("dataset") == Path(file).stem  # of the header, as it stands in the file
        made.append(model.pack())
    assert made[0] == made[1]


def test_info_shows_the_columns(genreg, table_model: str) -> None:
    """On a line of their own."""
    assert "columns      w, x, y, z\n" in genreg("info", table_model).out


def test_a_run_does_not_go_on_with_columns_of_other_names(genreg, table_model: str) -> None:
    """The same numbers under other names are other data: the model would answer with the wrong columns."""
    text = Path("table.csv").read_text()
    Path("table.csv").write_text(text.replace("w,x,y,z", "x,w,y,z", 1))
    done = genreg("train", "--resume", "run", "--generations", 70, "--extend")
    assert done.code == 1
    assert "not those this run began with" in done.err
    Path("table.csv").write_text(text)
    assert genreg("train", "--resume", "run", "--generations", 70, "--extend").code == 0
