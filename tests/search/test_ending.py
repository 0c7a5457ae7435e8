"""The end of a search for a pipeline: who is clearly better than what is usual, and several that answer together."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")

from genreg_np.search.ending import End, is_clearly_better
from genreg_np.search.found_table import FoundTable
from genreg_np.search.stored import StoredSearch
from tests.search.test_tables import ran, search, table


def test_better_is_who_is_by_more_than_two_standard_errors_of_the_difference() -> None:
    """Corrected for folds that share rows: with fifteen, of five parts each, by 1.13 deviations of the differences."""
    folds = [(np.arange(80), np.arange(80, 100))] * 15
    noise = np.random.default_rng(0).normal(size=15)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    usual = np.linspace(0.8, 0.9, 15)
    for mean, expected in ((1.13, True), (1.12, False), (0.0, False), (-1.0, False)):
        assert is_clearly_better((usual + 0.01 * (noise + mean)).tolist(), usual.tolist(), folds) == expected
    assert is_clearly_better((usual + 0.01).tolist(), usual.tolist(), folds)
    assert not is_clearly_better(usual.tolist(), usual.tolist(), folds)
    assert is_clearly_better([0.9], [0.8], folds[:1])


def test_where_nobody_is_clearly_better_what_is_usual_is_handed_over(tmp_path: Path) -> None:
    """A straight line, that a linear model is right about; who was better by luck is named."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(100, 3))
    content = ["a,b,c,label", *(f"{x:.3f},{y:.3f},{z:.3f},{x + y + 0.8 * rng.normal():.3f}" for x, y, z in rows)]
    found = search(table(tmp_path, content), tmp_path / "run", generations=4, models="linear", folds=3)
    assert found.words == "usual linear"
    assert len(found.finalists) > 2
    scores = [one.score for one in found.finalists]
    assert scores == sorted(scores, reverse=True)
    assert found.judged.score == found.beside[0].score <= scores[0]
    other = found.not_clearly_better
    assert (other is None) == (scores[0] == found.judged.score)


def test_new_folds_are_taken_by_whole_rounds_as_far_as_there_is_time() -> None:
    search = SimpleNamespace(pace_of=lambda genome: 1.0, workers=2)
    end = End(search, None, [None] * 21, None, (6, 13, 21))  # type: ignore[arg-type, list-item]
    counts = [end._affordable([{}, {}], left) for left in (-5.0, 0.0, 5.9, 6.0, 12.9, 20.0, 21.0, 1e9, math.inf)]
    assert counts == [0, 0, 0, 6, 6, 13, 21, 21, 21]


def test_unlike_models_may_answer_together(tmp_path: Path) -> None:
    """Of what is partly straight and partly not; the script has all of them, and reaches what is told."""
    pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(320, 4))
    labels = 2 * rows[:, 0] + 1.5 * rows[:, 1] + 3 * (rows[:, 2] > 0) * (rows[:, 3] > 0) + rng.normal(size=320)
    fields = np.column_stack([rows, labels])
    content = ["a,b,c,d,label", *(",".join(f"{value:.3f}" for value in row) for row in fields)]
    found = search(
        table(tmp_path, content), tmp_path / "run", generations=4, population=6, models="linear,boosting", folds=5
    )
    assert found.words.startswith("together: ")
    assert found.winner is None
    assert [one["model"] for one in found.genome["members"]]
    assert StoredSearch.read(tmp_path / "run").handed_over == found.words
    best_usual = max(one.score for one in found.beside)
    assert found.judged.score > best_usual
    score = float(ran(tmp_path / "run" / "pipeline.py").split(": ")[1])
    assert score == pytest.approx(found.judged.held, abs=2e-4)
    assert FoundTable.of(json.loads((tmp_path / "run/search.json").read_text())["found"], tmp_path / "run") == found
