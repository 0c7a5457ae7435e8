"""Who wins: by which images, among whom, and whatever comes in between."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genreg_np.data.dataset import Dataset
from genreg_np.engines import serial
from genreg_np.engines.base import CANCELLED, OK, Outcome
from genreg_np.errors import RunError, UsageError
from genreg_np.model import load
from genreg_np.report.sections.evaluations import best_of_random
from genreg_np.search.config import SearchConfig
from genreg_np.search.course import Course
from genreg_np.search.folder import SearchFolder, trials_in
from genreg_np.search.gan import health
from genreg_np.search.kinds.classifiers import SPACE, SPACES
from genreg_np.search.ladder import Ladder
from genreg_np.search.lessons import network
from genreg_np.search.lessons.base import Learned, Lesson, Unsaved, learn, saving
from genreg_np.search.networks import NetworkSearch
from genreg_np.search.searching import Search, Watcher, patience
from genreg_np.search.selections import create as create_selection
from genreg_np.search.standing import standing_of
from genreg_np.search.trials import DIVERGED, Trial, leaders_of
from tests.helpers import one_line
from tests.search.helpers import bars, search

WELL = {  # measures of a pair that breaks no rule
    "fcd": 2.0, "coverage": 0.9, "tvd": 0.0, "modes": 10.0, "critic": 0.6, "duplicates": 0.0, "copying": 1.0,
    "copies": 0.0, "confident": 0.9,
}  # fmt: skip


def trial(child: int, rung: int, score: float, samples: int = 0, **metrics: float) -> Trial:
    """Return an individual at a rung."""
    return Trial(child, child, rung, {}, {}, samples=samples, score=score, metrics=metrics)


def test_the_split_that_chooses_is_looked_at_by_all_finalists(tmp_path: Path) -> None:
    """Also by those whom no rung above the lowest has seen."""
    found = search(tmp_path / "run", generations=1, population=3, rungs=(64, 128, 256))
    assert found.winner is not None
    assert sum(one.rung > 0 for one in trials_in(tmp_path / "run/trials.jsonl")) <= 1
    assert found.winner.select["accuracy"] == found.model.training["select"]["accuracy"]


def test_a_pair_does_not_stand_above_others_because_little_was_asked_of_it() -> None:
    config = SearchConfig.from_dict({"kind": "gan", "metric": "fitness"})
    for missed in ({"coverage": 0.06}, {"modes": 9.0}):
        few, much, good = (
            health.fitness([{**WELL, **changes, "fcd": fcd}] * 3, 10, samples)
            for changes, fcd, samples in ((missed, 2.0, 8_000), (missed, 1.0, 72_000), ({}, 9.0, 24_000))
        )
        assert few["violations"] == 0
        assert few["excused"] == much["violations"] == 1
        pairs = [trial(place, 0, -told["fitness"], **told) for place, told in enumerate((few, much, good))]
        assert [one.child for one in leaders_of(pairs, standing_of(config))] == [2, 1, 0]


@pytest.mark.parametrize("goal", [{"metric": "variety"}, {"metric": "fitness", "weights": "variety=1"}])
def test_pairs_that_break_a_rule_stand_below_all_others_whatever_is_selected_by(goal: dict[str, str]) -> None:
    config = SearchConfig.from_dict({"kind": "gan"} | goal)
    varied = trial(0, 0, 9.9, violations=1.0, excused=0.0)
    young = trial(1, 0, 9.8, violations=0.0, excused=1.0)
    sound = trial(2, 0, 5.0, violations=0.0, excused=0.0)
    failed = Trial(3, 3, 0, {}, {}, status="removed")
    assert [one.child for one in leaders_of([varied, young, sound], standing_of(config))] == [2, 0, 1]
    order = sorted([varied, young, sound, failed], key=lambda one: one.rank, reverse=True)
    assert [one.child for one in order] == [1, 2, 0, 3]  # at one rung, by its own rules


@pytest.mark.parametrize("status", ["removed", "diverged"])
def test_who_is_lost_at_a_higher_rung_wins_only_if_all_are(status: str) -> None:
    """Whatever it scored below; time that ran out is no fault of its own."""
    lost = [trial(0, 0, 0.9), dataclasses.replace(trial(0, 1, -np.inf), status=status)]
    sound = [trial(1, 0, 0.5)]
    assert [one.child for one in leaders_of([*lost, *sound])] == [1]
    assert [one.child for one in leaders_of([*sound, *lost])] == [1]
    assert leaders_of(lost) == lost[:1]
    late = [lost[0], dataclasses.replace(lost[1], status="timeout")]
    assert [one.child for one in leaders_of([*late, *sound])] == [0, 1]


def test_the_best_so_far_is_never_one_that_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it win; its model is replaced by that of the next best, also where the record is gone through again."""
    plain = search(tmp_path / "plain", final_seeds=1)
    assert plain.winner is not None
    best = leaders_of(plain.tried)[0]

    def losing(lesson: Lesson) -> Learned:
        learned = learn(lesson)
        is_best = SPACES["simple"].key(best.genome) in lesson.states[0] and "final" not in lesson.states[0]
        return Learned(DIVERGED, "lost") if is_best and len(lesson.rungs) > 1 else learned

    monkeypatch.setattr("genreg_np.search.images.learn", losing)
    saved: list[int] = []

    def on_trial(trial: Trial, search: Search) -> None:
        assert search.best is not None
        saved.append(search.best.child)
        if len(saved) > 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "run", final_seeds=1, watcher=Watcher(on_trial=on_trial))
    assert best.child in saved
    assert saved[-1] != best.child
    model = load(tmp_path / "run/model.npz").training["trial"]
    record = {one.number: one for one in trials_in(tmp_path / "run/trials.jsonl")}
    assert record[model].child == saved[-1]
    assert {one.status for one in record.values() if one.child == best.child} == {"ok", "diverged"}
    found = search(tmp_path / "run", final_seeds=1)
    assert found.winner is not None
    assert found.winner.child != best.child


