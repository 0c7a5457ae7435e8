"""Kills runs of every strategy at random instants, lets them go on, and compares how they end.

Children are forked from a process in which everything is imported, so that a kill costs a fraction of a second. Each
saves after every generation; it is killed at an instant drawn from the time an undisturbed run takes.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from genreg_np.infer import load
from genreg_np.runs import training
from genreg_np.runs.checkpoint import read_checkpoint
from genreg_np.runs.training import resume, train
from genreg_np.strategies import REGISTRY
from tests.helpers import dataset_for, tiny_config, tiny_dataset

GENERATIONS = 12
IN_MEMORY = Path("/dev/shm")  # a kill is no power cut: waiting for a disk would only make kills rarer


@dataclass
class Kills:
    """What was done to the runs of a strategy, and how they ended."""

    kills: int = 0
    in_the_middle_of_a_save: int = 0
    at_generation: dict[int, int] = field(default_factory=dict)  # how often the last checkpoint was of which
    ends: int = 0  # runs that came to their end, after any number of kills
    ends_that_differ: int = 0


def check_whole(folder: Path) -> int:
    """Check that every file in a run folder can be read; return the generation of its checkpoint."""
    if (folder / "model.npz").exists():
        load(folder / "model.npz")
    if not (folder / "checkpoint.npz").exists():
        return 0
    return int(read_checkpoint(folder / "checkpoint.npz")[1]["generation"])


def go_on(strategy: str, folder: Path) -> None:
    """Start a run, or go on with it, to its end."""
    dataset = dataset_for(strategy, tiny_dataset())
    if (folder / "config.toml").exists():
        resume(folder, dataset=dataset, backend="numpy")
    else:
        train(tiny_config(strategy=strategy, generations=GENERATIONS), dataset, folder, backend="numpy")


def forked(strategy: str, folder: Path, seconds: float) -> bool:
    """Go on with a run in a child that is killed after so long; return whether it was, and had not ended before."""
    child = os.fork()
    if child == 0:
        training.SAVE_EVERY_SECONDS = 0.0  # after every generation; of this process alone
        try:
            go_on(strategy, folder)
        except BaseException:
            os._exit(1)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), f"{strategy}: the run itself failed, in {folder}"
    return code != 0


def kill(kills: int, seed: int = 0) -> dict[str, Kills]:
    """Kill runs of each strategy in turn, so many times in all, and let every one come to its end.

    Raises
    ------
    AssertionError
        If a kill lost a generation that was saved, or left a file that cannot be read.
    """
    chance, outcomes = Random(seed), {name: Kills() for name in REGISTRY}
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as place:
        spans, whole = {}, {}
        for name in REGISTRY:
            go_on(name, Path(place) / name)
            whole[name] = ending(Path(place) / name)
            start = time.monotonic()  # by now everything is imported
            go_on(name, Path(place) / f"{name} again")
            spans[name] = time.monotonic() - start
        number = 0
        while sum(outcome.kills for outcome in outcomes.values()) < kills:
            for name, outcome in outcomes.items():
                number += 1
                folder, reached, seconds = Path(place) / f"{name} {number}", 0, spans[name]
                while forked(name, folder, chance.uniform(0, seconds)):
                    seconds *= 1.2  # the machine may have become busier: every run is to come to its end
                    before, reached = reached, check_whole(folder)
                    assert reached >= before, f"{name}: a kill lost generation {before}"
                    outcome.kills += 1
                    outcome.in_the_middle_of_a_save += bool(list(folder.glob(".*.tmp")))
                    outcome.at_generation[reached] = outcome.at_generation.get(reached, 0) + 1
                outcome.ends += 1
                outcome.ends_that_differ += ending(folder) != whole[name]
    return outcomes


def ending(folder: Path) -> tuple[bytes, list[int]]:
    """Return what a run came to: the bytes of its model, and the generations it recorded."""
    lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    return (folder / "model.npz").read_bytes(), [json.loads(line)["generation"] for line in lines]
