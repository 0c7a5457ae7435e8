"""The end of a search for a pipeline: who is clearly better than what is usual, and several that answer together."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")

from genreg_np.search.ending import DUMMY, End, error_on, is_clearly_better
from genreg_np.search.found_table import FoundTable
from genreg_np.search.pipelines import CALIBRATED, LAST_OF_NETWORK, PipelineSearch
from genreg_np.search.searching import Watcher
from genreg_np.search.stored import StoredSearch
from genreg_np.search.tabular.space import LINEAR, NETWORK, SVM, plain
from genreg_np.search.tabular.together import members_of, together
from tests.search.test_pipelines import TRAITS, space_of
from tests.search.test_tables import ran, search, table


def test_better_is_who_is_by_the_corrected_resampled_t_test() -> None:
    """Folds share rows: with fifteen, of five parts each, the mean has to be 1.207 deviations of the differences."""
    folds = [(np.arange(80), np.arange(80, 100))] * 15
    noise = np.random.default_rng(1).normal(size=15)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    usual = np.linspace(0.8, 0.9, 15)
    for mean, expected in ((1.21, True), (1.20, False), (0.0, False), (-1.0, False)):
        assert is_clearly_better((usual + 0.01 * (noise + mean)).tolist(), usual.tolist(), folds) == expected
    assert is_clearly_better((usual + 0.01).tolist(), usual.tolist(), folds)
    assert not is_clearly_better(usual.tolist(), usual.tolist(), folds)
    assert is_clearly_better([0.9], [0.8], folds[:1])
    often = np.full(15, 0.01)  # better by little, once by much, and as often as that
    often[0] = 0.9
    assert not is_clearly_better(np.where(np.arange(15) < 13, often, -0.01).tolist(), [0.0] * 15, folds)
    assert is_clearly_better(np.where(np.arange(15) < 14, often, -0.01).tolist(), [0.0] * 15, folds)
    assert not is_clearly_better(often[:9].tolist(), [0.0] * 9, folds[:9])
    assert not is_clearly_better(np.where(np.arange(15) < 14, 0.01, -0.9).tolist(), [0.0] * 15, folds)
    assert error_on(folds, (0.01 * noise).tolist()) == pytest.approx(0.01 * (1 / 15 + 1 / 4) ** 0.5)
    assert error_on(folds[:1], [0.5]) == 0.0


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
    space = space_of((LINEAR, SVM), TRAITS[0])
    usual = {"usual linear": plain(LINEAR, space), "usual svm": plain(SVM, space)}
    better, both = plain(SVM, space, cost=2.0), together(list(usual.values()))
    everybody = [better, plain(SVM, space, cost=3.0), both, *usual.values()]
    search = SimpleNamespace(
        space=space, usual=usual, judged_again=lambda: everybody, workers=2,
        pace_of=lambda genome: float(len(members_of(genome))),
    )  # fmt: skip
    end = End(search, None, [None] * 21, None, (6, 13, 21))  # type: ignore[arg-type, list-item]
    for left, count in ((18.0, 6), (38.9, 6), (39.0, 13), (63.0, 21), (1e9, 21), (math.inf, 21)):
        assert end._affordable(left) == (everybody, count)
    without = [genome for genome in everybody if genome is not both]  # several together cost more: they go first
    assert end._affordable(17.9) == end._affordable(12.0) == (without, 6)
    assert end._affordable(11.9) == end._affordable(9.0) == ([better, *usual.values()], 6)
    for left in (8.9, 0.0, -5.0):
        assert end._affordable(left) == (everybody, 0)


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
    assert found.judged.score > max(one.score for one in found.beside if one.name != "usual together")
    score = float(ran(tmp_path / "run" / "pipeline.py").split(": ")[1])
    assert score == pytest.approx(found.judged.held, abs=2e-4)
    assert FoundTable.of(json.loads((tmp_path / "run/search.json").read_text())["found"], tmp_path / "run") == found


def test_usual_models_together_have_to_be_beaten_too(tmp_path: Path) -> None:
    """Where nothing searched for is clearly better, their mean is what is usual; it is told what it is made of."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(320, 4))
    labels = 2 * rows[:, 0] + 1.5 * rows[:, 1] + 3 * (rows[:, 2] > 0) * (rows[:, 3] > 0) + rng.normal(size=320)
    fields = np.column_stack([rows, labels])
    content = ["a,b,c,d,label", *(",".join(f"{value:.3f}" for value in row) for row in fields)]
    found = search(table(tmp_path, content), tmp_path / "run", generations=1, population=2, models="linear,boosting")
    assert found.words == "together: usual linear; usual boosting"
    assert found.winner is None
    assert {one.name for one in found.beside} == {"usual linear", "usual boosting", "usual together", DUMMY}
    assert found.judged.score == max(one.score for one in found.beside)
    assert "VotingRegressor(" in (tmp_path / "run/pipeline.py").read_text("utf-8")


def test_what_cannot_be_judged_again_is_told(tmp_path: Path) -> None:
    """A support vector machine that has to tell probabilities needs each class in every part of a fold."""
    content = ["x,label", *(f"{n},{'ab'[n > 40]}" for n in range(80)), "3,c"]
    said: list[str] = []
    found = search(table(tmp_path, content), tmp_path / "run", generations=1, watcher=Watcher(on_remark=said.append))
    (failed,) = [line for line in said if "could not be judged again: " in line]
    assert failed.startswith("together: usual linear; usual svm could not be judged again: ")
    assert {one.name for one in found.beside} == {"usual linear", "usual svm", DUMMY}


def test_a_support_vector_machine_that_has_to_tell_probabilities_is_slower() -> None:
    """So more is reserved for several that answer together; not where a metric takes probabilities of all."""
    space = space_of((LINEAR, SVM), TRAITS[0])
    both = together([plain(LINEAR, space), plain(SVM, space)])
    task = SimpleNamespace(traits=TRAITS[0], metric="accuracy")
    search = SimpleNamespace(task=task, pace=lambda model: 1.0)
    assert TRAITS[0].classes
    assert PipelineSearch.pace_of(search, both) == 1 + CALIBRATED  # type: ignore[arg-type]
    assert PipelineSearch.pace_of(search, plain(SVM, space)) == 1.0  # type: ignore[arg-type]
    task.metric = "neg_log_loss"
    assert PipelineSearch.pace_of(search, both) == 2.0  # type: ignore[arg-type]


def test_the_end_has_the_time_it_needs_and_a_third_of_all_at_most() -> None:
    space = space_of((LINEAR, NETWORK), TRAITS[0])
    genomes = [plain(LINEAR, space), plain(NETWORK, space)]
    search = SimpleNamespace(
        judged_again=lambda: genomes, pace_of=lambda genome: 0.5, new_folds=21, workers=2, _most_reserved=math.inf
    )  # fmt: skip
    assert PipelineSearch.reserve(search) == 21 * (0.5 + 0.5) / 2 + LAST_OF_NETWORK * 0.5 + 1  # type: ignore[arg-type]
    search._most_reserved = 5.0
    assert PipelineSearch.reserve(search) == 5.0  # type: ignore[arg-type]