def test_pipelines_of_more_folds_stand_above_those_of_one() -> None:
    config = SearchConfig.from_dict({"kind": "table", "metric": "accuracy"})
    assert [one.child for one in leaders_of([trial(0, 0, 0.99), trial(1, 1, 0.9)], standing_of(config))] == [1, 0]


class Reversed(serial.SerialEngine):
    """Does the last of those that wait first."""

    def completed(self) -> Iterator[Outcome]:
        """Run what waits."""
        while self._waiting or self._cancelled:
            if self._cancelled:
                yield Outcome(self._cancelled.pop(0), CANCELLED)
            else:
                name, argument = self._waiting.popitem()
                yield Outcome(name, OK, self._function(argument))


def test_a_target_is_reached_by_the_same_whoever_is_done_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [search(tmp_path / "one", target=0.4, generations=4)]
    monkeypatch.setattr(serial, "SerialEngine", Reversed)
    monkeypatch.setattr("genreg_np.search.images.create_engine", lambda name, *how: Reversed(*how[:3]))
    monkeypatch.setattr("genreg_np.search.searching.AHEAD", 4)
    found.append(search(tmp_path / "other", target=0.4, generations=4))
    winners = [one.winner for one in found]
    assert all(one.ended == "target" for one in found)
    assert winners[0] is not None
    assert winners[1] is not None
    assert winners[0].number == winners[1].number
    records = [{one.number for one in trials_in(own.folder / "trials.jsonl")} for own in found]
    assert records[0] == records[1] == set(range(found[0].trials))
    assert found[0].trials == found[1].trials
    assert found[0].model.pack() == found[1].model.pack()


def test_a_target_ends_a_search_though_another_costs_less(tmp_path: Path) -> None:
    """Whoever reaches it need not be the best by the weighted sum."""
    found = search(tmp_path / "run", target=0.4, weights="parameters=-1", generations=4)
    assert found.ended == "target"
    assert found.trials < 24


def test_what_is_recorded_is_gone_through_however_little_time_is_left(tmp_path: Path) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    first = search(tmp_path / "run", generations=0, budget=60.0, clock=clock)
    assert first.winner is not None
    again = search(tmp_path / "run", generations=0, budget=1.0, clock=clock)
    assert again.winner is not None
    assert again.winner.child == first.winner.child
    assert again.trials >= first.trials


