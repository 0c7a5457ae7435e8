"""Kills, at every write, fsync and rename of a save and at random instants: files stay whole, nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from genreg_np import files, training
from genreg_np.checkpoint import read_checkpoint
from genreg_np.infer import load
from genreg_np.training import resume, train
from tests.helpers import ROOT, tiny_config, tiny_dataset

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


def check_whole(folder: Path) -> int:
    """Check that every file in a run folder can be read; return the generation of its checkpoint."""
    if (folder / "model.npz").exists():
        load(folder / "model.npz")
    if not (folder / "checkpoint.npz").exists():
        return 0
    return int(read_checkpoint(folder / "checkpoint.npz")[1]["generation"])


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


SCRIPT = """
import sys
from genreg_np import training
from tests.helpers import tiny_config, tiny_dataset
training.SAVE_EVERY_SECONDS = 0.0
folder, generations = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
if len(sys.argv) > 3:
    training.resume(folder, dataset=tiny_dataset(), backend="numpy")
else:
    training.train(tiny_config(generations=generations), tiny_dataset(), folder, backend="numpy")
"""


def kill_at_random(folder: Path, generations: int, kills: int, spread: int, seed: int) -> list[dict[str, object]]:
    """Start, kill at a random instant, go on, kill again ...; return what each kill hit.

    At least `kills` times, and until `spread` different generations were hit: a busy machine gets less far in a while.
    """
    chance, hits = random.Random(seed), []
    while len(hits) < kills or len({hit["generation"] for hit in hits}) < spread:
        assert len(hits) < 10 * kills, f"kills must be spread: {hits}"
        going_on = ["resume"] if (folder / "config.toml").exists() else []
        command = [sys.executable, "-c", SCRIPT, str(folder), str(generations), *going_on]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        time.sleep(chance.uniform(0.0, 0.6 * (1 + len(hits) // kills)))
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, f"the run ended before it was killed: {err}"
        leftovers = [path.name for path in folder.glob(".*.tmp")]
        hits.append({"generation": check_whole(folder), "in_a_save_of": leftovers})
    return hits


def finish_and_compare(folder: Path, whole: Path, generations: int) -> None:
    resume(folder, dataset=tiny_dataset(), backend="numpy", changes={"generations": generations})
    train(tiny_config(generations=generations), tiny_dataset(), whole, backend="numpy")
    assert (folder / "model.npz").read_bytes() == (whole / "model.npz").read_bytes()


def total_after(hits: list[dict[str, object]]) -> int:
    """Return a total of generations a little past the last kill."""
    return max(int(str(hit["generation"])) for hit in hits) + 5


def test_ten_kills_at_random_instants_change_nothing(tmp_path: Path) -> None:
    hits = kill_at_random(tmp_path / "run", 1_000_000, 10, spread=5, seed=1)
    finish_and_compare(tmp_path / "run", tmp_path / "whole", total_after(hits))


@pytest.mark.soak
def test_a_hundred_kills_at_random_instants_change_nothing(tmp_path: Path) -> None:
    hits = kill_at_random(tmp_path / "run", 1_000_000, 100, spread=50, seed=2)
    generations = [int(str(hit["generation"])) for hit in hits]
    in_saves = sum(bool(hit["in_a_save_of"]) for hit in hits)
    report = {"kills": len(hits), "in_the_middle_of_a_save": in_saves, "hits": hits}
    (ROOT / "bench/results/kills.json").write_text(json.dumps(report, indent=1) + "\n")
    assert in_saves >= 5, "some kills must hit a save"
    assert np.all(np.diff(generations) >= 0), "no kill may lose what was saved before"
    finish_and_compare(tmp_path / "run", tmp_path / "whole", total_after(hits))
