"""A search that goes on: what is kept, what is said, and what is made good."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from genreg_np import backends, load
from genreg_np.errors import BackendError, DataError, UsageError
from genreg_np.search.folder import SearchFolder, trials_in
from genreg_np.search.images import Found, _backend_of
from genreg_np.search.networks import NetworkSearch
from genreg_np.search.searching import Search, Watcher
from genreg_np.search.trials import Trial
from tests.helpers import one_line
from tests.search.helpers import bars, search


class Stopped(Exception):
    """The process ends here."""


def after(count: int) -> Watcher:
    """Return a watcher that ends a search after so many trials."""
    seen: list[Trial] = []

    def on_trial(trial: Trial, search: Search) -> None:
        seen.append(trial)
        if len(seen) == count:
            raise Stopped

    return Watcher(on_trial)


def remarks(folder: Path, **changes: object) -> tuple[Found, list[str]]:
    """Return a search, and what it remarked."""
    said: list[str] = []
    return search(folder, watcher=Watcher(on_remark=said.append), **changes), said


def scores(folder: Path) -> dict[int, float]:
    """Return the scores of a record."""
    return {trial.number: trial.score for trial in trials_in(folder / "trials.jsonl")}


def test_a_line_that_was_cut_short_is_left_out_silently(tmp_path: Path) -> None:
    search(tmp_path, generations=1)
    before = (tmp_path / "trials.jsonl").read_bytes()
    (tmp_path / "trials.jsonl").write_bytes(before + b'{"number": 8, "chi')
    _, said = remarks(tmp_path, generations=2)
    assert said == []
    assert (tmp_path / "trials.jsonl").read_bytes().startswith(before)
    assert not (tmp_path / "trials.jsonl.old").exists()


def test_lines_that_are_not_understood_are_counted_and_kept(tmp_path: Path) -> None:
    """A newer version may have written them: the file is kept as it was, under a name that nothing has."""
    first = search(tmp_path, generations=1)
    record = tmp_path / "trials.jsonl"
    lines = record.read_text("utf-8").splitlines(keepends=True)
    newer = [json.dumps(json.loads(line) | {"colour": 1}) + "\n" for line in lines]
    for name, content in ((".old", lines[:1] + newer[1:3] + lines[3:]), (".old-2", newer)):
        record.write_text("".join(content), "utf-8")
        found, said = remarks(tmp_path, generations=2)
        (remark,) = (line for line in said if "not understood" in line)
        count = 2 if name == ".old" else len(lines)
        assert f"{count} lines not understood and left out; the file is kept as trials.jsonl{name}" in remark
        assert (tmp_path / f"trials.jsonl{name}").read_text("utf-8") == "".join(content)
        (tmp_path / "search.json").unlink()
    assert scores(tmp_path).items() >= {trial.number: trial.score for trial in found_trials(first)}.items()
    assert found.ended == "generations"


def found_trials(found: Found) -> list[Trial]:
    """Return the trials of a search."""
    return list(trials_in(found.folder / "trials.jsonl"))


def test_a_finished_winner_stays_until_there_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best so far of a search that goes on is saved beside it; the new end removes it."""
    search(tmp_path, generations=1)
    names = ("model.npz", "search.json", "winner.toml")
    before = {name: (tmp_path / name).read_bytes() for name in names}
    monkeypatch.setattr(NetworkSearch, "is_best", lambda self, trial: trial.rung == 0)
    with pytest.raises(Stopped):
        search(tmp_path, watcher=after(3))
    assert {name: (tmp_path / name).read_bytes() for name in names} == before
    saved = load(tmp_path / "best-model.npz").training
    assert saved["trial"] in scores(tmp_path)
    assert saved["trial"] > 6
    monkeypatch.undo()
    found = search(tmp_path)
    assert load(tmp_path / "model.npz").header == found.model.header
    assert not (tmp_path / "best-model.npz").exists()
    assert json.loads((tmp_path / "search.json").read_text("utf-8"))["generations"] == 2


