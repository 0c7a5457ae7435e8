"""Models that `genreg-np search` leaves, by the other commands; and genes that a given genome need not have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np import load
from tests.cli import one_line
from tests.cli.test_search import QUICK, _data  # noqa: F401 - the data of these searches
from tests.search.helpers import bars


def test_a_model_that_was_found_knows_its_pictures_and_what_it_learned_from(genreg) -> None:
    """As one that was trained: it refuses inverted pictures, says what it reaches, and is no built-in dataset's."""
    pillow = pytest.importorskip("PIL.Image")
    data = bars(60)
    for place, (pixels, label) in enumerate(zip(data.everything.inputs, data.everything.labels, strict=True)):
        folder = Path("digits/own") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(pixels).save(folder / f"{place}.png")
    assert genreg("search", "images", "digits/own", *QUICK, "--out", "run", "--quiet").code == 0
    pillow.fromarray(255 - data.test.inputs[0]).save("inverted.png")
    assert "inverted.png: looks inverted" in one_line(genreg("infer", "run/model.npz", "inverted.png"), 1)
    about, split = genreg("info", "run/model.npz").out, genreg("eval", "run/model.npz", "--dataset", "digits/own")
    assert "on own/" in about
    accuracy = load("run/model.npz").training["accuracies"]["test"]["best"]
    assert f"test         best {100 * accuracy:.2f} %" in about
    assert f"accuracy {100 * accuracy:.2f} %" in split.out
    assert "it learned from the validation split as well" in about
    validation = genreg("eval", "run/model.npz", "--dataset", "digits/own", "--split", "validation")
    assert "the model's note: it learned from the validation split as well" in validation.out


def test_a_file_with_the_name_of_a_built_in_dataset_is_not_taken_for_it(genreg) -> None:
    Path("bars.npz").rename("digits.npz")
    assert genreg("search", "images", "./digits.npz", *QUICK, "--out", "run", "--quiet").code == 0
    for command in (("eval", "run/model.npz"), ("export", "run/model.npz", "--to", "c", "--int8", "--out", "c")):
        assert "was trained on 'digits.npz': give its place with --dataset" in one_line(genreg(*command), 2)


def test_a_gene_that_has_no_effect_is_said(genreg) -> None:
    """One that is given, and not expressed; of networks and of pipelines."""
    Path("one.toml").write_text(
        "blocks = 1\n[optimiser]\noptimiser = 'sgd'\nrate = 0.003\nsimple_rate = 0.02\n", "utf-8"
    )
    found = genreg("search", "images", "bars.npz", *QUICK[2:], "--genome", "one.toml", "--out", "run")
    assert found.code == 0, found.err
    assert found.out.count("has no effect") == 1
    assert 'rate has no effect: optimiser = "sgd"\n' in found.out
    again = genreg("search", "images", "bars.npz", *QUICK[2:], "--genome", "run/winner.toml", "--out", "other")
    assert "no effect" not in again.out


def test_a_gene_of_another_model_of_a_table_is_said(genreg) -> None:
    pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")
    rows = np.random.default_rng(0).normal(size=(60, 2)).round(3)
    lines = [f"{one},{other},{'ab'[int(one > 0)]}" for one, other in rows.tolist()]
    Path("t.csv").write_text("\n".join(["x,z,label", *lines]) + "\n", "utf-8")
    Path("one.toml").write_text("model = 'linear'\nneighbours = 9\n", "utf-8")
    how = ("--models", "linear,neighbours", "--folds", 2, "--engine", "serial", "--generations", 1, "--population", 1)
    found = genreg("search", "table", "t.csv", *how, "--selection", "random", "--genome", "one.toml")
    assert found.code == 0, found.err
    assert 'neighbours has no effect: model = "linear"\n' in found.out
