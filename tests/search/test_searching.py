"""Searches on small images, whole: the same for any workers, after any stop; and what is found is usable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import load
from genreg_np.errors import RunError, UsageError
from genreg_np.search import images
from genreg_np.search.folder import trials_in
from genreg_np.search.images import Found
from genreg_np.search.lessons import base as lessons
from genreg_np.search.lessons.network import folds_of
from genreg_np.search.networks import NetworkSearch
from genreg_np.search.searching import Search, Watcher
from genreg_np.search.stored import StoredSearch
from genreg_np.search.trials import DIVERGED, Trial
from tests.search.helpers import bars, search


def trials(found: Found | Path) -> list[Trial]:
    """Return the trials of a search by number, without what is another each time."""
    folder = found if isinstance(found, Path) else found.folder
    lines = sorted(trials_in(folder / "trials.jsonl"), key=lambda trial: trial.number)
    still = {"seconds": 0, "predicted": 0, "pace": 0}
    return [Trial.read(json.dumps(json.loads(line.line()) | still)) for line in lines]  # type: ignore[misc]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A search of twelve individuals."""
    return search(tmp_path_factory.mktemp("search") / "one")


def test_a_search_leaves_a_model_that_predicts(found: Found) -> None:
    """It is the winner, trained from scratch; what is said of it is what it does on the test split."""
    data, model = bars(), load(found.folder / "model.npz")
    assert found.ended == "generations"
    assert found.trials == 12 + 4 + 1 == len(trials(found))
    right = float((model.predict(data.test.inputs) == data.test.labels).mean())
    assert right == pytest.approx(found.finals[0]["accuracy"], abs=1e-9)
    assert len(found.finals) == 2
    assert model.class_names == data.class_names
    assert model.header["training"]["network"] == found.network
    assert found.test["accuracy"][0] == pytest.approx(np.mean([one["accuracy"] for one in found.finals]))
    assert (found.folder / "winner.toml").exists()


def test_the_winner_is_the_best_of_the_leaders_by_a_split_of_its_own(found: Found) -> None:
    """Which is recorded of all of them, whenever they were judged by it."""
    stored = StoredSearch.read(found.folder)
    leaders = stored.leaders[:3]
    assert all(trial.select for trial in leaders)
    best = max(leaders, key=lambda trial: (trial.select["accuracy"], -trial.select["log-loss"], -trial.number))
    assert found.winner == best == stored.winner


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_search_in_processes(workers: int, found: Found, tmp_path: Path) -> None:
    """The same trials, the same winner, the same bytes."""
    again = search(tmp_path / "run", engine="processes", workers=workers)
    assert trials(again) == trials(found)
    assert again.model.pack() == found.model.pack()


def test_a_search_that_is_killed_goes_on(found: Found, tmp_path: Path) -> None:
    """After each of its trials; states that are gone are made again; a line that was cut short is no trial."""

    class Killed(Exception):
        pass

    def until(count: int) -> Watcher:
        seen: list[Trial] = []

        def on_trial(trial: Trial, search: Search) -> None:
            seen.append(trial)
            if len(seen) == count:
                raise Killed

        return Watcher(on_trial)

    folder, stops = tmp_path / "run", 0
    while True:
        try:
            last = search(folder, watcher=until(2))
            break
        except Killed:
            stops += 1
            for state in list((folder / "states").iterdir())[:: 1 + stops % 2]:
                state.unlink()
            with (folder / "trials.jsonl").open("a") as file:
                file.write('{"number": 3, "child"')
            assert load(folder / "model.npz").class_names == bars().class_names
    assert stops == 8
    assert trials(last) == trials(found)
    assert last.model.pack() == found.model.pack()