def test_a_trial_that_was_recorded_but_not_saved_is_saved_when_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file is that of another trial."""
    with monkeypatch.context() as patch:
        patch.setattr(NetworkSearch, "save", lambda self, trial, steps: None)
        with pytest.raises(Stopped):
            search(tmp_path, watcher=after(3))
    assert not (tmp_path / "model.npz").exists()
    for count in (0, 1):
        best = max(trials_in(tmp_path / "trials.jsonl"), key=lambda trial: trial.rank)
        with monkeypatch.context() as patch:
            patch.setattr(SearchFolder, "record", lambda self, trial: (_ for _ in ()).throw(Stopped))
            with pytest.raises(Stopped):
                search(tmp_path)
        assert load(tmp_path / "model.npz").training["trial"] == best.number
        if not count:
            other = next(trial for trial in trials_in(tmp_path / "trials.jsonl") if trial.number != best.number)
            model = load(tmp_path / "model.npz")
            model.header["training"]["trial"] = other.number
            (tmp_path / "model.npz").write_bytes(model.pack())


def test_the_backend_is_kept_unless_another_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results differ in the last digits: what is mixed is told."""
    search(tmp_path, generations=1)
    said: list[str] = []
    with SearchFolder.open(tmp_path) as own:
        assert _backend_of(own, "auto", said.append) == ("numpy", True)
        assert said == []
        assert _backend_of(own, "numba", said.append) == ("numba", False)
        assert said.pop() == (
            "backend numpy was used so far; the search goes on with numba, whose results may differ slightly"
        )
        own.write_config(own.read_config()[0], own.read_config()[1] | {"backend": "cupy:9"})
        monkeypatch.setattr(backends, "create", partial(_without_gpu, backends.create))
        name, is_as_before = _backend_of(own, "auto", said.append)
    assert (name in ("numba", "numpy"), is_as_before) == (True, False)
    assert "backend cupy:9 is not available here; the search goes on with" in said[0]


def _without_gpu(create: Callable[..., Any], name: str, threads: int | None = None) -> Any:
    if name.startswith("cupy"):
        raise BackendError("no GPU")
    return create(name, threads)


def test_how_long_trials_take_is_known_when_a_search_goes_on(tmp_path: Path) -> None:
    known: list[int] = []

    def on_trial(trial: Trial, search: Any) -> None:
        known.append(len(search.cost._seconds))

    done = len(found_trials(search(tmp_path, generations=1)))
    search(tmp_path, watcher=Watcher(on_trial))
    assert known[0] == done + 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head": "prototypes"}, "head = classes, not prototypes"),
        ({"augmentation": "joint"}, "augmentation = simple, not"),
    ],
)
def test_other_genes_are_refused_by_the_setting_that_they_come_from(
    changes: dict[str, str], said: str, tmp_path: Path
) -> None:
    search(tmp_path, generations=1)
    with pytest.raises(UsageError) as raised:
        search(tmp_path, **changes)
    assert said in one_line(raised.value)


