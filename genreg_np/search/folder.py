"""The folder of a search.

config.toml       what determines the search: its settings, and in [origin] the data, its description and the code
trials.jsonl      a line per trial, in the order in which they ended (trials.py)
states/           the states of individuals between rungs
shared-*/         the data for all workers, while the search runs
model.npz         the best model so far; in the end the winner, trained from scratch (generator.npz for GANs)
best-*            the best so far of a search that goes on after an end, until the new end
trials.jsonl.old  the record as it was before lines that are no trials of this search were left out
judge.npz         for GANs: the classifier that judges generated images
checkpoints.jsonl for GANs: a line per checkpoint of each lesson, as they arrive; nothing depends on it
winner.toml       the winner's genome
search.json       the results, and what does not determine them: times, workers, versions
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import shutil
import tempfile
import tomllib
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from genreg_np.errors import RunError, UsageError
from genreg_np.files import open_regular, read_text, remove_leftovers
from genreg_np.runs.held_folder import HeldFolder, as_run_error, json_of
from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Space
from genreg_np.search.trials import Trial

MOST_LINE_BYTES, MOST_TOML_BYTES = 1 << 16, 1 << 20
ORIGIN, FINAL, JUDGE, DIARY = "origin", "final", "judge.npz", "checkpoints.jsonl"
TARGET = "target"  # in the origin: the target that the search was bred for, unless its record had reached it before
SHARED, MARK = "shared", ".of-a-search"  # a folder of shared data, and the file in it that says whose it is
STATE = re.compile(rf"[0-9a-f]{{16}}(-{FINAL}-\d+)?-\d+\.npz(\.\d+-\d+)?")  # a file name in states/
BEST, OLD = "best-", ".old"  # before and after a file's name

CALLED = {"space": "genes"}  # what errors call a part of the origin


class SearchFolder(HeldFolder):
    """The files of a search."""

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
        """Return a new folder, or the folder of the same search with its configuration rewritten.

        Parameters
        ----------
        path : Path
        config : SearchConfig
        kept : mapping
            What must match the origin in the folder: text, or a mapping of options.
        origin : mapping
            The rest of the origin to write.

        Raises
        ------
        UsageError
            If the folder holds another search; the message names the first difference.
        RunError
            As for `create` and `open`.
        """
        if not (path / "config.toml").exists():
            folder = cls.create(path)
            folder.remove_states()  # of an abandoned search
            folder.write_config(config, {**origin, **kept})
            return folder
        folder = cls.open(path)
        try:
            before, theirs = folder.read_config()
            for name in sorted(kept, key=lambda name: name in CALLED):  # those that settings determine come last
                if name in CALLED:
                    _check_settings(path, before, config)
                _check_kept(path, name, theirs.get(name), kept[name])
            _check_settings(path, before, config)
            _check_generations(path, config)
            folder.write_config(config, {**theirs, **origin, **kept})
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def create(cls, path: Path) -> typing.Self:
        """Create a new folder, or take one without files that a search would replace; raises as HeldFolder does."""
        if not any((path / name).exists() for name in cls.marks):
            for name in cls.own[1:]:
                if name != "states" and (path / name).exists():
                    raise RunError(
                        f"{path}: has a {name}, which a search would replace: move it away, or choose another --out"
                    )
        return super().create(path)

    @property
    def states(self) -> Path:
        """The folder of individuals' states, as workers find it, wherever they were started."""
        path = (self.path / "states").resolve()
        with as_run_error(path):
            path.mkdir(exist_ok=True)
        return path

    @contextlib.contextmanager
    def shared(self) -> Iterator[Path]:
        """Yield a folder for the data that workers read; remove it afterwards, and any left by a killed process."""
        for left in self.path.glob(f"{SHARED}-*"):
            if not left.is_symlink() and (left / MARK).is_file():
                shutil.rmtree(left, ignore_errors=True)
        with as_run_error(self.path):  # a new name each time: a process may cache what it has read from a path
            path = Path(tempfile.mkdtemp(prefix=f"{SHARED}-", dir=self.path)).resolve()
            (path / MARK).touch()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def clear_states(self) -> None:
        """Remove all states except those of the winner's training; with these, the same search again ends at once."""
        self._remove_states(lambda name: FINAL not in name)

    def remove_states(self) -> None:
        """Remove all states, and their folder if nothing else is in it."""
        self._remove_states(lambda name: True)
        with contextlib.suppress(OSError):
            (self.path / "states").rmdir()

    def forget_states(self, names: Collection[str]) -> None:
        """Remove states by the first part of their names, those of all folds."""
        with contextlib.suppress(OSError):
            for path in (self.path / "states").iterdir():
                if STATE.fullmatch(path.name) and path.name.partition(".")[0] in names:
                    path.unlink()

    def _remove_states(self, is_due: Callable[[str], bool]) -> None:
        """Remove states by name; files of other names are not the search's."""
        with contextlib.suppress(OSError):
            remove_leftovers(self.path / "states")
            for path in (self.path / "states").iterdir():
                if STATE.fullmatch(path.name) and is_due(path.name):
                    path.unlink()

    def name_so_far(self, name: str) -> str:
        """Return the name under which the best so far is saved: another one while the folder holds an earlier end."""
        return name_so_far(self.path, name)

    def ends(self, *others: str) -> None:
        """Remove the results of an earlier end and the best so far: those of the new end are about to be written.

        `others` are files that an earlier end may have left, and the new one does not write.
        """
        with contextlib.suppress(OSError):
            for name in ("search.json", "winner.toml", *others, *(f"{BEST}{name}" for name in self.own)):
                (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def discarded_if_empty(self) -> Iterator[None]:
        """Remove the folder after an error, if this process created it and no trial has been recorded."""
        try:
            yield
        except BaseException:
            trials = self.path / "trials.jsonl"
            if self.is_new and not (trials.exists() and trials.stat().st_size):
                self.remove_states()
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
            If it is not TOML, or its origin is not valid.
        UsageError
            For a setting that is unknown or has a bad value.
        """
        return read_search_config(self.path / "config.toml")

    def ends_at(self, target: float | None, is_reached: bool) -> bool:
        """Note the target of a search; return whether its trials were bred for it, so that the record ends there.

        Parameters
        ----------
        target : float or None
        is_reached : bool
            Whether the record reaches the target. If it was not bred for it, then no trial of it is cut off later.
        """
        if not (self.path / "config.toml").exists():
            return False
        config, origin = self.read_config()
        before = origin.get(TARGET)
        if target is not None and before == target:
            return True
        noted = None if is_reached else target
        if before != noted:
            self.write_config(config, origin | {TARGET: noted})
        return False

    def record(self, trial: Trial) -> None:
        """Add a trial to trials.jsonl."""
        self.append("trials.jsonl", trial.line())

    def read_trials(self, space: Space, tell: Callable[[str], None] = lambda remark: None) -> list[Trial]:
        """Return the recorded trials, each once, and leave out other lines.

        A last line that was cut short is left out silently. If there are others, the file is kept under another name.

        Parameters
        ----------
        space : Space
            The genes that a trial of this search has.
        tell : callable
            tell(remark): called if lines other than the last were left out.
        """
        path, found, wrong = self.path / "trials.jsonl", dict[int, Trial](), 0
        for line in _lines_of(path):
            trial = Trial.read(line)
            if trial is not None and space.holds(trial.genome):
                found[trial.number] = trial
            else:
                wrong += line.endswith(b"\n")
        if wrong:
            old = self._kept_as(path)
            tell(f"{path}: {wrong:,} line{'s' * (wrong != 1)} not understood and left out; the file is kept as {old}")
        self._rewrite(found.values())
        return list(found.values())

    def forget(self, space: Space, numbers: Collection[int]) -> None:
        """Remove trials from the record, by number."""
        if numbers:
            self._rewrite([trial for trial in self.read_trials(space) if trial.number not in numbers])

    def _rewrite(self, trials: Iterable[Trial]) -> None:
        if (file := self._growing.pop("trials.jsonl", None)) is not None:
            file.close()
        self.write("trials.jsonl", "".join(trial.line() for trial in trials).encode("utf-8"))

    def _kept_as(self, path: Path) -> str:
        """Copy a file, and return the copy's name, which is new."""
        name, copies = f"{path.name}{OLD}", 1
        while (path.parent / name).exists():
            copies += 1
            name = f"{path.name}{OLD}-{copies}"
        with as_run_error(path, "read"), open_regular(path, follow_links=False) as file:
            content = file.read()
        self.write(name, content)
        return name


def _check_kept(path: Path, name: str, old: Any, new: Any) -> None:
    """Refuse a part of the origin that has changed."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for option in sorted({*old, *new}):
            _check_same(path, option, old.get(option, "none"), new.get(option, "none"))
    elif old != new:
        raise UsageError(f"{path}: holds a search with different {CALLED.get(name, name)}: choose another --out")


def _check_settings(path: Path, old: SearchConfig, new: SearchConfig) -> None:
    """Refuse settings that have changed, except the number of generations."""
    for item in dataclasses.fields(new):
        if item.name != "generations":
            _check_same(path, item.name, getattr(old, item.name), getattr(new, item.name))


def _check_generations(path: Path, config: SearchConfig) -> None:
    """Refuse fewer generations than the record holds, as most of it would be left out."""
    if config.children is None:
        return
    held = 1 + max((trial.child for trial in trials_in(path / "trials.jsonl")), default=-1)
    if held > config.children:
        raise UsageError(
            f"{path}: holds {held:,} individuals, and --generations {config.generations} of {config.population} are "
            f"{config.children:,}: give at least --generations {-(-held // config.population)}, or choose another --out"
        )


def _check_same(path: Path, name: str, old: Any, new: Any) -> None:
    """Refuse a setting that has changed."""
    if old != new:
        raise UsageError(
            f"{path}: holds a search with {name} = {old}, not {new}: leave it as it was, or choose another --out"
        )


def read_search_config(path: Path) -> tuple[SearchConfig, dict[str, Any]]:
    """Return the settings and the origin; raises as `SearchFolder.read_config`."""
    try:
        values = tomllib.loads(read_text(path, MOST_TOML_BYTES, follow_links=False))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: is not TOML ({' '.join(str(error).split())})") from None
    if "dataset" in values:
        raise UsageError(f"{path.parent}: holds a training run, not a search: choose another folder")
    origin = values.pop(ORIGIN, {})
    if not isinstance(origin, dict) or not isinstance(origin.get("data"), str):
        raise RunError(f"{path}: its {ORIGIN} is not what search writes; restore it")
    try:
        return SearchConfig.from_dict(values, str(path)), origin
    except UsageError as error:
        said = str(error)
        raise UsageError(said if said.startswith(f"{path}: ") else f"{path}: {said}") from None


def check_new(folder: Path, config: SearchConfig) -> None:
    """Refuse a folder for a new search that holds something else, before data are read.

    Raises
    ------
    UsageError
        If it holds a training run, or a search that ended by its budget, which only --resume continues.
    RunError
        If its settings cannot be read.
    """
    if (folder / "config.toml").exists():
        read_search_config(folder / "config.toml")
    if not config.generations and (folder / "search.json").exists():
        raise UsageError(
            f"{folder}: holds a search that has ended: continue it with --resume {folder}, or choose another --out"
        )


def name_so_far(path: Path, name: str) -> str:
    """Return the name of the best so far in a folder; see `SearchFolder.name_so_far`."""
    return f"{BEST}{name}" if json_of(path / "search.json") and (path / name).exists() else name


def trials_in(path: Path) -> Iterator[Trial]:
    """Yield the trials of a file, skipping invalid lines."""
    for line in _lines_of(path):
        if (trial := Trial.read(line)) is not None:
            yield trial


def _lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, in pieces if they are very long; none if it does not exist."""
    with as_run_error(path, "read"), open_regular(path, follow_links=False) if path.exists() else io.BytesIO() as file:
        yield from iter(lambda: file.readline(MOST_LINE_BYTES), b"")
