"""The folder of a run on a custom fitness: a run folder (run_folder.py), held by its lock during the run.

config.toml       settings, [[changes]] made during the run, and the [origin]: the function, its episodes, the backend
run.json          notes that do not determine the result
metrics.jsonl     a line per generation
checkpoint.npz    read by Evolution.load; written every 30 s, and at the end, however the run ends
model.npz         the best genome ever seen
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.errors import GenregError, RunError, UsageError
from genreg_np.model import Model
from genreg_np.runs.best_ever import BestEver
from genreg_np.runs.checkpoint import read_checkpoint
from genreg_np.runs.generations import Generations
from genreg_np.runs.kept import Standing
from genreg_np.runs.notes import now, resumed_notes, run_notes
from genreg_np.runs.own_run import OwnRun
from genreg_np.runs.run_config import is_plain
from genreg_np.runs.run_folder import SAVE_EVERY_SECONDS, RunFolder

DETERMINED = {"fitness": 0, "backend": 0}  # entries of the origin that a model has elsewhere, or does not need
OWN_FITNESS = "fitness"  # the entry of a run's origin that distinguishes it from a run of train


class OwnFolder:
    """Saves a run, and releases the folder at the end of the block; also saves if that ends by an exception.

    Parameters
    ----------
    evolution : Generations
        Before its first generation, or loaded from this folder's checkpoint.
    path : path
        A folder that holds no run yet, or this run.
    fitness : callable
        Its name is recorded, and the result of its method `facts`, if it has one: a dict of names and plain values
        that describe what it measures.
    run : OwnRun

    Raises
    ------
    RunError
        If the folder holds another run, is in use, or cannot be written.
    UsageError
        For a setting that cannot change during a run, or a method `facts` that returns anything else.
    """

    def __init__(
        self,
        evolution: Generations,
        path: str | os.PathLike[str],
        fitness: object,
        run: OwnRun,
    ) -> None:
        self._evolution, self._run = evolution, run
        self._origin = _origin_of(fitness, run, evolution.backend.name)
        self._recorded = self._now()  # after the last generation in metrics.jsonl
        self._notes = run_notes(evolution)
        is_new = not (Path(path) / "config.toml").exists()
        self._folder = RunFolder.create(Path(path)) if is_new else RunFolder.open(Path(path))
        try:
            if not is_new:
                self._go_on()
            self._folder.write_config(evolution.config, evolution.changes, self._origin)
            self._save()
            self._folder.write_json("run.json", self._notes)
        except BaseException:
            self._folder.close()
            raise

    def _go_on(self) -> None:
        """Take over the folder of an earlier run; refuses one that is not in the evolution's state."""
        folder, evolution = self._folder, self._evolution
        config, changes, origin = folder.read_config()
        if OWN_FITNESS not in origin:
            raise RunError(f"{folder.path}: holds a run on a dataset; choose another folder")
        _check_same(folder.path, origin, self._origin)
        path = folder.path / "checkpoint.npz"
        saved = read_checkpoint(path)[1] if path.exists() else {"generation": 0}  # killed before it was saved
        state = evolution.on_host(evolution.state)
        names = [item.name for item in dataclasses.fields(state)] if path.exists() else ["generation"]
        if not all(np.array_equal(getattr(state, name), saved.get(name, np.nan)) for name in names):
            raise RunError(
                f"{folder.path}: already holds a run, at generation {saved['generation']}: continue it with "
                f"Evolution.load({str(path)!r}), or choose another folder"
            )
        config.changed(**evolution.config.to_dict())
        if evolution.changes[: len(changes)] != changes:  # the checkpoint is from a version that did not save them
            evolution.changes = [*changes, *evolution.changes]
        self._notes = resumed_notes(evolution, folder.read_json("run.json"), evolution.generation)
        folder.cut_metrics(evolution.generation)

    def __enter__(self) -> OwnFolder:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None:
                with contextlib.suppress(GenregError):  # the caller should see the first error
                    self.finish("failed" if isinstance(error, Exception) else "interrupted")
        finally:
            self._folder.close()

    def recorder(self, on_record: Callable[[dict[str, Any]], None] | None) -> Callable[[dict[str, Any]], None]:
        """Return a function that takes the record of each generation, saves every 30 s, and calls `on_record`."""

        def record(values: dict[str, Any]) -> None:
            self._folder.record(values)
            self._recorded = self._now()
            if self._evolution.clock() - self._saved_at >= SAVE_EVERY_SECONDS:
                self._save()
            if on_record:
                on_record(values)

        return record

    def _now(self) -> tuple[Any, BestEver | None, Standing]:
        """Return the parts of the evolution that a generation changes and a checkpoint holds."""
        return self._evolution.state, self._evolution.best_ever, self._evolution.kept

    def _save(self) -> None:
        self._folder.save("checkpoint.npz", self._evolution)
        self._saved_at = self._evolution.clock()

    def finish(self, ended: str) -> str:
        """Save everything and return `ended`; a generation without a record is not counted."""
        evolution = self._evolution
        evolution.state, evolution.best_ever, evolution.kept = self._recorded
        self._save()
        best = evolution.best_ever
        if best is not None:
            self._folder.save("model.npz", self._model(best))
        self._notes |= {
            "ended": ended,
            "generations": evolution.generation,
            "seconds": round(evolution.seconds, 3),
            "finished": now(),
            "best_ever": None if best is None else best.facts(),
        }
        self._folder.write_json("run.json", self._notes)
        return ended

    def _model(self, best: BestEver) -> Model:
        """Return the best ever with exactly what determined it, so that equal runs give equal bytes."""
        evolution = self._evolution
        config = evolution.config.determining()
        del config["dataset"]  # the function determines the data; a path does not belong in a model
        config["fitness"] = "custom"
        score = {name: value for name, value in self._origin.items() if name not in self._run.facts() | DETERMINED}
        training = {
            "method": evolution.config.strategy,
            "genome": "best_ever",
            **best.facts(),
            "generations": evolution.generation,
            "seed": evolution.config.seed,
            **self._run.facts(),
            **({"score": score} if score else {}),
            "config": config,
            "changes": evolution.changes,
        }
        return evolution.model_of(best.genes, training)