def test_a_promotion_for_which_there_is_no_time_leaves_time_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search ends when there is none for a new individual; the trials are those of a longer one."""
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr(NetworkSearch, "predicted", lambda self, job, individual: 1e9 * bool(job.rung))
    found = search(tmp_path / "run", generations=0, budget=200.0, clock=clock, final_seeds=1)
    half = [trial for trial in found_trials(found) if trial.rung]
    last = max(trial.child for trial in found_trials(found))
    assert found.ended == "budget"
    assert last > max(trial.child for trial in half) + 6
    monkeypatch.undo()
    whole = search(tmp_path / "whole", generations=last // 6 + 1, final_seeds=1)
    numbered = {trial.number: (trial.child, trial.rung, trial.metrics) for trial in found_trials(whole)}
    for trial in found_trials(found):
        assert numbered[trial.number] == (trial.child, trial.rung, trial.metrics)


def test_a_clock_that_steps_back_ends_no_search_too_late_or_twice(tmp_path: Path) -> None:
    """It gives the search the time again by which it has stepped back, and no more."""
    now, calls = [0.0], [0]

    def clock() -> float:
        calls[0] += 1
        now[0] += -15 if calls[0] == 20 else 1
        return now[0]

    found = search(tmp_path, generations=0, budget=40.0, clock=clock, final_seeds=1)
    assert found.ended == "budget"
    assert found.winner is not None
    assert now[0] <= 60


def test_trials_after_the_one_that_reached_a_target_are_not_recorded(tmp_path: Path) -> None:
    """However many were under way: the record is the same for one worker and for two."""
    one, two = (
        search(tmp_path / f"{workers}", target=0.5, generations=4, engine="processes", workers=workers)
        for workers in (1, 2)
    )
    assert one.ended == two.ended == "target"
    assert one.trials == two.trials
    assert scores(one.folder) == scores(two.folder)
    assert len(scores(one.folder)) == one.trials
    assert one.model.pack() == two.model.pack()


def test_a_target_that_was_reached_before_takes_nothing_from_the_record(tmp_path: Path) -> None:
    search(tmp_path)
    before = scores(tmp_path)
    assert search(tmp_path, target=0.34).ended == "target"
    assert scores(tmp_path) == before


def test_a_target_that_the_record_had_reached_takes_no_candidate_away(tmp_path: Path) -> None:
    """Nothing new begins, and the winner and its model are what they were; also after a stop in the last training."""
    first, begun = search(tmp_path), list[Trial]()
    for _ in range(2):
        again = search(tmp_path, target=0.34, watcher=Watcher(lambda trial, search: begun.append(trial)))
        assert not begun
        assert (again.ended, again.trials) == ("target", first.trials)
        assert again.winner == first.winner
        assert load(tmp_path / "model.npz").pack() == first.model.pack()


def test_a_model_is_not_replaced_by_one_that_learned_from_less(tmp_path: Path) -> None:
    """Where a shorter budget finds the same winner again."""
    now, said = [0.0], list[str]()

    def phase(name: str) -> None:
        now[0] = 1e6 if name == "training" else now[0]

    how: dict[str, Any] = {"generations": 1, "budget": 1e6, "clock": lambda: now[0], "final_epochs": 100}
    first = search(tmp_path, **how)
    watcher = Watcher(on_phase=phase, on_remark=said.append)
    again = search(tmp_path, target=0.01, watcher=watcher, started=0.0, **how)
    assert again.winner == first.winner
    assert (again.finals, again.model.pack()) == (first.finals, first.model.pack())
    assert load(tmp_path / "model.npz").pack() == first.model.pack()
    (remark,) = (line for line in said if "that model is kept" in line)
    assert f"learned from {first.model.training['samples']:,} samples then" in remark
    assert not any("left of the budget" in line for line in said)
    (tmp_path / "search.json").unlink()  # then it is not known to be of an end
    now[0] = 0.0
    assert search(tmp_path, target=0.01, watcher=watcher, started=0.0, **how).model.training["samples"] < 1000


def test_what_was_under_way_when_a_target_was_reached_is_no_candidate_later(tmp_path: Path) -> None:
    """As it is none without a stop."""
    whole = {trial.number: trial for trial in found_trials(search(tmp_path / "whole", generations=4))}
    first = search(tmp_path / "run", target=0.5, generations=4)
    later = dataclasses.replace(whole[first.trials], metrics=whole[first.trials].metrics | {"accuracy": 1.0}, score=1.0)
    with (tmp_path / "run/trials.jsonl").open("a", encoding="utf-8") as file:  # a process was killed before it left it
        file.write(later.line())
    again = search(tmp_path / "run", target=0.5, generations=4)
    assert (again.trials, again.winner) == (first.trials, first.winner)
    assert again.model.pack() == first.model.pack()


def test_fewer_generations_than_were_bred_are_refused(tmp_path: Path) -> None:
    search(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(UsageError) as raised:
        search(tmp_path, generations=1)
    assert "holds 12 individuals, and --generations 1 of 6 are 6: give at least --generations 2" in one_line(
        raised.value
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    search(tmp_path / "stopped", generations=1)
    with pytest.raises(Stopped):
        search(tmp_path / "stopped", generations=9, watcher=after(1))
    assert search(tmp_path / "stopped", generations=2).ended == "generations"


def test_a_promotion_that_was_left_out_is_held_to_the_new_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of the record is still to be gone through; what it has above a gap counts."""
    search(tmp_path)
    record = tmp_path / "trials.jsonl"
    lines = record.read_text("utf-8").splitlines(keepends=True)
    record.write_text("".join(line for line in lines if not json.loads(line)["rung"]), "utf-8")
    before, now = scores(tmp_path), [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr(NetworkSearch, "predicted", lambda self, job, individual: 1e9 * bool(job.rung))
    for budget in (1.0, 300.0):
        found = search(tmp_path, generations=0, budget=budget, clock=clock, started=now[0])
        assert found.ended == "budget"
        assert not any(trial.rung for trial in found_trials(found))
        assert found.trials >= len(before)
        assert scores(tmp_path).items() >= before.items()


def test_a_winner_that_needs_more_time_than_is_left_is_told(tmp_path: Path) -> None:
    now, said = [0.0], list[str]()

    def phase(name: str) -> None:
        now[0] = 1e6 if name == "training" else now[0]

    watcher = Watcher(on_phase=phase, on_remark=said.append)
    found = search(tmp_path, generations=1, budget=1e6, clock=lambda: now[0], watcher=watcher)
    assert found.winner is not None
    (remark,) = (line for line in said if "left of the budget" in line)
    assert f"individual {found.winner.child} is trained on {found.winner.samples} samples at least" in remark


def test_a_state_that_was_stored_says_nothing_of_how_long_trials_take(tmp_path: Path) -> None:
    """A process may stop between a trial's state and its line; what earlier versions recorded then does not count."""
    with pytest.raises(Stopped):
        search(tmp_path, watcher=after(4))
    record = tmp_path / "trials.jsonl"
    lines = record.read_text("utf-8").splitlines(keepends=True)
    old = [json.dumps(json.loads(line) | {"pace": 0.0, "seconds": 1e-9}) + "\n" for line in lines[:2]]
    record.write_text("".join(old + lines[2:3]), "utf-8")
    known: dict[int, tuple[float, float, int]] = {}

    def on_trial(trial: Trial, search: Any) -> None:
        assert search._pace(trial.genome, trial) == pytest.approx(
            trial.pace or search.cost.seconds(search.kind.individual_of(trial.genome).work(1))
        )
        known[trial.number] = trial.seconds, trial.pace, len(search.cost._seconds)

    search(tmp_path, watcher=Watcher(on_trial))
    number = json.loads(lines[3])["number"]
    assert known[number][:2] == (0.0, 0.0)
    assert max(count for *_, count in known.values()) == 1 + len(known) - 1, "two of the record and one new are unknown"
    assert all(seconds > 0 and pace > 0 for one, (seconds, pace, _) in known.items() if one != number)


def test_a_budget_counts_from_where_its_command_began(tmp_path: Path) -> None:
    found = search(tmp_path, generations=0, budget=100.0, clock=lambda: 0.0, started=-200.0, final_seeds=1)
    assert (found.ended, found.seconds) == ("budget", 200.0)
    assert found.trials <= 2


def test_one_class_is_nothing_to_search_by(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        search(tmp_path / "run", bars(classes=1))
    assert "1 class; at least two are needed" in one_line(raised.value)
    assert not (tmp_path / "run").exists()
