"""Tables in `infer`: predictions for each row, on the terminal, as JSON, or as a new table."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from genreg_np import infer
from genreg_np.cli.output import percent
from genreg_np.cli.terminal import say
from genreg_np.cli.unsure import REASONS, Rejection, words
from genreg_np.data.for_model import Batch, Stream
from genreg_np.data.labels import short_name
from genreg_np.errors import DataError, RunError, UsageError

Result = dict[str, Any]
ENDINGS = (".csv", ".tsv", ".txt")  # of a table of predictions


def predicted(
    path: Path, model: infer.Model, top: int, rejection: Rejection | None, header: bool | None, separator: str | None
) -> Iterator[tuple[Stream, Batch, list[Result]]]:
    """Yield the rows of a table in batches, with the model's answers; raises as data.for_model.Stream does."""
    stream, done = Stream.open(model, path, header, separator), 0
    for batch in stream.batches():
        try:
            results = answers(model, batch, top, rejection)
        except infer.ModelError as error:
            raise DataError(f"{path}: {error}") from None
        for number, result in enumerate(results, start=done + 1):
            result["row"] = number
        done += len(results)
        yield stream, batch, results
    if stream.reader.note():
        say(f"{path}: {stream.reader.note()}", err=True)


def answers(model: infer.Model, batch: Batch, top: int, rejection: Rejection | None) -> list[Result]:
    """Return a model's answers to some rows, as in --json but without row numbers."""
    if not model.class_names:
        values = np.asarray(model.outputs(batch.inputs), np.float64)
        if not np.isfinite(values).all():
            raise infer.ModelError(infer.BEYOND)
        if values.shape[1] == 1:
            return [{"value": value} for value in values[:, 0].tolist()]
        names = model.value_names or [str(number) for number in range(1, values.shape[1] + 1)]
        return [{"values": dict(zip(names, row, strict=True))} for row in values.tolist()]
    probabilities = model.predict_proba(batch.inputs)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    why = rejection.why(probabilities.max(axis=1), batch.inputs) if rejection else [""] * len(best)
    results = []
    for row, order, reason in zip(probabilities, best, why, strict=True):
        entries = [{"class": model.class_names[k], "probability": float(row[k])} for k in order]
        unsure = {} if rejection is None else {"class": None, "reason": reason} if reason else {"reason": None}
        results.append({**entries[0], "top": entries, **unsure})
    return results


def line_of(result: Result) -> str:
    """Return the line to print for a row."""
    if result.get("reason"):
        told = words(result)
    elif "value" in result:
        told = f"{result['value']:g}"
    elif "values" in result:
        told = "  ".join(f"{short_name(name)} {value:g}" for name, value in result["values"].items())
    else:
        told = "  ".join(f"{short_name(entry['class'])} {percent(entry['probability'])}" for entry in result["top"])
    return f"row {result['row']}  {told}"


class Predictions:
    """A table of predictions: the input's columns, followed by the model's answers.

    It is written to a temporary file and renamed when complete. A .tsv is separated by tabs, other files by commas.

    Parameters
    ----------
    path : Path
    rejection : bool
        Whether to add a column with the reason why an answer is unsure.

    Raises
    ------
    UsageError
        For a file with another ending.
    RunError
        If it cannot be written.
    """

    def __init__(self, path: Path, rejection: bool) -> None:
        if path.suffix.lower() not in ENDINGS:
            raise UsageError(f"--out {path}: the output is a table: name a file that ends in {', '.join(ENDINGS)}")
        self._path, self._rejection = path, rejection
        self._part = path.with_name(f".{path.name}.part")
        self._file: TextIO | None = None
        self._writer: Any = None
        self.rows = 0

    def add(self, stream: Stream, batch: Batch, results: list[Result]) -> None:
        """Write some rows."""
        try:
            if self._file is None:
                self._file = open(self._part, "w", encoding="utf-8", newline="")  # noqa: SIM115 - until finish
                self._writer = csv.writer(self._file, delimiter="\t" if self._path.suffix.lower() == ".tsv" else ",")
                if stream.names is not None:
                    self._writer.writerow([*stream.names, *_unused(self._names(results[0]), stream.names)])
            for fields, result in zip(batch.rows, results, strict=True):
                self._writer.writerow([*fields, *self._fields(result)])
        except OSError as error:
            raise self._unwritable(error) from None
        self.rows += len(results)

    def _names(self, result: Result) -> list[str]:
        if "value" in result:
            return ["prediction"]
        if "values" in result:
            return [f"prediction of {name}" for name in result["values"]]
        more = [
            name for number in range(2, len(result["top"]) + 1) for name in (f"class {number}", f"probability {number}")
        ]
        return ["prediction", "probability", *more, *(["unsure"] if self._rejection else [])]

    def _fields(self, result: Result) -> list[str]:
        if "value" in result:
            return [_shortest(result["value"])]
        if "values" in result:
            return [_shortest(value) for value in result["values"].values()]
        first, *more = result["top"]
        answer = "" if result.get("reason") in REASONS else first["class"]
        rest = [text for entry in more for text in (entry["class"], f"{entry['probability']:.6g}")]
        return [answer, f"{first['probability']:.6g}", *rest, *([result["reason"] or ""] if self._rejection else [])]

    def finish(self) -> None:
        """Move the finished table into place."""
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._part, self._path)
        except OSError as error:
            raise self._unwritable(error) from None

    def discard(self) -> None:
        """Remove an unfinished table."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk
                self._file.close()
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> RunError:
        self.discard()
        return RunError(f"{self._path}: cannot be written ({error.strerror}); name another file with --out")


def _unused(names: list[str], taken: list[str]) -> list[str]:
    """Return names of new columns of a table that has others: a name that it has already is told apart."""
    while clashes := {*names} & {*taken}:
        names = [f"{name} of the model" if name in clashes else name for name in names]
    return names


def _shortest(value: float) -> str:
    """Return a float32 number with the fewest digits that identify it."""
    return str(np.float32(value))