def _origin_of(fitness: object, run: OwnRun, backend: str) -> dict[str, Any]:
    """Return the origin recorded for a run besides its settings."""
    own = {OWN_FITNESS: _name(fitness), **run.facts(), "backend": backend}
    told = getattr(fitness, "facts", None)
    facts = told() if callable(told) else {}
    if not isinstance(facts, dict) or not all(isinstance(name, str) and is_plain(facts[name]) for name in facts):
        raise UsageError(
            f"{own[OWN_FITNESS]}.facts() returned {facts!r:.80}: this method must describe what the fitness "
            "measures, as a dict of names and plain values (text, finite numbers, true or false)"
        )
    if taken := sorted(facts.keys() & own):
        raise UsageError(f"{own[OWN_FITNESS]}.facts() has {taken[0]!r}, which is a reserved name: choose another")
    return own | facts


def _check_same(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to continue with another score than the run began with: their best evers are not comparable."""
    before = {"episodes": 1} | before
    for name in sorted((before.keys() | now.keys()) - {"backend", OWN_FITNESS}):  # the function may be renamed
        was, wanted = before.get(name), now.get(name)
        if was != wanted:
            raise RunError(
                f"{path}: this run began with {name} = {before.get(name)}, not {now.get(name)}: keep it, "
                "or choose another folder"
            )


def _name(fitness: object) -> str:
    """Return the qualified name of a function, or of an object's type, with its module."""
    named = fitness if hasattr(fitness, "__qualname__") else type(fitness)
    return f"{named.__module__}.{named.__qualname__}"
