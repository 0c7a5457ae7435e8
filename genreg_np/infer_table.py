"""Raw table rows as inputs. For a model that takes them, place this file beside infer.py, or append it to that file.

    model.predict({"island": ["Dream"], "bill length": [39.5], "sex": [""]})     a mapping of columns, or a DataFrame
    model.predict([["Dream", "39.5", ""]])                                       text, in the order of header["columns"]

A model's header describes each column of its table under `columns`, and so how a field becomes numbers:

    numbers   the number                                       flags   1 for yes, true, y, t; 0 for no, false, n, f
    words     its index in the column's list of words, or      dates   year, month, day, weekday (0: Monday) and hour:
              the list's length if it is not in there                  those that the column's `parts` name

A missing field (empty, NA, ?, NaN, None) is NaN. From these numbers x (I,), the first layer computes what the network
was trained on, value by value, with s an index into x and f the value filled in for missing ones:

    columns   x_s, or f_s where it is missing  |  1 where x_s is missing, else 0  |  1 where that is v, else 0

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

if "ModelError" not in globals():  # outside a package, infer.py has already put its names here
    from .infer import (
        LAYERS,
        TABLES,
        Arrays,
        Layer,
        ModelError,
        _listed,
        array_of,
        entry_of,
        require,
        weights_of,
        whole_number,
    )

VALUE, MISSING_FLAG, EQUALS = 0, 1, 2  # what the layer computes from a number
MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "<na>", "nat"))  # in small letters
FLAGS = {"yes": 1.0, "true": 1.0, "y": 1.0, "t": 1.0, "no": 0.0, "false": 0.0, "n": 0.0, "f": 0.0}
PARTS = ("year", "month", "day", "weekday", "hour")  # of a date
ORDERS = ("ymd", "dmy", "mdy")
LIKE = {"ymd": "2024-12-31", "dmy": "31.12.2024", "mdy": "12/31/2024"}  # a date of each order
LARGEST = 3.4e38  # number in a field: float32 ends there
YEARS = (2, 4)  # digits of a year, by which a column is recognised as one of dates
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTH_STARTS = (0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4)  # offset of each month's first weekday
DATE = re.compile(r"(\w+)[-/. ]+(\w+)[-/., ]+(\w+)(?:[T ]+(\d\d?):(\d\d)(?::(\d\d)(?:\.\d*)?)?)?(?:Z|[+-]\d\d:?\d\d)?")
WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)\.0*")  # a whole number written as a float
SHOWN = 40  # characters of a field in a message


def is_missing(text: str) -> bool:
    """Return whether a field means that the value is missing."""
    return text.strip().lower() in MISSING


def number_of(text: str) -> float | None:
    """Return a field as a finite number within float32's range, or None if it is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= LARGEST and "_" not in text else None


def flag_of(text: str) -> float | None:
    """Return 1 for a field that means yes (or 1), 0 for no (or 0), None for any other."""
    known = FLAGS.get(text.strip().lower())
    value = number_of(text) if known is None else known
    return value if value in (0.0, 1.0) else None


def word_of(text: str) -> str:
    """Return a field as a word: without surrounding space, and 3.0 as 3."""
    word = text.strip()
    found = WHOLE_NUMBER.fullmatch(word)
    return found.group(1) if found else word


