"""A search that goes on: what is kept, what is said, and what is made good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genreg_np import load
from genreg_np.search.folder import SearchFolder, trials_in
from genreg_np.search.images import Found
from genreg_np.search.networks import NetworkSearch
from genreg_np.search.searching import Search, Watcher
from genreg_np.search.trials import Trial
from tests.search.helpers import search


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
