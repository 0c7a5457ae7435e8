"""Sections of a search: what they say is what its record says; whatever is in the folder, there is a page."""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics
from pathlib import Path

import numpy as np
import pytest

from genreg_np import load
from genreg_np.errors import RunError
from genreg_np.report import page
from genreg_np.report.opening import of_search
from genreg_np.report.page import page_of
from genreg_np.report.sections import copies, diagram, evaluations, importance, leaderboard, lineage, samples
from genreg_np.report.shown import Picture, Table
from genreg_np.report.subject import Subject
from genreg_np.search.chance import against_random
from genreg_np.search.kinds.classifiers import SPACE
from genreg_np.search.stored import StoredSearch, is_search
from genreg_np.search.trials import Trial
from tests.search.helpers import bars, search

pytest.importorskip("matplotlib", reason="figures need matplotlib")


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A search of 36 individuals, with its data."""
    folder = tmp_path_factory.mktemp("search") / "run"
    search(folder, generations=6, final_seeds=1)
    data = dataclasses.replace(bars(), origin={"source": "bars"})
    return Subject("run", load(folder / "model.npz"), data, search=StoredSearch.read(folder))


@pytest.mark.usefixtures("coarse")
def test_the_page_of_a_search(subject: Subject) -> None:
    """Every section of its own, and those of its model."""
    text, pictures = page_of([subject])
    for heading in ("Search", "Course of the search", "The network that was found", "Confusion"):
        assert f">{heading}</h2>" in text
    assert (">Lineage</h2>" in text) == (lineage.section(subject) is not None)
    assert {"evaluations.png", "ladder.png", "diagram.png"} <= pictures.keys()
    assert len(text) < 3_000_000


def test_the_leaderboard_is_the_record_s(subject: Subject) -> None:
    """Each individual as it was at its highest rung, the best first, whatever the rung; the winner marked."""
    assert subject.search is not None
    shown = leaderboard.section(subject)
    assert shown is not None
    table = shown.parts[0]
    assert isinstance(table, Table)
    trials = subject.search.trials
    judged = sorted((trial for trial in trials if trial.is_ok), key=lambda trial: trial.rung)
    highest = {trial.child: trial for trial in judged}
    best = sorted(highest.values(), key=lambda trial: trial.rank, reverse=True)
    assert [row[0].split()[0] for row in table.rows] == [str(trial.child) for trial in best][: len(table.rows)]
    assert len(table.rows) == min(len(best), 10)
    assert sum("winner" in row[0] for row in table.rows) <= 1
    assert f"{len({trial.child for trial in trials}):,} individuals were tried" in shown.words
    failed = dataclasses.replace(trials[0], number=900, child=900, status="timeout", why="took longer than 3 s")
    other = dataclasses.replace(subject.search, trials=[*trials, failed])
    shown = leaderboard.section(dataclasses.replace(subject, search=other))
    assert shown is not None
    assert isinstance(shown.parts[1], Table)
    assert tuple(shown.parts[1].rows[0]) == ("timeout", "1", "took longer than 3 s")


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"folds": 5}, "the same images in other folds"),
        ({"folds": 0}, "images that were not used for selection"),
        ({}, "images that were not used for selection"),
    ],
)
def test_what_the_winner_was_chosen_by_is_said(notes: dict[str, int], said: str, subject: Subject) -> None:
    """Of a tiny set there are no others; a record of before that was noted goes by the settings."""
    assert subject.search is not None
    assert subject.search.notes["folds"] == 0
    kept = {name: value for name, value in subject.search.notes.items() if name != "folds"}
    other = dataclasses.replace(subject.search, notes=kept | notes)
    shown = leaderboard.section(dataclasses.replace(subject, search=other))
    assert shown is not None
    assert f"best of the leaders by {said}." in shown.words


def test_each_pair_that_is_not_sound_is_shown_with_the_reason(subject: Subject) -> None:
    """Where it was, and how it was bred; all but a dozen are folded."""
    assert subject.search is not None
    pairs = [
        dataclasses.replace(
            subject.search.trials[0], number=n, child=n % 20, rung=n // 20, how="promoted" if n > 19 else f"way {n}",
            status="removed" if n % 2 else "ok", why=f"collapsed: {n}" if n % 2 else f"infeasible: coverage 0.{n}",
        )
        for n in range(1, 24)
    ]  # fmt: skip
    healthy = dataclasses.replace(subject.search.trials[0], number=99, child=99, why="")
    (table,) = samples.unsound([*pairs, healthy])
    assert len(table.rows) == 23
    assert tuple(table.rows[0]) == ("1", "0", "way 1", "removed: collapsed: 1")
    assert tuple(table.rows[1]) == ("2", "0", "way 2", "infeasible: coverage 0.2")
    assert tuple(table.rows[22]) == ("3", "1", "way 3", "removed: collapsed: 23")
    assert table.most_open == 12
    text = page._table(table)
    assert text.index("collapsed: 11") < text.index("<details><summary>11 more</summary>") < text.index("collapsed: 13")
    assert "<details>" not in page._table(dataclasses.replace(table, rows=table.rows[:12]))
    assert samples.unsound([healthy]) == []


def test_lineage_leads_to_a_random_individual(subject: Subject) -> None:
    assert subject.search is not None
    bred = [trial for trial in subject.search.trials if trial.parents and trial.rung == 0]
    for trial in bred:
        line = lineage.ancestors(subject.search, trial.child)
        assert line[0].child == trial.child
        assert not line[-1].parents or len(line) == lineage.MOST
        for one, parent in itertools.pairwise(line):
            assert one.parents[0] == parent.child
            told = lineage.changes(subject.search, one, parent)
            for name in SPACE.changes(one.genome, parent.genome):
                assert f"{name}: " in told


@pytest.mark.parametrize(("metric", "side"), [("accuracy", "above"), ("log-loss", "below")])
def test_breeding_is_credited_with_what_was_bred_alone(metric: str, side: str, subject: Subject) -> None:
    """Not with what was made by hand; errors are drawn as they are, so that better is lower."""
    assert subject.search is not None
    sign = 1 if metric == "accuracy" else -1
    rng = np.random.default_rng(0)
    scores = [0.99, *(0.5 + rng.random(12) / 10).tolist(), *(0.6 + rng.random(20) / 10).tolist()]
    ways = [((), "made by hand"), *[((), "random")] * 12, *[((1,), "mutated: x")] * 20]
    trials = [
        dataclasses.replace(
            subject.search.trials[0], number=n, child=n, rung=0, parents=parents, how=how, score=sign * score,
            metrics={metric: score},
        )
        for n, (score, (parents, how)) in enumerate(zip(scores, ways, strict=True))
    ]  # fmt: skip
    config = dataclasses.replace(subject.search.config, metric=metric)
    other = dataclasses.replace(subject.search, trials=trials, config=config)
    shown = evaluations.section(dataclasses.replace(subject, search=other))
    assert shown is not None
    best = (max if sign > 0 else min)(scores[13:])
    assert f"the best of 20 bred ones {best:.4f}" in shown.parts[0].says
    assert f"the line of the bred is {side} the dotted one" in shown.parts[0].caption
    found = against_random(trials)
    verdict = "better than" if sign > 0 else "worse than"
    assert f"Breeding is {verdict} random search here" in shown.words
    assert f"95 % interval {100 * found.low:.0f} to {100 * found.high:.0f} %; 20 bred, 12 random" in shown.words
    assert "Pareto" not in shown.words + shown.parts[0].caption


def test_chance_of_two_objectives_is_by_both_and_the_drawing_says_that_it_is_by_one(subject: Subject) -> None:
    assert subject.search is not None
    ways = [((), "random")] * 12 + [((1,), "mutated: x")] * 12 + [((), "policy: random, with the model of 6")] * 9
    trials = [
        dataclasses.replace(
            subject.search.trials[0], number=n, child=n, rung=0, parents=parents, how=how, score=0.5,
            parameters=100 if parents else 200,
        )
        for n, (parents, how) in enumerate(ways)
    ]  # fmt: skip
    config = dataclasses.replace(subject.search.config, second="parameters")
    other = dataclasses.replace(subject.search, trials=trials, config=config)
    shown = evaluations.section(dataclasses.replace(subject, search=other))
    assert shown is not None
    assert (
        "better than random search here: a bred individual beats a random one, by the Pareto front of accuracy and "
        "parameters, 100 % of the time"
    ) in shown.words
    assert "12 bred, 12 random" in shown.words
    assert "the best of 12 random ones" in shown.parts[0].says  # without those of which only one half is
    assert shown.parts[0].caption.endswith("individuals were bred for parameters as well.")
    made = [dataclasses.replace(one, parents=(), how="made by hand") for one in trials]
    none = evaluations.section(dataclasses.replace(subject, search=dataclasses.replace(other, trials=made)))
    assert none is not None
    assert "random ones" not in none.parts[0].says


def test_the_mean_best_of_some() -> None:
    """Of all ways to draw n of them."""
    scores = [0.3, 0.9, 0.1, 0.5, 0.7]
    found = evaluations.best_of_random(scores)
    for n in range(1, 6):
        assert found[n - 1] == pytest.approx(statistics.mean(map(max, itertools.combinations(scores, n))))


def test_rank_correlation_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 9, 40), rng.integers(0, 9, 40)
    assert evaluations.rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert evaluations.rank_correlation([1, 2, 3], [1, 2, 3]) is None
    assert evaluations.rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None


def test_what_a_gene_explains() -> None:
    """All, nothing, and no more than chance."""
    scores = np.array([0.1] * 10 + [0.9] * 10)
    assert importance.explained(scores, ["a"] * 10 + ["b"] * 10) == (pytest.approx(1.0), "b")
    assert importance.explained(scores, ["a", "b"] * 10)[0] < 0.01
    assert importance.explained(scores, ["a"] * 20)[0] == 0
    rng = np.random.default_rng(0)
    found = [importance.explained(rng.random(60), rng.choice(list("abcdefgh"), 60).tolist())[0] for _ in range(50)]
    assert np.mean(found) < 0.06


def test_the_winner_is_drawn(subject: Subject) -> None:
    shown = diagram.section(subject)
    assert shown is not None
    picture, table = shown.parts
    assert isinstance(picture, Picture)
    assert isinstance(table, Table)
    assert "dense 3 gives 3" in picture.says
    assert {row[0] for row in table.rows} >= {"optimiser", "batch_size", "shift"}
    assert any(row[1].startswith("not expressed (") for row in table.rows)


def test_a_search_under_way_has_a_page_without_a_winner(subject: Subject) -> None:
    assert subject.search is not None
    under_way = dataclasses.replace(subject, search=dataclasses.replace(subject.search, notes={}))
    text, _ = page_of([under_way])
    assert "There is no winner yet" in text


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_search_of_few_trials_has_a_page(kept: int, subject: Subject) -> None:
    assert subject.search is not None
    few = dataclasses.replace(subject.search, trials=subject.search.trials[:kept], notes={})
    page_of([dataclasses.replace(subject, search=few)])


def test_a_folder_from_anybody(subject: Subject, tmp_path: Path) -> None:
    """Lines that are no trials, and trials of other genes, are passed over; what is no search is said."""
    assert subject.search is not None
    for name in ("config.toml", "model.npz"):
        (tmp_path / name).write_bytes((subject.search.path / name).read_bytes())
    good = subject.search.trials[0]
    values = json.loads(good.line())
    hostile = [
        "", "{", "[]", "null", json.dumps(values | {"score": "high"}), json.dumps(values | {"number": 10**400}),
        json.dumps(values | {"genome": {"a": 1}, "number": 7}), json.dumps({"number": 1}),
        json.dumps(values | {"metrics": {"accuracy": "x"}}), json.dumps(values | {"parents": [-1]}),
        json.dumps(values | {"seconds": 1e400}), "[" * 5000,
    ]  # fmt: skip
    (tmp_path / "trials.jsonl").write_text(good.line() + "\n".join(hostile) + "\n", "utf-8")
    assert is_search(tmp_path)
    found, missing = of_search(tmp_path)
    assert missing
    assert [trial.number for trial in found.search.trials] == [good.number]  # type: ignore[union-attr]
    page_of([found])
    with pytest.raises(RunError, match="holds no search"):
        StoredSearch.read(tmp_path / "nowhere")


def test_a_trial_is_read_as_it_was_written(subject: Subject) -> None:
    assert subject.search is not None
    for trial in subject.search.trials:
        assert Trial.read(trial.line()) == trial
    failed = Trial(3, 1, 0, {}, {}, status="crash", why="x")
    assert Trial.read(failed.line()) == failed


def test_what_the_winner_has_learned_from_is_no_validation(subject: Subject) -> None:
    """It learned, in the end, from all but the test split."""
    assert set(subject.shares) == {"train", "test"}


def test_an_autoencoder_is_shown_by_its_copies(subject: Subject, tmp_path: Path) -> None:
    """As like their pictures as the page says; a classifier has none."""
    how = {"kind": "autoencoder", "metric": "psnr", "second": "code", "max_macs": 200_000, "generations": 1}
    search(tmp_path / "run", final_seeds=1, **how)
    data = dataclasses.replace(bars(), origin={"source": "bars"})
    own = Subject("run", load(tmp_path / "run" / "model.npz"), data, search=StoredSearch.read(tmp_path / "run"))
    shown = copies.section(own)
    assert shown is not None
    pixels = data.test.inputs.reshape(len(data.test), -1) / 255.0
    chosen = np.unique(np.linspace(0, len(pixels) - 1, copies.COLUMNS * copies.ROWS).astype(int))
    errors = np.square(own.model.outputs(data.test.inputs)[chosen] - pixels[chosen]).mean(axis=1)
    assert f"the copy is {np.median(-10 * np.log10(errors)):.1f} decibels" in shown.words
    assert copies.section(subject) is None
    text, pictures = page_of([own])
    assert "copies.png" in pictures
    assert "Copies and hidden values below" in text
    assert "64 values" in text
