"""The part of a script (script.py) that reads a table: `read`, and the functions that check what it reads.

A script takes what the search would take, and ends with a line for anything else: a field that does not fit its column
is no missing value. Dates must be written in one of the ways of the table that the search has read.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genreg_np.data.columns import DATES, FLAGS, NUMBERS, WORDS
from genreg_np.data.rows import PACKED_SUFFIXES
from genreg_np.search.tabular.apart import CENTURIES, OFFSETS, Apart
from genreg_np.search.tabular.rows import TEXT, Column, Rows

PARTS = {
    "year": "year",
    "month": "month",
    "day": "day",
    "weekday": "day_of_week",
    "hour": "hour + times.minute / 60 + times.second / 3600",
}  # attributes of dates in pandas
OFFSET = r"(:\d\d(?:\.\d+)?) ?(?:Z|[+-]\d\d:?\d\d)$"  # of a time zone, after a time
TWO_DIGITS = r"^((?:\d{1,2}\W+\w+|[^\W\d]+\W+\d{1,2})\W+)(\d\d)(?!\d)"
LONG_YEARS = f'''def long_years(texts):
    """Return dates with two-digit years expanded to four digits: 70 is 1970, 69 is 2069."""

    def expanded(found):
        return found[1] + ("19" if int(found[2]) >= 70 else "20") + found[2]

    return texts.str.replace(r"{TWO_DIGITS}", expanded, regex=True)'''
ORDER = {"ymd": "yearfirst=True", "dmy": "dayfirst=True", "mdy": "dayfirst=False"}
CHECKED = '''def checked(path, texts, values, what):
    """Return a column's values; end if a text that is not missing has no value."""
    odd = texts.index[texts.notna() & values.isna()]
    if len(odd):
        where = f"{path}, data row {odd[0] + 1}, column {texts.name!r}"
        sys.exit(f"{where}: {texts[odd[0]]!r} is not {what}: correct it, or leave it empty if it is missing")
    return values'''
AS_NUMBERS = '''def numbers(path, texts):
    """Return a column as numbers."""
    values = pd.to_numeric(texts, errors="coerce")
    return checked(path, texts, values.where(values.abs() <= 3.4e38), "a finite number")'''
AS_FLAGS = '''def flags(path, texts):
    """Return a column as 1 for yes, and 0 for no."""
    values = pd.to_numeric(texts.str.lower().map(lambda text: FLAGS.get(text, text)), errors="coerce")
    return checked(path, texts, values.where(values.isin([0, 1])), "yes or no")'''
AS_DATES = '''def dates(texts, formats):
    """Return texts as dates of the first format that fits."""
    found = pd.to_datetime(texts, format=formats[0], errors="coerce")
    for one in formats[1:]:
        found = found.fillna(pd.to_datetime(texts, format=one, errors="coerce"))
    return found'''
EXAMPLE = datetime.datetime(2024, 12, 31, 18, 30)  # in messages about dates
SHOWN = 3  # formats in a message


@dataclass(frozen=True)
class Header:
    """How a table begins.

    Parameters
    ----------
    is_there : bool
    before : int
        Lines before the header, or before the first row if there is none: comments and empty lines.
    is_comment : bool
        Whether the header begins with #.
    has_gaps : bool
        Whether a column has no name.
    has_lines : bool
        Whether the header may span several lines.
    says_separator : bool
        Whether the first line only names the separator: sep=;
    """

    is_there: bool
    before: int
    is_comment: bool = False
    has_gaps: bool = False
    has_lines: bool = False
    says_separator: bool = False


@dataclass(frozen=True)
class Source:
    """Where a table comes from, and how its rows are kept apart.

    Parameters
    ----------
    path : str
    separator : str
        The character between fields.
    names : sequence of str
        The names of all columns.
    header : Header
    group, time : str, optional
        Columns that keep rows apart.
    apart : Apart or None
        What the given one of them contains.
    seed : int
    """

    path: str
    separator: str
    names: Sequence[str]
    header: Header
    group: str | None
    time: str | None
    apart: Apart | None
    seed: int

    def beside(self, folder: Path) -> Source:
        """Return the source with its path relative to a folder."""
        return dataclasses.replace(
            self, path=os.path.relpath(os.path.realpath(self.path), os.path.realpath(folder)).replace(os.sep, "/")
        )


def quoted(text: str) -> str:
    """Return a text as a literal."""
    return json.dumps(text, ensure_ascii=False)


def is_of(column: Column, kind: str) -> bool:
    """Return whether a column of the table is of a kind."""
    return bool(column.source["kind"] == kind)


def looks_for_comments(source: Source) -> bool:
    """Return whether the script counts comment lines at the top: other tables may have more, or none."""
    header = source.header
    return bool(header.before) and not header.is_comment and not source.path.endswith(PACKED_SUFFIXES)


def helpers(rows: Rows, source: Source) -> list[str]:
    """Return the functions that `read` and others call."""
    dates: list[Column | Apart] = [*rows.columns, *([] if source.apart is None else [source.apart])]
    in_numbers = not rows.class_names or (source.apart is not None and source.apart.kind == NUMBERS)
    wanted = {
        LONG_YEARS: any(CENTURIES in one.ways for one in dates),
        CHECKED: True,
        AS_NUMBERS: in_numbers or any(is_of(one, NUMBERS) for one in rows.columns),
        AS_FLAGS: any(is_of(one, FLAGS) for one in rows.columns),
        AS_DATES: any(len(one.formats) > 1 for one in dates),
    }
    return [code for code, is_wanted in wanted.items() if is_wanted]


def dates_in(path: str, field: str, order: str, one: Column | Apart) -> tuple[str, str]:
    """Return the expressions that read the dates of a field, and that check them."""
    offsets = f'.str.replace(r"{OFFSET}", r"\\1", regex=True)' if OFFSETS in one.ways else ""
    text, formats, what = f"{field}{offsets}", one.formats, "a date"
    if CENTURIES in one.ways:
        text = f"long_years({text})"
    if formats:
        what += " like " + " or ".join(EXAMPLE.strftime(each) for each in formats[:SHOWN])
    if len(formats) > 1:
        read = f"dates({text}, [{', '.join(map(quoted, formats))}])"
    else:
        how = f"format={quoted(formats[0])}" if formats else f'format="mixed", {ORDER[order]}'
        read = f'pd.to_datetime({text}, {how}, errors="coerce")'
    return read, f"checked({path}, {field}, days, {quoted(what)})"


def needed(rows: Rows) -> str:
    """Return the expression for the names of the columns that are read."""
    names = list(dict.fromkeys(column.source["name"] for column in rows.columns))
    if set(names) == {column.name for column in rows.columns}:
        kinds = {NUMBERS: "NUMBERS", WORDS: "WORDS", TEXT: "TEXTS"}
        return " + ".join(name for kind, name in kinds.items() if any(one.kind == kind for one in rows.columns))
    return f"[{', '.join(map(quoted, names))}]"


def reader(rows: Rows, source: Source) -> str:
    """Return the function that reads a table."""
    lines = [
        "def read(path, needed=COLUMNS):",
        '    """Return the inputs, the table with blanks stripped and missing values as NaN, and the raw table.',
        "",
        "    Fields that a row lacks at its end are missing values.",
        '    """',
        *_raw(source),
        "    lacking = [name for name in needed if name not in raw]",
        "    if lacking:",
        '        there = f"{list(raw)}, separated by {SEPARATOR!r}"',
        '        sys.exit(f"{path}: no column {lacking[0]!r} in {there}: rename one, or save with that separator")',
        "    if raw.empty:",
        '        sys.exit(f"{path}: no rows: add some below the names of the columns")',
        '    table = raw.apply(lambda column: column.str.replace(r"\\s*\\n\\s*", " ", regex=True).str.strip())',
        "    table = table.mask(table.apply(lambda column: column.str.lower().isin(MISSING)))",
        "    inputs = {}",
    ]
    numbers = [column.name for column in rows.columns if column.kind == NUMBERS]
    plain = [column.name for column in rows.columns if is_of(column, NUMBERS)]
    if plain == numbers and len(plain) > 1:
        lines += ["    for name in NUMBERS:", "        inputs[name] = numbers(path, table[name])"]
    done: set[str] = set()
    for column in rows.columns:
        name, own = quoted(column.name), column.source
        field = f"table[{quoted(own['name'])}]"
        if own["kind"] == DATES:
            if own["name"] not in done:
                done.add(own["name"])
                read, check = dates_in("path", field, own["order"], column)
                lines += [f"    days = {read}", f"    times = {check}.dt"]
            lines.append(f"    inputs[{name}] = (times.{PARTS[column.part]}).astype(float)")
        elif own["kind"] == FLAGS:
            lines.append(f"    inputs[{name}] = flags(path, {field})")
        elif own["kind"] == NUMBERS:
            lines += [] if plain == numbers and len(plain) > 1 else [f"    inputs[{name}] = numbers(path, {field})"]
        elif own["kind"] == WORDS:
            has_whole = any(word.lstrip("+-").isdigit() for word in own["words"])
            same = '.str.replace(r"^([+-]?[0-9]+)\\.0*$", r"\\1", regex=True)' if has_whole else ""
            lines.append(f"    inputs[{name}] = {field}{same}")
        else:
            lines.append(f'    inputs[{name}] = {field}.fillna("")')
    if rows.layout.words:
        lines.append("    for name in WORDS:")
        lines.append("        inputs[name] = inputs[name].astype(object).where(inputs[name].notna(), np.nan)")
    lines.append("    return pd.DataFrame(inputs), table, raw")
    return "\n".join(lines)


def _raw(source: Source) -> list[str]:
    """Return the lines that read a file as it is, and name its columns."""
    header, looks = source.header, looks_for_comments(source)
    blanks = source.separator == " "
    how = [r'sep=r"\s+"' if blanks else "sep=SEPARATOR"]
    how += [] if header.is_there else ["header=None"]
    how += [f"skiprows={'before' if looks else header.before}"] if header.before else []
    how += ["dtype=str", "keep_default_na=False", *([] if blanks else ["skipinitialspace=True"])]
    lines = ["    try:"]
    if looks:
        begins = '("#", "sep=")' if header.says_separator else '"#"'
        lines += [
            '        with open(path, encoding="utf-8-sig") as file:',
            "            comments = itertools.takewhile("
            f"lambda line: line.startswith({begins}) or not line.strip(), file)",
            "            before = sum(1 for _ in comments)",
        ]
    lines += [
        f"        raw = pd.read_csv(path, {', '.join(how)})",
        "    except (OSError, EOFError, ValueError) as error:",
        '        why = getattr(error, "strerror", None) or " ".join(str(error).split())',
        '        sys.exit(f"{path}: {why}: name a CSV file in UTF-8, separated by {SEPARATOR!r}")',
    ]
    if not header.is_there:
        return [
            *lines,
            "    names = NAMES if raw.shape[1] == len(NAMES) else [name for name in NAMES if name != LABEL]",
            "    if raw.shape[1] != len(names):",
            '        number = f"the number of fields, separated by {SEPARATOR!r}, is {raw.shape[1]}"',
            '        sys.exit(f"{path}, data row 1: {number}: write {NAMES}; {LABEL!r} may be left out")',
            "    raw.columns = names",
        ]
    names = "raw.columns.str"
    names += '.replace(r"^[# ]+(?=[^# ])", "", regex=True).str' if header.is_comment else ""
    names += '.replace(r"\\s*\\n\\s*", " ", regex=True).str' if header.has_lines else ""
    names += ".strip()"
    if header.has_gaps:
        names = f'[f"column {{k}}" if name.startswith("Unnamed: ") else name for k, name in enumerate({names}, 1)]'
    return [
        *lines,
        "    if not isinstance(raw.index, pd.RangeIndex):",
        '        sys.exit(f"{path}, data row 1: more fields than names of columns: remove some, or name all")',
        f"    raw.columns = {names}",
    ]
