"""What happens to individuals in processes of their own: it is told, and nobody else is touched by it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from genreg_np import load
from genreg_np.errors import RunError
from genreg_np.runs import held_folder
from genreg_np.search.folder import trials_in
from genreg_np.search.images import Found
from genreg_np.search.searching import Watcher
from genreg_np.search.trials import Trial
from tests.helpers import one_line
from tests.search import planted
from tests.search.helpers import search

HOW = {"engine": "processes", "workers": 2}


def faulty(what: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> Found:
    """Return a search to which something happens."""
    monkeypatch.setattr("genreg_np.search.images.learn", getattr(planted, what))
    return search(folder, **HOW, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A search in which nothing happens to anybody."""
    return search(tmp_path_factory.mktemp("untouched") / "run", selection="random")


@pytest.mark.parametrize(
    ("what", "status", "why"),
    [
        ("hangs", "timeout", "took longer than 6 s"),
        pytest.param(
            "eats", "memory", "MemoryError",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has"),
        ),
        ("dies", "crash", "its process died"),
        ("raises", "failed", "ZeroDivisionError: something of nothing"),
    ],
)  # fmt: skip
def test_what_happens_to_some_is_told_and_no_others_are_touched(
    what: str, status: str, why: str, untouched: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their results are those of a search in which nothing happens to anybody."""
    expected = {trial.child: trial for trial in trials_of(untouched) if not trial.rung}
    limit = {"max_seconds": 6.0} if what == "hangs" else {}
    found = faulty(what, tmp_path / "run", monkeypatch, selection="random", **limit)
    first = [trial for trial in trials_of(found) if not trial.rung]
    failed = [trial for trial in first if not trial.is_ok]
    assert failed
    assert {trial.status for trial in failed} == {status}
    assert all(why in trial.why for trial in failed)
    for trial in first:
        if trial.is_ok:
            assert trial.metrics == expected[trial.child].metrics
    assert found.model.class_names


def test_a_process_that_is_killed_from_outside_is_no_individual_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried once more, and nothing is lost."""
    expected, found = search(tmp_path / "expected"), faulty("killed_once", tmp_path / "run", monkeypatch)
    assert list(tmp_path.glob("run/states/*.tried"))
    assert [trial.metrics for trial in trials_of(found)] == [trial.metrics for trial in trials_of(expected)]
    assert found.model.pack() == expected.model.pack()


def test_where_every_process_dies_it_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match=r"could not be trained from scratch: its process died"):
        faulty("always_dies", tmp_path / "run", monkeypatch, generations=100)
    assert len(list(trials_in(tmp_path / "run/trials.jsonl"))) <= 6


def test_a_full_disc_is_said_and_what_was_saved_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trial that was recorded is there when the search goes on."""
    expected = search(tmp_path / "expected")
    written = [0]

    def full(self: object, name: str, line: str) -> None:
        written[0] += 1
        if written[0] > 5:
            raise RunError(f"{tmp_path}: cannot be written (No space left on device)")
        return append(self, name, line)  # type: ignore[arg-type]

    from genreg_np.search.folder import SearchFolder

    append = SearchFolder.append
    with monkeypatch.context() as patch:
        patch.setattr(SearchFolder, "append", full)
        with pytest.raises(RunError, match="No space left"):
            search(tmp_path / "run")
    assert len(list(trials_in(tmp_path / "run/trials.jsonl"))) == 5
    assert search(tmp_path / "run").model.pack() == expected.model.pack()


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("hangs_at_the_end", "took longer than 3 s"),
        pytest.param(
            "eats_at_the_end", "MemoryError",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has"),
        ),
    ],
)  # fmt: skip
def test_a_winner_whose_training_fails_is_told_and_the_next_best_is_trained(
    what: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genreg_np.search.searching.LEAST_PATIENCE", 3.0)
    monkeypatch.setattr("genreg_np.search.searching.PATIENCE", 0.0)
    said: list[str] = []
    found = faulty(what, tmp_path / "run", monkeypatch, final_seeds=1, watcher=Watcher(on_remark=said.append))
    (remark,) = (line for line in said if "the next best of 3 is trained instead" in line)
    assert why in remark
    assert found.winner is not None
    assert f"individual {found.winner.child}:" not in remark
    assert found.finals


def test_where_no_finalist_can_be_trained_the_best_so_far_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a budget no training may take much longer than what is left of it."""
    monkeypatch.setattr("genreg_np.search.searching.LEAST_LATE", 0.5)
    now = [0.0]

    def on_phase(phase: str) -> None:
        now[0] = 2e6 if phase == "training" else now[0]

    with pytest.raises(RunError) as raised:
        faulty(
            "never_ends", tmp_path / "run", monkeypatch, generations=1, final_seeds=1, budget=1e6,
            clock=lambda: now[0], watcher=Watcher(on_phase=on_phase),
        )  # fmt: skip
    assert f"the best so far is {tmp_path / 'run/model.npz'}" in one_line(raised.value)
    assert load(tmp_path / "run/model.npz").class_names


