"""The kinds of a table's columns: numbers, words, yes or no, dates; and uninformative columns, which are left out.

    constant      one value in all rows, or no value
    counting      whole numbers in equal steps from row to row, up or down: they give away the label of a sorted table
    identifiers   words that hardly ever recur, or distinct whole numbers in a column that is called id or has no name

The user can override this: keep=("id",), drop=("name",), kind=("zip=words",).

In a column of words, each word that occurs in at least two training rows and in one of five hundred has an input of its
own, up to 64 words; all other words share one, including those first seen at prediction.

Shapes: N rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.labels import quoted, short_name
from genreg_np.data.quantities import LEAST_COUNTING, counting_step, rises
from genreg_np.data.remarks import BEYOND, NUMBER_SHARE, is_beyond, of_words, with_commas
from genreg_np.data.stored import Series
from genreg_np.errors import DataError, UsageError, did_you_mean
from genreg_np.infer_table import ORDERS, PARTS, YEARS, Fields, date_of, flag_of, is_missing, number_of, word_of

TEXT = "text"  # a kind that searches read, and networks do not
UNIQUE = "words of which hardly any recurs"
KINDS = NUMBERS, WORDS, FLAGS, DATES = "numbers", "words", "flags", "dates"
MOST_WORDS = 64  # of a column
LEAST_OF_WORD, SHARE_OF_WORD = 2, 0.002  # rows, and share of the rows, that a word needs
IDENTIFIER_SHARE, LEAST_IDENTIFIERS = 0.5, 20  # distinct words as a share of the rows, and their least number
IDENTIFIER = re.compile(r"(?i:(.*[ _.-])?(id|uuid|guid|key)|index|row[ _.]?names?)|.*[a-z]I[dD]", re.ASCII)
UNNAMED = re.compile(r"Unnamed: \d+(_level_\d+)?(\.\d+)*|\.\.\.\d+", re.ASCII)  # by pandas and R's readr
EXACT = 1 << 24  # float32 represents all whole numbers below this exactly
EMPTY = "empty"
BLURRED = 0.01  # of a column's standard deviation: the largest acceptable float32 step
MOST_NOTES = 8  # about columns, in a line

Description = dict[str, Any]  # of a column, as in a model's header


@dataclass(frozen=True)
class Asked:
    """The user's choices about columns."""

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    kinds: Mapping[str, str] | None = None

    @classmethod
    def of(cls, keep: Sequence[str], drop: Sequence[str], kind: Sequence[str], *others: str) -> Asked:
        """Read the options; `others` are kinds that the caller accepts besides KINDS.

        Raises
        ------
        UsageError
            For an unknown kind.
        """
        kinds: dict[str, str] = {}
        able = (*KINDS, *others)
        for text in kind:
            name, _, what = text.rpartition("=")
            if what not in able or not name:
                only = f" ({TEXT} is for genreg-np search table)" if what == TEXT and name else ""
                raise UsageError(f"kind {text!r} must look like COLUMN=KIND, the kind one of {', '.join(able)}{only}")
            if kinds.get(name, what) != what:
                raise UsageError(f"kind: column {name!r} cannot be {kinds[name]} and {what}: name it once")
            kinds[name] = what
        return cls(tuple(keep), tuple(drop), kinds)

    def check(self, path: object, names: Sequence[str], others: Iterable[str | None] = ()) -> None:
        """Refuse columns that do not exist or are not features: `others` are the labels and weights.

        Raises
        ------
        UsageError
            With the closest name that exists.
        """
        for name in (*self.keep, *self.drop, *(self.kinds or ())):
            if name not in names:
                raise UsageError(f"{path}: no column {name!r}{did_you_mean(name, names)}")
        if both := {*self.keep, *self.drop, *(self.kinds or ())} & set(others):
            raise UsageError(
                f"{path}: column {min(filter(None, both))!r} is a label or a weight; keep, drop and kind are for "
                "features (--task classes or values says what a label is)"
            )
        if both := set(self.keep) & set(self.drop):
            raise UsageError(f"{path}: column {min(both)!r} cannot be both kept and dropped")


