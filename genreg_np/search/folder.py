"""The folder of a search: what a run's is to a run.

config.toml       what determines it: settings, and its [origin]: data, what they are, the code
trials.jsonl      a line per trial, as they ended (trials.py)
states/           what individuals know, between rungs
shared-*/         while it goes on: the data, for all workers
model.npz         the best so far; in the end the winner, trained from scratch (of GANs generator.npz)
judge.npz         of GANs: the classifier by which generated images are judged
checkpoints.jsonl of GANs: a line for each checkpoint of each lesson, as they come; nothing depends on it
winner.toml       the winner's genome
search.json       what came of it, and what does not determine it: times, workers, versions
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genreg_np.errors import RunError, UsageError
from genreg_np.files import open_regular, read_text
from genreg_np.runs.held_folder import HeldFolder, as_run_error
from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Space
from genreg_np.search.trials import Trial

MOST_LINE_BYTES, MOST_TOML_BYTES = 1 << 16, 1 << 20
ORIGIN, FINAL, JUDGE, DIARY = "origin", "final", "judge.npz", "checkpoints.jsonl"
SHARED = "shared"

CALLED = {"space": "genes"}  # what errors call a part of an origin


class SearchFolder(HeldFolder):
    """A search's files."""

    own = (
        ".lock", "config.toml", "trials.jsonl", "states", "model.npz", "encoder.npz", "decoder.npz", "generator.npz",
        JUDGE, DIARY, "search.json", "winner.toml", "optuna.log", "pipeline.py",
    )  # fmt: skip
    marks = ("config.toml", "trials.jsonl", "model.npz", "generator.npz")
    what, maker = "search", "search"

    @classmethod
    def of_search(
        cls, path: Path, config: SearchConfig, kept: Mapping[str, Any], origin: Mapping[str, Any]
    ) -> SearchFolder:
        """Return a new folder, or that of the same search, whose configuration is written anew.

        Parameters
        ----------
        path : Path
        config : SearchConfig
        kept : mapping
            Of the origin what must be as it was: text, or a mapping of options.
        origin : mapping
            What else is written of it.

        Raises
        ------
        UsageError
            If it holds another one, with the first difference.
        RunError
            As `create` and `open`.
        """
        if not (path / "config.toml").exists():
            folder = cls.create(path)
            shutil.rmtree(path / "states", ignore_errors=True)  # of a search that was given up
            folder.write_config(config, {**origin, **kept})
            return folder
        folder = cls.open(path)
        try:
            before, theirs = folder.read_config()
            for name, own in kept.items():
                other = theirs.get(name)
                if isinstance(own, Mapping) and isinstance(other, Mapping):
                    for option in sorted({*own, *other}):
                        _check_same(path, option, other.get(option, "none"), own.get(option, "none"))
                elif own != other:
                    raise UsageError(
                        f"{path}: holds a search with other {CALLED.get(name, name)}: choose another --out"
                    )
            for item in dataclasses.fields(config):
                if item.name != "generations":
                    _check_same(path, item.name, getattr(before, item.name), getattr(config, item.name))
            folder.write_config(config, {**theirs, **origin, **kept})
        except BaseException:
            folder.close()
            raise
        return folder

    @property
    def states(self) -> Path:
        """Where individuals' states lie."""
        path = self.path / "states"
        with as_run_error(path):
            path.mkdir(exist_ok=True)
        return path

    @contextlib.contextmanager
    def shared(self) -> Iterator[Path]:
        """Give a folder for what workers read, and take it away afterwards, as well as what a kill has left of one."""
        for left in self.path.glob(f"{SHARED}-*"):
            if not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
        with as_run_error(self.path):  # of another name each time: what a process has read of a path it may keep
            path = Path(tempfile.mkdtemp(prefix=f"{SHARED}-", dir=self.path)).resolve()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def clear_states(self) -> None:
        """Take away all states but those of the winner's training: with them the same search again is done at once."""
        with contextlib.suppress(OSError):
            for path in self.states.iterdir():
                if FINAL not in path.name:
                    path.unlink()

    def reopened(self) -> None:
        """Take away what an end before this one came to: it is not that of what goes on now."""
        with contextlib.suppress(OSError):
            for name in ("search.json", "winner.toml"):
                (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def discarded_if_empty(self) -> Iterator[None]:
        """Take the folder away after an error, if this process made it and no trial has been recorded."""
        try:
            yield
        except BaseException:
            trials = self.path / "trials.jsonl"
            if self.is_new and not (trials.exists() and trials.stat().st_size):
                shutil.rmtree(self.path / "states", ignore_errors=True)
                self._written |= {DIARY, "optuna.log"}
                self.discard()
            raise

    def write_config(self, config: SearchConfig, origin: dict[str, Any]) -> None:
        """Write config.toml."""
        import tomli_w

        values = config.to_dict() | {ORIGIN: {name: value for name, value in origin.items() if value is not None}}
        self.write("config.toml", tomli_w.dumps(values).encode("utf-8"))

    def read_config(self) -> tuple[SearchConfig, dict[str, Any]]:
        """Return what `write_config` wrote.

        Raises
        ------
        RunError
            If it is not TOML, or has no such origin.
        UsageError
            For a setting that is unknown or has a bad value.
        """
        return read_search_config(self.path / "config.toml")

    def record(self, trial: Trial) -> None:
        """Add a trial to trials.jsonl."""
        self.append("trials.jsonl", trial.line())

    def read_trials(self, space: Space) -> list[Trial]:
        """Return the trials that were recorded, each once; drop lines that are none, such as one that was cut short."""
        path = self.path / "trials.jsonl"
        found = {trial.number: trial for trial in trials_in(path) if space.holds(trial.genome)}
        self.write("trials.jsonl", "".join(trial.line() for trial in found.values()).encode("utf-8"))
        return list(found.values())


def _check_same(path: Path, name: str, old: Any, new: Any) -> None:
    """Refuse a setting that is not as it was."""
    if old != new:
        raise UsageError(
            f"{path}: holds a search with {name} = {old}, not {new}: leave it as it was, or choose another --out"
        )


def read_search_config(path: Path) -> tuple[SearchConfig, dict[str, Any]]:
    """Return settings and origin; raises as `SearchFolder.read_config`."""
    try:
        values = tomllib.loads(read_text(path, MOST_TOML_BYTES, follow_links=False))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: is not TOML ({' '.join(str(error).split())})") from None
    origin = values.pop(ORIGIN, {})
    if not isinstance(origin, dict) or not isinstance(origin.get("data"), str):
        raise RunError(f"{path}: its {ORIGIN} is not what search writes; restore it")
    return SearchConfig.from_dict(values, str(path)), origin


def trials_in(path: Path) -> Iterator[Trial]:
    """Yield the trials of a file; lines that are none are passed over."""
    with as_run_error(path, "read"), open_regular(path, follow_links=False) if path.exists() else io.BytesIO() as file:
        for line in iter(lambda: file.readline(MOST_LINE_BYTES), b""):
            if (trial := Trial.read(line)) is not None:
                yield trial
