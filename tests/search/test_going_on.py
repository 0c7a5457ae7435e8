"""A search that goes on: what is kept, what is said, and what is made good."""

from __future__ import annotations

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


def test_one_class_is_nothing_to_search_by(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        search(tmp_path / "run", bars(classes=1))
    assert "1 class; at least two are needed" in one_line(raised.value)
    assert not (tmp_path / "run").exists()