def test_a_finalist_who_cannot_be_judged_is_told_and_does_not_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not hold up the end for longer than an individual may hold up a search."""
    monkeypatch.setattr("genreg_np.search.searching.LEAST_PATIENCE", 3.0)
    monkeypatch.setattr("genreg_np.search.searching.PATIENCE", 0.0)
    said: list[str] = []
    found = faulty(
        "hangs_when_chosen", tmp_path / "run", monkeypatch, population=3, generations=1, final_seeds=1,
        watcher=Watcher(on_remark=said.append),
    )  # fmt: skip
    told = [
        line for line in said if "cannot be judged on the select split, and cannot win: took longer than 3 s" in line
    ]
    assert len(told) == 2
    assert found.winner is not None
    assert found.winner.rung == 1


def test_what_a_budget_cuts_off_is_not_an_individual_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not recorded, and is tried again when the search goes on."""
    monkeypatch.setattr("genreg_np.search.searching.LEAST_LATE", 1.0)
    monkeypatch.setattr("genreg_np.search.searching.BUDGET_PATIENCE", (10.0, 1.0, 1000.0))
    monkeypatch.setattr("genreg_np.search.searching.LEAST_PATIENCE", 1000.0)
    for budget in (8.0, 40.0, 200.0):  # until one of them hangs: a slow machine does not come so far in the first
        mark = tmp_path / f"{budget}.txt"
        monkeypatch.setenv(planted.MARK, str(mark))
        found = faulty("hangs", tmp_path / f"run {budget}", monkeypatch, generations=0, budget=budget, final_seeds=1)
        assert found.ended == "budget"
        assert {trial.status for trial in trials_of(found)} == {"ok"}
        if mark.exists():
            return
    raise AssertionError("nobody hung")


def test_what_is_stuck_is_recorded_under_a_budget_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it has taken all of the time, so that the others go on."""
    monkeypatch.setattr("genreg_np.search.searching.BUDGET_PATIENCE", (0.0, 0.0, 3.0))
    found = faulty("hangs", tmp_path / "run", monkeypatch, budget=1e6, final_seeds=1)
    assert found.ended == "generations"
    assert {trial.why for trial in trials_of(found) if not trial.is_ok and not trial.rung} == {"took longer than 3 s"}


def test_a_disc_that_is_full_when_the_model_is_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the search nor at its end; it goes on when there is room."""
    expected, write = search(tmp_path / "expected"), held_folder.write_atomic
    for most in (0, 2):
        written = [0]

        def full(path: Path, data: bytes, written: list[int] = written, most: int = most) -> None:
            written[0] += path.name == "model.npz"
            if path.name == "model.npz" and written[0] > most:
                raise OSError(28, "No space left on device", str(path))
            write(path, data)

        with monkeypatch.context() as patch:
            patch.setattr(held_folder, "write_atomic", full)
            with pytest.raises(RunError) as raised:
                search(tmp_path / "run")
        assert "model.npz: cannot be written (No space left on device)" in one_line(raised.value)
    found = search(tmp_path / "run")
    assert found.model.pack() == expected.model.pack()


def trials_of(found: Found) -> list[Trial]:
    """Return the trials of a search by number."""
    return sorted(trials_in(found.folder / "trials.jsonl"), key=lambda trial: trial.number)
