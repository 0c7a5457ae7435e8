"""The measurements of a study in one file, NAME.json, which is cache, record and raw result at once.

    {"study": ..., "version": ..., "size": ..., "machines": [...],
     "runs": [
      {"case": ..., "seed": ..., "settings": {...}, "seconds": ..., "machine": 0, "values": {...}},
      ...]}

There is one line per run, so that changes can be read. A run counts as measured if its case, its settings and the
version of the study's `measure` match. The folder is held by one process at a time; the file is replaced as a whole
after each run.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from genreg_np.errors import RunError
from genreg_np.experiments.base import Case, Results, Size, Study, Values
from genreg_np.files import read_text
from genreg_np.infer import is_shallow
from genreg_np.runs.held_folder import HeldFolder
from genreg_np.version import __version__

MOST_BYTES = 1 << 26


class StudyFolder(HeldFolder):
    """A folder of studies: NAME.json, NAME.md and NAME-*.png of each."""

    own = (".lock",)
    marks = ()
    what, maker = "folder of studies", "experiment"


@dataclass
class Record:
    """All runs of a study at one size."""

    study: Study
    size: Size
    folder: StudyFolder
    runs: list[dict[str, Any]]
    machines: list[dict[str, Any]]

    @classmethod
    def read(cls, study: Study, size: Size, folder: StudyFolder) -> Record:
        """Return the record of a study in a folder, empty if it was never measured; raises as `runs_in` does."""
        path = folder.path / file_of(study, size, "json")
        runs, machines = runs_in(path, study, size) if path.exists() else ([], [])
        return cls(study, size, folder, runs, machines)

    def known(self, case: Case, seed: int) -> bool:
        """Return whether a case was measured with a seed."""
        return any(_is_of(run, case) and run["seed"] == seed for run in self.runs)

    def add(self, case: Case, seed: int, seconds: float, values: Values) -> None:
        """Add a measurement, replacing an earlier one of that case and seed, and save; raises as `write` does."""
        machine = describe()
        if machine not in self.machines:
            self.machines.append(machine)
        run = {
            "case": case.name, "seed": seed, "settings": dict(case.settings), "seconds": round(seconds, 2),
            "machine": self.machines.index(machine), "values": values,
        }  # fmt: skip
        self.runs = [other for other in self.runs if (other["case"], other["seed"]) != (case.name, seed)] + [run]
        self.save()

    def save(self) -> None:
        """Write the file, with cases in the study's order; raises as `write` does."""
        order = {case.name: number for number, case in enumerate(self.study.cases(self.size))}
        runs = sorted(self.runs, key=lambda run: (order.get(run["case"], len(order)), run["case"], run["seed"]))
        head = {"study": self.study.name, "version": self.study.version, "size": self.size.name}
        lines = [json.dumps(run, sort_keys=False, allow_nan=False) for run in runs]
        text = json.dumps(head | {"machines": self.machines})[:-1] + ', "runs": [\n' + ",\n".join(lines) + "\n]}\n"
        self.folder.write(file_of(self.study, self.size, "json"), text.encode("utf-8"))

    def results(self, cases: Sequence[Case]) -> Results:
        """Return the values of some cases."""
        return results_of(self.runs, self.size, cases)

    def used(self, cases: Sequence[Case]) -> list[str]:
        """Return the machines on which some cases were measured, in words."""
        numbers = sorted({run["machine"] for run in self.runs if any(_is_of(run, case) for case in cases)})
        found = []
        for machine in (self.machines[number] for number in numbers):
            versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
            found.append(f"{machine.get('processor')}, {machine.get('cores')} cores: {versions}")
        return found

    def seconds(self, cases: Sequence[Case]) -> float:
        """Return the total seconds of measuring some cases, on one thread."""
        return float(sum(run["seconds"] for run in self.runs if any(_is_of(run, case) for case in cases)))


def runs_in(path: Path, study: Study, size: Size) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the runs in a study's file, unless it has an earlier version of the study, and its machines.

    Raises
    ------
    RunError
        For a file that is damaged, or is not of this study.
    """
    try:
        document = json.loads(read_text(path, MOST_BYTES, follow_links=False))
        if not is_shallow(document) or document["study"] != study.name or document["size"] != size.name:
            raise ValueError("is of another study")
        if document["version"] > study.version:
            raise ValueError("was written by a newer version of this package")
        machines = document["machines"]
        if not all(isinstance(machine, dict) and isinstance(machine.get("versions"), dict) for machine in machines):
            raise ValueError("has invalid machines")
        runs = [run for run in document["runs"] if _is_run(run, len(machines))]
        if len(runs) < len(document["runs"]):
            raise ValueError("has invalid runs")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}): move it away, or choose another "
            "--out"
        ) from None
    return (runs if document["version"] == study.version else []), machines


def results_of(runs: Sequence[Mapping[str, Any]], size: Size, cases: Sequence[Case]) -> Results:
    """Return the values of some cases among runs."""
    values: dict[str, dict[int, Values]] = {}
    seconds: dict[str, dict[int, float]] = {}
    for case in cases:
        for run in runs:
            if _is_of(run, case):
                values.setdefault(case.name, {})[run["seed"]] = run["values"]
                seconds.setdefault(case.name, {})[run["seed"]] = run["seconds"]
    return Results(size, cases, values, seconds)


def file_of(study: Study, size: Size, ending: str) -> str:
    """Return the name of a study's file."""
    return f"{study.name}{'' if size.name == 'full' else f'-{size.name}'}.{ending}"


def describe() -> dict[str, Any]:
    """Return what measurements depend on besides code and settings: processor and versions."""
    versions = {"python": platform.python_version(), "genreg-np": __version__}
    for name in ("numpy", "scipy", "numba", "scikit-learn"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"processor": processor(), "cores": os.cpu_count(), "versions": versions}


@functools.cache
def processor() -> str:
    """Return the system's name of the processor."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _is_of(run: Mapping[str, Any], case: Case) -> bool:
    return bool(run["case"] == case.name and run["settings"] == json.loads(json.dumps(dict(case.settings))))


def _is_run(run: Any, machines: int) -> bool:
    """Return whether an entry of a file is a valid run."""
    kinds = {"case": str, "seed": int, "settings": dict, "seconds": int | float, "machine": int, "values": dict}
    return (
        isinstance(run, dict)
        and all(isinstance(run.get(name), kind) for name, kind in kinds.items())
        and 0 <= run["machine"] < machines
    )