def date_of(text: str, order: str, years: tuple[int, ...] = ()) -> dict[str, float] | None:
    """Return the parts of a date whose year, month and day are in an order of ORDERS; None if it is no such date.

    A month may be written as a name, and is then recognised in any place. `years` are the numbers of digits that a
    year may have; by default any, as earlier versions took a column of version numbers (1.2.3) for dates.
    """
    found = DATE.fullmatch(text.strip())
    if not found:
        return None
    fields, names = list(found.groups()[:3]), list(order)
    named = [place for place, field in enumerate(fields) if field[:3].lower() in MONTHS and field.isalpha()]
    if named:
        fields[named[0]] = str(MONTHS.index(fields[named[0]][:3].lower()) + 1)
        if named[0] != names.index("m"):
            names = [name for name in names if name != "m"]
            names.insert(named[0], "m")
    if not all(field.isdigit() and field.isascii() for field in fields):
        return None
    number = {name: int(field) for name, field in zip(names, fields)}  # noqa: B905
    digits = len(fields[names.index("y")])
    if years and digits not in years:
        return None
    if digits <= 2:  # as in 11/23/98; if it comes first, it is more often a day
        if names[0] == "y":
            return None
        number["y"] += 1900 if number["y"] >= 70 else 2000
    year, month, day = (number[part] for part in "ymd")
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (year and 1 <= month <= 12 and 1 <= day <= DAYS[month - 1] - (month == 2 and not leap)):
        return None
    hour, minute, second = (float(part or 0) for part in found.groups()[3:])
    if hour >= 24 or minute >= 60 or second >= 61:
        return None
    since = year - (month < 3)  # a leap day is then the last of its year (Sakamoto 1993)
    weekday = (since + since // 4 - since // 100 + since // 400 + MONTH_STARTS[month - 1] + day + 6) % 7
    parts = (year, month, day, weekday, hour + minute / 60 + second / 3600)
    return dict(zip(PARTS, map(float, parts)))  # noqa: B905


def inputs_of(column: dict[str, Any]) -> list[str]:
    """Return the names of the inputs that a column becomes."""
    if column["kind"] != "dates":
        return [column["name"]]
    return [f"{column['name']} {part}" for part in column["parts"]]


class Fields:
    """Turns the fields of one column into numbers; results are cached."""

    def __init__(self, column: dict[str, Any]) -> None:
        self.name, self.kind = column["name"], column["kind"]
        self.width = len(inputs_of(column))
        self._column = column
        self._codes = {word: float(place) for place, word in enumerate(column.get("words", []))}
        self._known: dict[str, tuple[float, ...]] = {}

    def __call__(self, text: str) -> tuple[float, ...]:
        """Return the numbers of a field; ModelError if the column cannot have it."""
        if text not in self._known:
            if len(self._known) > 1 << 16:
                self._known.clear()
            self._known[text] = self._read(text)
        return self._known[text]

    def text_of(self, value: Any) -> str:
        """Return a value as the text of a field of this column: a typed date in the order of the column's dates."""
        text = text_of(value)
        if self.kind != "dates" or not (hasattr(value, "isoformat") or isinstance(value, np.datetime64)):
            return text
        found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(.*)", text)
        if not found:
            return text
        year, month, day, time = found.groups()
        parts = {"y": year, "m": month, "d": day}
        return "-".join(parts[part] for part in self._column["order"]) + time

    def _read(self, text: str) -> tuple[float, ...]:
        if is_missing(text):
            return (float("nan"),) * self.width
        if self.kind == "words":
            return (self._codes.get(word_of(text), float(len(self._codes))),)
        if self.kind == "dates":
            parts = date_of(text, self._column["order"])
            if parts is not None:
                return tuple(parts[part] for part in self._column["parts"])
        value = {"numbers": number_of, "flags": flag_of}.get(self.kind, lambda _: None)(text)
        if value is None:
            raise ModelError(f"{text[:SHOWN]!r} is not {self._wanted(text)}")
        return (value,)

    def _wanted(self, text: str) -> str:
        """Return what a field of this column must be, and how to correct one that is not."""
        empty = "leave the field empty where the value is missing"
        if self.kind == "dates":
            like = LIKE[self._column["order"]]
            if any(date_of(text, order) for order in ORDERS):
                return f"of the format {like} that the model was trained on; write it like that"
            return f"a date like {like}; {empty}"
        if self.kind == "flags":
            return f"yes or no; write one of them, or {empty}"
        if "," in text and number_of(text.replace(",", "")) is not None:
            return f"a finite number; write a decimal point, and thousands without commas; {empty}"
        return f"a finite number; {empty}"


def text_of(value: Any) -> str:
    """Return a table value as the text of a field; "" if it is missing. ModelError for several values in one field."""
    if isinstance(value, (list, dict, set)) or (isinstance(value, np.ndarray) and value.ndim):
        raise ModelError(f"holds a {type(value).__name__}, but a field is a single value: make columns of its parts")
    if value is None or (isinstance(value, (float, np.floating)) and value != value):
        return ""
    return value if isinstance(value, str) else str(value)


def read_rows(columns: list[dict[str, Any]], inputs: Any) -> np.ndarray:
    """Return rows of a table as (N, I) float32, NaN where a field is missing.

    `inputs` is a mapping of columns (lists or single fields), a DataFrame, a list of mappings, or text (N, columns)
    in the order of the model's columns. ModelError names the column and row of an invalid field.
    """
    fields = [Fields(column) for column in columns]
    series = _series(columns, inputs)
    count = len(series[0])
    values = np.empty((count, sum(field.width for field in fields)), np.float32)
    place = 0
    for field, column in zip(fields, series):  # noqa: B905
        if len(column) != count:
            raise ModelError(f"column {field.name!r} has {len(column)} rows, the first has {count}")
        for row, value in enumerate(column):
            try:
                values[row, place : place + field.width] = field(field.text_of(value))
            except ModelError as error:
                raise ModelError(f"row {row}, column {field.name!r}: {error}") from None
        place += field.width
    return values


def _series(columns: list[dict[str, Any]], inputs: Any) -> list[Any]:
    """Return the fields of each of a model's columns."""
    names = [column["name"] for column in columns]
    if isinstance(inputs, (list, tuple)) and inputs and all(isinstance(row, dict) for row in inputs):
        inputs = {name: [row[name] for row in inputs] for name in names if all(name in row for row in inputs)}
    given = getattr(inputs, "columns", None)
    if given is not None:
        known = [str(name) for name in given]
        table = {name: inputs[key] for name, key in zip(known, given)}  # noqa: B905
    elif isinstance(inputs, dict):
        table = {str(name): value for name, value in inputs.items()}
    else:
        rows = np.asarray(inputs, object)
        rows = rows[None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise ModelError(
                f"rows have shape {rows.shape}, but the model takes {len(names)} columns: {_listed(names)}"
            )
        return list(rows.T)
    lacking = [name for name in names if name not in table]
    if lacking:
        raise ModelError(
            f"the inputs lack {_listed(lacking)}: pass the columns the model was trained on ({_listed(names)}); "
            "others are ignored"
        )
    return [_as_list(table[name]) for name in names]


def _as_list(column: Any) -> list[Any]:
    if isinstance(column, (str, bytes)) or not hasattr(column, "__len__"):
        return [column]
    if getattr(getattr(column, "dtype", None), "kind", "") == "M":  # whose tolist() may give nanoseconds
        return list(column)
    return list(column.tolist() if hasattr(column, "tolist") else column)


def check_columns(header: dict[str, Any]) -> None:
    """Raise ModelError if a header's `columns` are malformed."""
    columns = entry_of(header, "columns", list)
    malformed = "its header is malformed: 'columns' "
    for column in columns:
        require(isinstance(column, dict) and type(column.get("name")) is str, malformed + "has one without a name")
        require(column.get("kind") in ("numbers", "words", "flags", "dates"), malformed + "has one of an unknown kind")
        words = column.get("words", [])
        require(
            isinstance(words, list) and all(type(word) is str for word in words), malformed + "has no list of words"
        )
        if column["kind"] == "dates":
            parts = column.get("parts")
            fine = isinstance(parts, list) and parts and all(part in PARTS for part in parts)
            require(fine and column.get("order") in ORDERS, malformed + "has dates without an order or parts")
    names = [name for column in columns for name in inputs_of(column)]
    require(names == header.get("feature_names"), malformed + "and 'feature_names' do not fit")


def _columns(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs, outputs = whole_number(layer["inputs"]), whole_number(layer["outputs"])
    source, mode = (array_of(arrays, f"{where}.{part}", (outputs,), np.int32) for part in ("source", "mode"))
    value, fill = weights_of(arrays, f"{where}.value", (outputs,)), weights_of(arrays, f"{where}.fill", (inputs,))
    require(outputs and 0 <= source.min() <= source.max() < inputs, f"{name} takes inputs that do not exist")
    require(set(mode.tolist()) <= {VALUE, MISSING_FLAG, EQUALS}, f"{name} has an unknown mode; use a newer infer.py")
    flags, equals = np.flatnonzero(mode == MISSING_FLAG), np.flatnonzero(mode == EQUALS)

    same = not (flags.size or equals.size) and np.array_equal(source, np.arange(inputs))

    def run(x: np.ndarray) -> np.ndarray:
        missing = np.isnan(x)
        filled = np.where(missing, fill, x) if missing.any() else x
        if same:
            return np.ascontiguousarray(filled, np.float32)
        found = filled[:, source]
        found[:, flags] = missing[:, source[flags]]
        found[:, equals] = found[:, equals] == value[equals]
        return np.ascontiguousarray(found, np.float32)

    return inputs, outputs, run


LAYERS |= {"columns": _columns}
TABLES |= {"read": read_rows, "check": check_columns}