@dataclass(frozen=True)
class Found:
    """A column and how it is used."""

    series: Series
    described: Description | None  # None if it is left out
    why: str = ""  # the reason for leaving it out
    note: str = ""  # a remark for the user


def describe(path: object, series: Series, train: NDArray[np.int64], asked: Asked, rows: NDArray[np.int64]) -> Found:
    """Describe a column: its kind by all rows, its words by those of the training split.

    Raises
    ------
    DataError
        For a column of numbers with a few words among them, or with commas in the numbers.
    """
    name = series.name
    if name in asked.drop:
        return Found(series, None, "dropped")
    guessed = name not in (asked.kinds or {})
    kind = _kind(path, series) if guessed else (asked.kinds or {})[name]
    why = _tells_nothing(series, kind, rows)
    if why == EMPTY or (why and name not in asked.keep and guessed):
        return Found(series, None, why, of_words(name, _known(series)) if kind == WORDS else "")
    described: Description = {"name": name, "kind": kind}
    if kind == WORDS:
        described["words"] = words_of(series.of(train))
    if kind == DATES:
        order = date_order(_known(series))
        if order is None:
            raise DataError(
                f"{path}, column {short_name(name)!r}: not all are dates of one format, such as 2024-12-31 or "
                "31.12.2024: name another kind"
            )
        described |= {"order": order, "parts": date_parts(_known(series), order)}
    _check(path, series, described)
    note = _note(series, described, guessed)
    if not note and kind == NUMBERS and guessed and name not in asked.keep:
        note = _numbering_note(series, rows)
    return Found(series, described, note=note)


def _numbering_note(series: Series, places: NDArray[np.int64]) -> str:
    """Return a remark on whole numbers that rise or fall from row to row, as the index of a part of a table does."""
    numbers = series.as_numbers()
    if numbers is None or not (way := rises(numbers, places)):
        return ""
    name = short_name(series.name)
    return f"{name!r}: {way} from row to row: leave it out if it only numbers the rows (--drop {name!r})"


def _note(series: Series, described: Description, guessed: bool) -> str:
    """Return a remark on a column that may have been misread; usually an empty one."""
    name = short_name(series.name)
    if described["kind"] == WORDS and guessed:
        return of_words(series.name, _known(series))
    if described["kind"] == DATES and described["order"] != "ymd":
        fitting = [order for order in ORDERS if all(date_of(text, order, YEARS) for text in _known(series))]
        if len(fitting) > 1:
            return f"{name!r}: dates could be day-month or month-day and are read as {order_in_words(described)}"
    if described["kind"] == NUMBERS:
        each = np.array([number_of(text) for text in _known(series)], np.float64)
        values: NDArray[Any] = each if series.numbers is None else series.numbers
        if (note := blurred_note(name, values)) and (series.numbers is not None or len(each) > 1):
            return note
        if guessed and any(re.fullmatch("0[0-9]+", text) for text in series.texts):
            return f"{name!r}: read as numbers, without their leading zeros (--kind {name}=words if they are names)"
    return ""


def blurred_note(name: str, values: NDArray[Any]) -> str:
    """Return a remark on numbers, NaN where one is missing, that float32 cannot tell apart well; usually ""."""
    low, high = np.nanmin(values), np.nanmax(values)
    step = np.spacing(np.float32(max(abs(low), abs(high))))
    if low == high or not step > BLURRED * np.nanstd(values):
        return ""
    return (
        f"{name!r}: float32 resolves its numbers only in steps of {step:g}: subtract {np.nanmedian(values):.0f} first"
    )


def order_in_words(described: Description) -> str:
    """Return the order of a date's parts: "day-month-year"."""
    return "-".join({"y": "year", "m": "month", "d": "day"}[sign] for sign in described["order"])


def _known(series: Series) -> list[str]:
    """Return the distinct texts that are not missing."""
    return [text for text in series.texts if not is_missing(text)]


