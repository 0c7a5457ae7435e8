"""Read a text file of separated fields as rows, each with the number of the line it begins on.

The separator is the one given, else the one that a first line such as `sep=;` names for spreadsheets, else whichever of
comma, semicolon, tab, | and blank gives the most rows as wide as the first, and among equals the most numbers; text in
quotes does not count. Lines at the top that begin with # may be
comments: they are yielded like other rows, and the caller decides.

Files are not trusted: a line has a limit of characters, and a field that of the csv module. A quoted field may span
several lines, which are joined; a quote that swallows the rows after it is reported where it opens. Compressed files
(gzip, bzip2, xz) are recognised by their first bytes.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from genreg_np.data.idx import PathLike
from genreg_np.errors import DataError, UsageError
from genreg_np.files import open_regular

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "blank": " "}
LONGEST_LINE = 1 << 24  # characters
SAMPLE_LINES = 40  # used to detect the separator
SAMPLE_CHARACTERS = 1 << 20  # the limit if lines are long
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
STRAY_BYTE = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of bytes that are not UTF-8
NAMED_SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)  # a whole first line
SIGN_ALONE = re.compile("#[,;\t|]")  # a first field that is nothing but #, as of a header, not of a comment

TABLE_SUFFIXES = (".csv", ".tsv")
PACKERS: dict[bytes, str] = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}  # by a file's first bytes
PACKED_SUFFIXES = (".gz", ".bz2", ".xz")

Row = tuple[int, list[str]]  # line number from 1, fields


def parse_separator(text: str) -> str:
    r"""Return the character that a separator's name stands for.

    Parameters
    ----------
    text : str
        comma, semicolon, tab, pipe, blank, or the character itself; \t is a tab too.

    Raises
    ------
    UsageError
        For anything else.
    """
    sign = SEPARATORS.get(text.lower(), "\t" if text == r"\t" else text)
    if sign not in SEPARATORS.values():
        raise UsageError(f"separator {text!r}: must be one of {', '.join(SEPARATORS)}")
    return sign


def is_number(field: str) -> bool:
    """Return whether a field is a number, NaN and infinities included; 1_0, which Python accepts, is not."""
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def read_rows(path: PathLike, separator: str | None = None, keep_empty: bool = False) -> Iterator[Row]:
    """Yield the non-blank rows of a text file; fields are stripped, and those of several lines joined into one.

    Parameters
    ----------
    path : path-like
        A text file in UTF-8.
    separator : str, optional
        As for `parse_separator`; by default detected.
    keep_empty : bool
        Whether to yield rows whose fields are all empty, such as `,,`; empty lines are no rows.

    Raises
    ------
    UsageError
        For an unknown separator.
    DataError
        For a file that cannot be read, is not UTF-8 text, or has a line too long or a quote that is not closed.
    """
    sign = parse_separator(separator) if separator is not None else None
    try:
        with open_regular(path) as raw:
            file_of = _unpacked(raw)
            start = file_of.read(64)
            file_of.seek(0)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start:
                raise DataError(f"{path}: UTF-16 text, or not text at all; save it as CSV in UTF-8")
            with io.TextIOWrapper(file_of, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                yield from _rows(path, file, sign, keep_empty)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name") from None
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: its compressed data are damaged or cut short ({error}); get it again") from None
    except OSError as error:
        why = error.strerror or error  # damaged gzip data give no errno
        raise DataError(f"{path}: cannot be read ({why}); check the file") from None


def separator_of(path: PathLike, separator: str | None = None) -> str:
    """Return the separator of a text file: the one given, else as `read_rows` detects it."""
    if separator is not None:
        return parse_separator(separator)
    with (
        open_regular(path) as raw,
        io.TextIOWrapper(_unpacked(raw), "utf-8-sig", "surrogateescape", newline="") as file,
    ):
        sample = list(itertools.islice(_lines(path, file), SAMPLE_LINES))
        return _named_separator(path, sample) or _separator(sample)


def names_separator(path: PathLike) -> bool:
    """Return whether the first line of a text file only names the separator: `sep=;`."""
    with (
        open_regular(path) as raw,
        io.TextIOWrapper(_unpacked(raw), "utf-8-sig", "surrogateescape", newline="") as file,
    ):
        return _named_separator(path, list(itertools.islice(_lines(path, file), 1))) is not None


def _named_separator(path: PathLike, sample: list[str]) -> str | None:
    """Return the separator that the first line names, and blank that line; None if it is another line.

    Raises
    ------
    DataError
        For a character that separates no fields.
    """
    found = NAMED_SEPARATOR.fullmatch(sample[0]) if sample else None
    if found is None:
        return None
    if found[1] not in SEPARATORS.values():
        raise DataError(
            f"{path}, line 1: names the separator {found[1]!r}, but it must be one of {', '.join(SEPARATORS)}: save "
            "the table with one of these"
        )
    sample[0] = "\n"
    return found[1]


def is_table(path: PathLike) -> bool:
    """Return whether a file has the extension of a table, compressed or not."""
    name = Path(path)
    name = name.with_suffix("") if name.suffix.lower() in PACKED_SUFFIXES else name
    return name.suffix.lower() in TABLE_SUFFIXES


def _unpacked(raw: BinaryIO) -> BinaryIO:
    """Return a file's content as a stream that decompresses as it is read."""
    start = raw.read(8)
    raw.seek(0)
    kind = next((kind for magic, kind in PACKERS.items() if start.startswith(magic)), None)
    if kind is None:
        return raw
    opened: Any = {"gzip": gzip.open, "bz2": bz2.open, "lzma": lzma.open}[kind](raw, "rb")  # type: ignore[operator]
    return cast(BinaryIO, opened)


