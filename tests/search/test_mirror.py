"""Trials in Optuna's journal: as Optuna reads them, each once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from genreg_np.errors import MissingExtraError
from genreg_np.search.kinds.classifiers import SPACE
from genreg_np.search.mirror import STUDY, Mirror
from genreg_np.search.searching import Search, Watcher
from genreg_np.search.trials import Trial
from tests.search.helpers import search


def test_optuna_reads_what_was_tried(tmp_path: Path) -> None:
    """Values, expressed genes, and what failed; a search that goes on adds what is new."""
    optuna = pytest.importorskip("optuna")
    seen: list[Trial] = []

    def on_trial(trial: Trial, search: Search) -> None:
        seen.append(trial)

    search(tmp_path / "run", watcher=Watcher(on_trial))
    failed = Trial(99, 99, 0, seen[0].genome, seen[0].expressed, status="timeout", why="took longer than 3 s")
    for _ in range(2):
        mirror = Mirror(tmp_path, SPACE)
        for trial in (*seen, failed):
            mirror.took(trial)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(mirror.path)))
    study = optuna.load_study(study_name=STUDY, storage=storage)
    assert len(study.trials) == len(seen) + 1
    assert study.best_value == pytest.approx(max(trial.score for trial in seen))
    by_number = {trial.user_attrs["number"]: trial for trial in study.trials}
    for trial in seen:
        found = by_number[trial.number]
        assert found.value == pytest.approx(trial.score)
        assert found.params.keys() == trial.expressed.keys()
        for name, value in trial.expressed.items():
            assert found.params[name] == (pytest.approx(value) if isinstance(value, float) else value)
    assert by_number[99].state == optuna.trial.TrialState.FAIL
    assert by_number[99].user_attrs["why"] == "took longer than 3 s"
    assert all(math.isfinite(trial.value) for trial in study.trials if trial.value is not None)


def test_without_optuna_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"optuna.*genreg-np\[dashboard\]"):
        Mirror(tmp_path, SPACE)