def _kind(path: object, series: Series) -> str:
    if series.numbers is not None:
        return NUMBERS
    texts = _known(series)
    numbers = sum(number_of(text) is not None for text in texts)
    if numbers == len(texts):
        return NUMBERS
    if all(flag_of(text) is not None for text in texts):
        return FLAGS
    odd = next(text for text in texts if number_of(text) is None)
    commas = [text for text in texts if with_commas(text)]
    if commas and len(commas) + numbers >= NUMBER_SHARE * len(texts):
        way = f"{with_commas(commas[0])}, or say --kind {short_name(series.name)!r}=words"
        raise _odd(path, series, commas[0], way)
    beyond = [text for text in texts if is_beyond(text)]
    if len(texts) > 1 and beyond and numbers + len(beyond) >= NUMBER_SHARE * len(texts):
        raise _odd(path, series, beyond[0], f", or say --kind {short_name(series.name)!r}=words", BEYOND)
    infinite = [text for text in texts if text.lower().lstrip("+-") in ("inf", "infinity")]
    if numbers and numbers + len(infinite) == len(texts):
        odd = infinite[0]
    if (numbers >= NUMBER_SHARE * len(texts) or odd in infinite) and len(texts) > 1:
        raise _odd(
            path, series, odd,
            f"fix it, leave it empty if the value is missing, or say --kind {short_name(series.name)!r}=words"
            if odd not in infinite
            else "fix it, or remove the line or column",
        )  # fmt: skip
    return DATES if date_order(texts) is not None else WORDS


def _odd(path: object, series: Series, text: str, way_out: str, what: str = "is not a finite number; ") -> DataError:
    row = int(np.flatnonzero(series.codes == series.texts.index(text))[0])
    return Odd(f"column {short_name(series.name)!r}: {short_name(text, 40)!r} {what}{way_out}", row)


class Odd(DataError):
    """A field that does not fit its column; the caller adds the line number."""

    def __init__(self, words: str, row: int) -> None:
        super().__init__(words)
        self.words, self.row = words, row


def _tells_nothing(series: Series, kind: str, places: NDArray[np.int64]) -> str:
    """Return why a column is left out, or ""; `places` are the positions of the rows in the file, from 0."""
    rows = len(series)
    if series.numbers is None and len(series.texts) <= 1:
        return "the same in all rows" if _known(series) else EMPTY
    if kind == NUMBERS:
        numbers = series.as_numbers()
        if numbers is None:  # numbers by the user's word, with others among them, which _check refuses
            return ""
        if np.isnan(numbers).all():
            return EMPTY
        if step := counting_step(numbers, places):
            return "counts the rows" + {1: "", -1: " backwards"}.get(step, f" in steps of {step}")
        nameless = series.unnamed or UNNAMED.fullmatch(series.name) is not None
        likely = nameless or IDENTIFIER.fullmatch(series.name) is not None
        whole = likely and rows >= LEAST_COUNTING and bool((numbers == np.rint(numbers)).all())
        blurred = series.numbers is not None and np.abs(numbers).max() >= EXACT  # and thousands of distinct texts
        if not whole or not (blurred or len(np.unique(numbers)) == rows):
            return ""
        return "an index without a name" if nameless else "identifies the rows"
    if series.numbers is not None:  # of another kind at the user's request
        return ""
    texts = _known(series)
    if not texts:
        return EMPTY
    known = int(series.counts()[[not is_missing(text) for text in series.texts]].sum())
    if kind == WORDS and len(texts) >= LEAST_IDENTIFIERS and len(texts) > IDENTIFIER_SHARE * known:
        return UNIQUE
    return ""


def words_of(series: Series) -> list[str]:
    """Return the words of training rows that have an input of their own, in alphabetical order."""
    counts: dict[str, int] = {}
    for text, count in zip(series.texts, series.counts().tolist(), strict=True):
        if not is_missing(text):
            counts[word_of(text)] = counts.get(word_of(text), 0) + count
    least = max(LEAST_OF_WORD, SHARE_OF_WORD * len(series))
    usual = sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word))
    return sorted(usual[:MOST_WORDS])


