"""What happens to individuals in processes of their own: it is told, and nobody else is touched by it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from genreg_np.errors import RunError
from genreg_np.search.folder import trials_in
from genreg_np.search.images import Found
from genreg_np.search.trials import Trial
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


def trials_of(found: Found) -> list[Trial]:
    """Return the trials of a search by number."""
    return sorted(trials_in(found.folder / "trials.jsonl"), key=lambda trial: trial.number)