def _lines(path: PathLike, file: io.TextIOWrapper) -> Iterator[str]:
    """Yield lines, none of them too long; quotes in comments at the top are removed."""
    number, top = 0, True
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise DataError(f"{path}, line {number}: longer than {LONGEST_LINE:,} characters; is it a table?")
        if "\0" in line:
            raise DataError(f"{path}, line {number}: a NUL byte, so not text; save it as CSV in UTF-8")
        if not line.isascii() and STRAY_BYTE.search(line):
            raise DataError(f"{path}, line {number}: not UTF-8 text; save it as CSV in UTF-8")
        named = number == 1 and NAMED_SEPARATOR.fullmatch(line)
        top = bool(top and (line.startswith("#") or not line.strip() or named))
        yield line.replace('"', "") if top and not SIGN_ALONE.match(line) else line


def _rows(path: PathLike, file: io.TextIOWrapper, sign: str | None, keep_empty: bool) -> Iterator[Row]:
    """Parse the lines of an open file."""
    lines = _lines(path, file)
    sample: list[str] = []
    characters = 0
    for line in itertools.islice(lines, SAMPLE_LINES):
        sample.append(line)
        characters += len(line)
        if characters > SAMPLE_CHARACTERS:
            break
    named = _named_separator(path, sample)
    sign = sign or named or _separator(sample)
    taken: list[str] = []  # lines of the current row

    def feed() -> Iterator[str]:
        for line in itertools.chain(sample, lines):
            taken.append(line)
            yield " ".join(line.split()) + "\n" if sign == " " else line
        if taken:  # the parser wants more in the middle of a row
            raise DataError(f'{path}, line {begin()}: a quote (") opens here and is not closed; close or remove it')

    def begin() -> int:
        return reader.line_num - len(taken) + 1

    reader = csv.reader(feed(), delimiter=sign, skipinitialspace=sign != " ")
    width = 0  # of the first row that is not a comment
    try:
        for fields in reader:
            if len(taken) > 1 and width and (len(fields) != width or _are_rows(taken, sign, width)):
                raise DataError(
                    f'{path}, line {begin()}: a quote (") opens here and is closed only in line {reader.line_num}; '
                    "close or remove it"
                )
            row = begin(), [" ".join(field.split()) if len(taken) > 1 else field.strip() for field in fields]
            is_blank = not any(line.strip() for line in taken)
            taken.clear()
            if any(row[1]):
                if sign == " " and row[1][0] == "#" and len(fields) > 1:  # a comment, whose first word is not a field
                    row = row[0], [f"# {row[1][1]}", *row[1][2:]]
                width = width or (0 if row[1][0].startswith("#") else len(fields))
                yield row
            elif keep_empty and fields and not is_blank:
                yield row
    except csv.Error as error:
        what = "a quote that is not closed?" if len(taken) > 1 else error
        raise DataError(f"{path}, line {begin()}: not readable as CSV ({what}); fix the line") from None


def _are_rows(lines: list[str], sign: str, width: int) -> bool:
    """Return whether lines that a quote has joined into one row look like rows themselves."""
    first, *between, last = (len(line.replace('"', "").split(sign)) == width for line in lines)
    return any(between) or (first and last)


def _separator(sample: list[str]) -> str:
    """Return the character that separates a file's first lines; a comma if there is none."""
    lines = [line for line in sample if line.strip() and not line.startswith("#")] or sample
    return max(SEPARATORS.values(), key=lambda sign: _agreement(lines, sign))


def _agreement(lines: list[str], sign: str) -> tuple[int, int, int]:
    """Return how many rows are as wide as the first, how many fields are numbers, and the width of the first row."""
    spaced = [" ".join(line.split()) for line in lines] if sign == " " else lines
    try:
        rows = [fields for fields in csv.reader(spaced, delimiter=sign, skipinitialspace=sign != " ") if fields]
    except csv.Error:
        return 0, 0, 0
    if not rows or len(rows[0]) < 2:
        return 0, 0, 0
    numbers = sum(
        is_number(field) or (sign != "," and bool(DECIMAL_COMMA.fullmatch(field.strip())))
        for fields in rows
        for field in fields
    )
    return sum(len(fields) == len(rows[0]) for fields in rows), numbers, len(rows[0])