def date_order(texts: Iterable[str]) -> str | None:
    """Return the order of year, month and day in which all texts are dates; None if there is none."""
    known = list(texts)
    if not known:
        return None
    return next((order for order in ORDERS if all(date_of(text, order, YEARS) is not None for text in known)), None)


def date_parts(texts: Iterable[str], order: str) -> list[str]:
    """Return the parts in which dates differ."""
    found = [parts for text in texts if (parts := date_of(text, order))]
    return [part for part in PARTS if len({parts[part] for parts in found}) > 1] or [PARTS[0]]


def _check(path: object, series: Series, described: Description) -> None:
    """Refuse a column that does not fit the kind that the user named."""
    read = Fields(described)
    if described["kind"] == FLAGS and series.numbers is not None:
        odd = ~(np.isin(series.numbers, (0, 1)) | np.isnan(series.numbers))
        if odd.any():
            row = int(odd.argmax())
            raise Odd(f"column {short_name(series.name)!r}: {series.numbers[row]:g} is not yes or no", row)
    for text in series.texts:
        try:
            read(text)
        except ValueError as error:
            row = int(np.flatnonzero(series.codes == series.texts.index(text))[0])
            raise Odd(f"column {short_name(series.name)!r}: {error}", row) from None


def encode(found: Sequence[Found], rows: int) -> NDArray[np.float32]:
    """Return all rows of the columns that are kept, (N, I) float32, NaN where a field is missing."""
    parts: list[NDArray[np.float32]] = []
    for one in found:
        if one.described is None:
            continue
        if one.series.numbers is not None:
            parts.append(one.series.numbers[:, None])
            continue
        read = Fields(one.described)
        each = np.array([read(text) for text in one.series.texts], np.float32).reshape(-1, read.width)
        parts.append(each[one.series.codes])
    return np.concatenate(parts, axis=1) if parts else np.empty((rows, 0), np.float32)


def check_known(path: object, found: Sequence[Found], asked: Asked) -> None:
    """Refuse a column of words that the user wants to keep, although no word is known by which to learn from it.

    Raises
    ------
    UsageError
        With another way.
    """
    for one in found:
        named = one.series.name in asked.keep or one.series.name in (asked.kinds or {})
        unknown = one.described is not None and one.described["kind"] == WORDS and not one.described["words"]
        if named and unknown and len(_known(one.series)) >= LEAST_IDENTIFIERS:
            name = short_name(one.series.name)
            raise UsageError(
                f"{path}: column {name!r}: no word recurs, so nothing can be learned from it: leave it out, or, if it "
                f"is free text, use genreg-np search table with --kind {name!r}=text"
            )


def described_notes(found: Sequence[Found]) -> list[str]:
    """Return the remarks on columns that may have been misread, up to MOST_NOTES."""
    return [one.note for one in found if one.note][:MOST_NOTES]


def left_out_note(found: Sequence[Found]) -> str:
    """Return a note on the columns that are left out; "" if there are none."""
    reasons: dict[str, list[str]] = {}
    for one in found:
        if one.described is None and one.why != "dropped":
            reasons.setdefault(one.why, []).append(one.series.name)
    said = [f"{quoted(names)} ({why})" for why, names in reasons.items()]
    return f"left out: {', '.join(said)} (--keep keeps one)" if said else ""


def kinds_note(described: Sequence[Description]) -> str:
    """Return a note on the kinds of columns; "" if all are numbers."""
    counts = {kind: sum(column["kind"] == kind for column in described) for kind in KINDS}
    if counts[NUMBERS] == len(described):
        return ""
    names = {NUMBERS: "of numbers", WORDS: "of words", FLAGS: "of yes and no", DATES: "of dates"}
    return "columns: " + ", ".join(f"{count} {names[kind]}" for kind, count in counts.items() if count)