def test_a_state_that_cannot_be_written_is_no_individual_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search ends, nothing of it is recorded, and it goes on when there is room."""
    expected, count = search(tmp_path / "expected"), [0]
    write = network.write_atomic

    def full(path: Path, data: bytes) -> None:
        count[0] += 1
        if count[0] > 4:
            raise OSError(28, "No space left on device", str(path))
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(network, "write_atomic", full)
        with pytest.raises(RunError) as raised:
            search(tmp_path / "run")
    assert "No space left on device" in one_line(raised.value)
    assert len(list(trials_in(tmp_path / "run/trials.jsonl"))) == 4
    assert search(tmp_path / "run").model.pack() == expected.model.pack()


@pytest.mark.parametrize("kind", ["classifier", "autoencoder", "gan"])
def test_rows_of_numbers_are_no_images(tmp_path: Path, kind: str) -> None:
    rows = Dataset.from_arrays(np.random.default_rng(0).normal(size=(90, 4)), np.arange(90) % 3)
    metric: dict[str, Any] = {"gan": {"metric": "fitness"}, "autoencoder": {"metric": "psnr"}}.get(kind, {})
    with pytest.raises(UsageError, match="not images of integer pixels"):
        search(tmp_path / "run", rows, kind=kind, **metric)


def test_images_with_numbers_to_predict_are_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (90, 8, 8)).astype(np.uint8)
    data = Dataset.from_arrays(images, np.linspace(0, 1, 90), name="ages")
    with pytest.raises(UsageError) as raised:
        search(tmp_path / "run", data)
    assert "ages: its labels are numbers, and a search for images needs classes" in one_line(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("number", "said"), [(28, "free some disk space"), (2, "make the folder writable for all workers")]
)
def test_what_to_do_about_a_state_that_cannot_be_written_is_told(number: int, said: str) -> None:
    """Which is not the same for a full disk and for a folder that is not there."""
    with pytest.raises(Unsaved) as raised, saving():
        raise OSError(number, "why", "states/a.npz")
    assert raised.value.learned.why == f"states/a.npz cannot be written (why): {said}, and continue with --resume"


def test_workers_find_states_wherever_they_were_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is shown as it was named."""
    monkeypatch.chdir(tmp_path)
    with SearchFolder.create(Path("run")) as own:
        assert own.states == (tmp_path / "run/states").resolve()
        assert own.path == Path("run")


def test_more_workers_than_a_selection_can_use_are_told() -> None:
    course = Course(SPACE, create_selection("steady", 24), Ladder(), 0, lambda genome: "")
    said: list[str] = []
    for workers, generations in ((64, 0), (13, 0), (64, 1)):
        config = SearchConfig(generations=generations)
        NetworkSearch._remark_idle(
            SimpleNamespace(course=course, config=config, workers=workers, tell=said.append, _over="")  # type: ignore[arg-type]
        )
    assert said == [
        "--selection steady with a --population of 24 keeps about 13 of 64 workers busy: give fewer --workers, or "
        "--selection crossover with a --population of 64 or more"
    ]


def test_what_is_stuck_takes_little_of_a_short_budget() -> None:
    """A tenth of it, ten seconds at least, or ten times what was predicted; a minute and twenty times that at most."""
    assert patience(0.5) == 70
    assert [patience(0.5, budget) for budget in (60, 300, 3600)] == [10, 30, 70]
    assert patience(20.0, 60) == 200


def test_nothing_of_a_search_that_never_began_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its states are not those of another search in the same folder."""
    with monkeypatch.context() as patch:
        patch.setattr("genreg_np.search.folder.SearchFolder.record", lambda self, trial: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_best_of_many_random_ones() -> None:
    """By all ways to draw them, which are too many to be written as numbers of 64 bits."""
    scores = np.random.default_rng(0).random(1500)
    found = best_of_random(scores.tolist())
    assert found[0] == pytest.approx(scores.mean())
    assert found[-1] == scores.max()
    assert (np.diff(found) > 0).all()
    assert best_of_random([3.0, 1.0, 2.0]) == pytest.approx([2.0, (3 + 3 + 2) / 3, 3.0])


def test_a_search_leaves_no_data_behind(tmp_path: Path) -> None:
    """Nor those of one that was killed."""
    (tmp_path / "run/shared-0").mkdir(parents=True)
    (tmp_path / "run/shared-0/train.npy").write_bytes(b"left over")
    (tmp_path / "run/shared-0/.of-a-search").touch()
    search(tmp_path / "run", bars(), generations=1)
    assert list((tmp_path / "run").glob("shared*")) == []


def test_a_search_leaves_the_files_of_its_user_alone(tmp_path: Path) -> None:
    """In folders that are called like its own, and those that it would replace."""
    kept = [tmp_path / "run" / name for name in ("states/ohio.csv", "shared-pictures/cat.npy", "notes.txt")]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of the user")
    with pytest.raises(UsageError):
        search(tmp_path / "run", metric="f1:sideways")
    search(tmp_path / "run", generations=1)
    search(tmp_path / "run")
    assert [path.read_bytes() for path in kept] == [b"of the user"] * 3
    (tmp_path / "other").mkdir()
    (tmp_path / "other/winner.toml").write_text("of the user")
    with pytest.raises(RunError) as raised:
        search(tmp_path / "other")
    assert "has a winner.toml, which a search would replace: move it away, or choose another --out" in one_line(
        raised.value
    )
    assert [path.name for path in (tmp_path / "other").iterdir() if path.name != ".lock"] == ["winner.toml"]