def test_a_search_again_is_done_at_once(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is learned again, no worker is started, and the result is the same."""
    with monkeypatch.context() as patched:
        patched.setattr(images, "create_engine", None)
        again = search(found.folder)
    assert again.model.pack() == found.model.pack()
    assert (again.winner, again.finals, again.network) == (found.winner, found.finals, found.network)
    assert (again.genome, again.trials, again.ended) == (found.genome, found.trials, found.ended)


def test_a_record_of_an_end_that_is_damaged_is_made_again(found: Found) -> None:
    """From the states that are kept: nothing is learned again."""
    (found.folder / "search.json").unlink()
    (found.folder / "model.npz").unlink()
    done: list[object] = []
    again = search(found.folder, watcher=Watcher(lambda trial, search: done.append(trial)))
    assert not done
    assert again.model.pack() == found.model.pack()
    assert (again.winner, again.finals) == (found.winner, found.finals)
    (found.folder / "model.npz").unlink()
    assert search(found.folder).model.pack() == found.model.pack()
    assert load(found.folder / "model.npz").header == found.model.header


def test_more_generations_go_on_from_those_that_were(found: Found, tmp_path: Path) -> None:
    more = search(tmp_path / "run", generations=1)
    assert len(trials(more)) == 6 + 2
    assert trials(search(tmp_path / "run")) == trials(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "f1"}, "holds a search with metric = accuracy, not f1"),
        ({"dataset": bars(seed=1)}, "holds a search with different data"),
        ({"seed": 3}, "seed = 0, not 3"),
        ({"selection": "random"}, "selection = steady, not random"),
    ],
)
def test_another_search_is_not_gone_on_with(changes: dict[str, object], said: str, found: Found) -> None:
    before = (found.folder / "trials.jsonl").read_bytes()
    with pytest.raises(UsageError, match=said):
        search(found.folder, **changes)  # type: ignore[arg-type]
    assert (found.folder / "trials.jsonl").read_bytes() == before


def test_a_target_ends_it(tmp_path: Path) -> None:
    found = search(tmp_path / "run", target=0.4)
    assert found.ended == "target"
    assert found.trials < 12
    assert max(trial.metrics["accuracy"] for trial in trials(found)) >= 0.4


def test_a_budget_ends_it_and_the_clock_may_step(tmp_path: Path) -> None:
    """By a clock that goes a second at a time; the end has its share. One that never goes on is no trouble."""
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    found = search(tmp_path / "run", generations=0, budget=20.0, clock=clock)
    assert found.ended == "budget"
    assert 1 <= found.trials < 20
    assert found.winner is not None
    assert found.model.header["training"]["samples"] >= found.winner.samples
    whole = search(tmp_path / "whole", generations=4, final_seeds=1)
    assert set(map(Trial.line, trials(found))) <= set(map(Trial.line, trials(whole)))


def test_nothing_is_begun_that_will_not_end_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the second half of the time; in the first, predictions are not believed."""
    counts = {}
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(NetworkSearch, "predicted", lambda self, job, individual, seconds=seconds: seconds)
        now = [0.0]

        def clock(now: list[float] = now) -> float:
            now[0] += 1
            return now[0]

        found = search(tmp_path / f"{seconds}", generations=0, budget=100.0, clock=clock, final_seeds=1)
        assert found.ended == "budget"
        counts[seconds] = found.trials
    assert 3 < counts[1e9] < counts[0.0]


@pytest.mark.parametrize("late", [True, False])
def test_the_winner_learns_as_long_as_there_is_time(late: bool, tmp_path: Path) -> None:
    """All its epochs where there is; no less than it had learned from before where there is none."""
    now, data = [0.0], bars()

    def phase(name: str) -> None:
        now[0] = 1e6 if late and name == "training" else now[0]

    how: dict[str, Any] = {"generations": 1, "budget": 1e6, "clock": lambda: now[0], "final_epochs": 100}
    found = search(tmp_path / "run", data, watcher=Watcher(on_phase=phase), **how)
    assert found.winner is not None
    whole = len(data.train) + len(data.validation)
    assert found.model.header["training"]["samples"] == (found.winner.samples if late else 100 * whole)


@pytest.mark.parametrize("metric", ["log-loss", "f1", "recall:down", "balanced-accuracy", "precision"])
def test_the_metric_that_is_chosen_is_selected_by(metric: str, tmp_path: Path) -> None:
    for trial in trials(search(tmp_path / "run", metric=metric, generations=1)):
        assert trial.score == (-1 if metric == "log-loss" else 1) * trial.metrics[metric]


def test_pictures_in_colour(tmp_path: Path) -> None:
    data = bars(channels=3)
    found = search(tmp_path / "run", data, generations=1)
    assert found.model.predict(data.test.inputs).shape == (len(data.test),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "f1:sideways"}, "there is no class 'sideways'"),
        ({"metric": "acuracy"}, "unknown metric 'acuracy'.*accuracy"),
        ({"metric": "accuracy:down"}, "can be of one class"),
        ({"selection": "greedy"}, "selection = 'greedy' must be one of"),
        ({"max_parameters": 20}, "the limits leave no individual"),
        ({"generations": 0}, "needs generations or a budget"),
        ({"selection": "differential", "population": 3}, "population"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        search(tmp_path / "run", **changes)  # type: ignore[arg-type]


def test_an_individual_that_diverges_is_told_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def some(lesson: lessons.Lesson) -> lessons.Learned:
        if lesson.seed % 2 and "final" not in lesson.states[0]:
            return lessons.Learned(DIVERGED, "its loss became infinite")
        return lessons.learn(lesson)

    monkeypatch.setattr("genreg_np.search.images.learn", some)
    found = search(tmp_path / "run", final_seeds=1)
    statuses = {trial.status for trial in trials(found)}
    assert statuses == {"ok", "diverged"}
    failed = [trial for trial in trials(found) if not trial.is_ok]
    assert all(trial.why and trial.score == -np.inf for trial in failed)


def test_where_all_fail_the_default_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(lesson: lessons.Lesson) -> lessons.Learned:
        if "final" in lesson.states[0]:
            return lessons.learn(lesson)
        return lessons.Learned(DIVERGED, "no")

    monkeypatch.setattr("genreg_np.search.images.learn", none)
    found = search(tmp_path / "run")
    assert found.winner is None
    assert found.ended == "generations"
    assert found.network == "conv 8 3 same / relu / max 2 / conv 16 3 same / relu / max 2 / dense 3"
    assert found.model.predict(bars().test.inputs).shape


def test_a_winner_that_cannot_be_trained_leaves_the_best_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_end(lesson: lessons.Lesson) -> lessons.Learned:
        if "final" in lesson.states[0]:
            return lessons.Learned(DIVERGED, "weights became infinite")
        return lessons.learn(lesson)

    monkeypatch.setattr("genreg_np.search.images.learn", no_end)
    with pytest.raises(RunError, match="could not be trained from scratch: weights became infinite"):
        search(tmp_path / "run")
    assert load(tmp_path / "run/model.npz").header["training"]["method"] == "search"


@pytest.mark.parametrize("augmentation", ["none", "joint", "evolved"])
def test_policies_of_augmentation(augmentation: str, tmp_path: Path) -> None:
    """No gene, genes of the one genome, or a population of their own."""
    found = search(tmp_path / "run", augmentation=augmentation)
    policies = [{name: trial.genome.get(name) for name in ("shift", "cut_out", "noise")} for trial in trials(found)]
    assert all(value is None for policy in policies for value in policy.values()) == (augmentation == "none")
    assert any(trial.how.startswith("policy") for trial in trials(found)) == (augmentation == "evolved")


def test_a_tiny_set_is_cross_validated(tmp_path: Path) -> None:
    """Everything but the test split is learned from in turns; the same for any workers; the model sees all of it."""
    data = bars(45)
    changes = {"folds": 0, "repeats": 2, "generations": 1, "max_epochs": 6.0}
    found = search(tmp_path / "run", data, **changes)
    count = len(data.train) + len(data.validation)
    first = [trial for trial in trials(found) if trial.rung == 0]
    for trial in first:  # of two repeats, each a share of all images
        assert (trial.metrics["accuracy"] * 2 * count) == pytest.approx(round(trial.metrics["accuracy"] * 2 * count))
    again = search(tmp_path / "again", data, engine="processes", workers=2, **changes)
    assert trials(again) == trials(found)
    assert again.model.pack() == found.model.pack()


def test_folds_are_even_and_of_every_class() -> None:
    """Each image is held out once; another repeat has others."""
    labels = np.array([0] * 20 + [1] * 10 + [2] * 10 + [3] * 3)
    folds = folds_of(labels, 5, 0)
    assert sorted(np.bincount(folds, minlength=5)) == [8, 8, 9, 9, 9]
    for label, share in ((0, 4), (1, 2), (2, 2)):
        assert (np.bincount(folds[labels == label], minlength=5) == share).all()
    assert (folds_of(labels, 5, 0) == folds).all()
    assert (folds_of(labels, 5, 1) != folds).any()


def test_costs_can_count(tmp_path: Path) -> None:
    """Where weights are all that counts, the smallest individual wins."""
    found = search(tmp_path / "run", weights="parameters=-1", rungs=(64,))
    assert found.winner is not None
    assert found.winner.parameters == min(trial.parameters for trial in trials(found))


def test_a_sum_with_a_metric_of_one_class(tmp_path: Path) -> None:
    """It is measured in every trial; what would select the worst is refused before anything is done."""
    found = search(tmp_path / "run", weights="f1:down=1,parameters=-0.01", generations=1)
    for trial in trials(found):
        assert trial.score == pytest.approx(trial.metrics["f1:down"] - 1e-5 * trial.parameters)
    with pytest.raises(UsageError, match="would select the worst"):
        search(tmp_path / "other", weights="log-loss=1")
    assert not (tmp_path / "other").exists()


def test_a_search_of_before_signs_were_checked_goes_on(tmp_path: Path) -> None:
    search(tmp_path / "run", weights="parameters=-1", generations=1)
    config = (tmp_path / "run/config.toml").read_text("utf-8")
    (tmp_path / "run/config.toml").write_text(config.replace("parameters=-1", "parameters=1"), "utf-8")
    assert search(tmp_path / "run", weights="parameters=1", generations=2).ended == "generations"


def test_trials_that_can_be_none_of_this_search_are_passed_over(found: Found, tmp_path: Path) -> None:
    """A folder may come from anybody: genomes that lack genes, or have values that no gene can have."""
    search(tmp_path / "run", generations=1)
    line: dict[str, Any] = json.loads((tmp_path / "run/trials.jsonl").read_text("utf-8").splitlines()[0])
    with (tmp_path / "run/trials.jsonl").open("a", encoding="utf-8") as file:
        for genome in (
            {},
            line["genome"] | {"blocks": 7},
            line["genome"] | {"rate": "fast"},
            line["genome"] | {"x": 1},
        ):
            file.write(json.dumps(line | {"number": 0, "genome": genome}) + "\n")
    assert trials(search(tmp_path / "run")) == trials(found)


def test_a_genome_that_is_given_is_the_very_first_individual(tmp_path: Path) -> None:
    found = search(tmp_path / "one", genome="blocks = 1\nhidden = 32\noptimiser = 'sgd'")
    first = next(trial for trial in trials_in(tmp_path / "one/trials.jsonl") if trial.child == 0)
    assert first.how == "given"
    assert (first.genome["blocks"], first.genome["hidden"], first.genome["optimiser"]) == (1, 32, "sgd")
    assert first.genome["filters_1"] == 8  # as the default has it
    winner = (tmp_path / "one/winner.toml").read_text("utf-8")
    again = search(tmp_path / "two", genome=winner, population=2, generations=1, begin="random")
    trial = next(trial for trial in trials_in(tmp_path / "two/trials.jsonl") if trial.child == 0)
    assert trial.expressed == {name: found.genome[name] for name in trial.expressed}
    assert again.trials >= 2
    with pytest.raises(UsageError, match="not feasible: too many"):
        search(tmp_path / "three", genome="blocks = 1\nhidden = 128\nfilters_1 = 64")
