"""Kills, at every write, fsync and rename of a save and at random instants: files stay whole, nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genreg_np import files
from genreg_np.runs import training
from genreg_np.runs.training import resume, train
from tests.helpers import tiny_config, tiny_dataset
from tests.killing import Kills, check_whole, kill

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are made with fork and signals")

GENERATIONS = 4
SETTINGS = {"generations": GENERATIONS}


def run_and_die_at(event: int, folder: Path) -> bool:
    """Train in a forked child that saves every generation and dies at the given write, fsync or rename.

    Returns whether the child got so far.
    """
    child = os.fork()
    if child == 0:
        seen = 0

        def counted(real):
            def call(*arguments: object) -> object:
                nonlocal seen
                seen += 1
                if seen == event:
                    os._exit(9)
                return real(*arguments)

            return call

        try:
            files.os.fsync, files.os.replace = counted(os.fsync), counted(os.replace)
            files.os.fdopen = counted(os.fdopen)
            training.SAVE_EVERY_SECONDS = 0.0
            if (folder / "config.toml").exists():
                resume(folder, dataset=tiny_dataset(), backend="numpy")
            else:
                train(tiny_config(**SETTINGS), tiny_dataset(), folder, backend="numpy")
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), "the run itself failed"
    return code == 9


def test_a_kill_at_any_write_fsync_or_rename_loses_nothing(tmp_path: Path) -> None:
    train(tiny_config(**SETTINGS), tiny_dataset(), tmp_path / "whole", backend="numpy")
    expected = (tmp_path / "whole/model.npz").read_bytes()
    event, reached = 0, []
    while True:
        event += 1
        folder = tmp_path / f"killed at {event}"
        if not run_and_die_at(event, folder):
            break
        reached.append(check_whole(folder))
        if (folder / "config.toml").exists():
            resume(folder, dataset=tiny_dataset(), backend="numpy")
        else:
            train(tiny_config(**SETTINGS), tiny_dataset(), folder, backend="numpy")
        assert (folder / "model.npz").read_bytes() == expected, f"after a kill at event {event}"
        assert not list(folder.glob(".*.tmp")), "a resumed run clears away what a kill left behind"
    assert set(reached) == set(range(GENERATIONS + 1)), "kills must be spread over the run"
    assert reached == sorted(reached)


def all_is_well(outcomes: dict[str, Kills]) -> None:
    assert {name: outcome.ends_that_differ for name, outcome in outcomes.items()} == dict.fromkeys(outcomes, 0)
    assert all(outcome.ends for outcome in outcomes.values())


def test_kills_at_random_instants_change_nothing() -> None:
    """Runs of every strategy end as if they had never been killed."""
    all_is_well(kill(7))


@pytest.mark.soak
def test_a_thousand_kills_at_random_instants_change_nothing() -> None:
    """As before, often enough that every part of a run has been hit; `bench/soak.py kills` keeps what came of it."""
    all_is_well(kill(1000, seed=1))
