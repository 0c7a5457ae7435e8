"""The labels of a table's rows, which are classes or numbers to predict, and the rows' weights.

Shapes: N rows, K classes or numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.checked import AUTO, CLASSES, VALUES
from genreg_np.data.labels import class_order, encode_labels, label_text, listed, merge_numbers, merged_note, short_name
from genreg_np.data.quantities import quantity, told_as_numbers
from genreg_np.data.remarks import BEYOND, NUMBER_SHARE, is_beyond, number_like, plain_number, removal, with_commas
from genreg_np.data.rows import is_number
from genreg_np.data.stored import Series, Table
from genreg_np.errors import DataError, UsageError
from genreg_np.infer_table import is_missing, number_of

MOST_LABELS = 1 << 16  # distinct labels, far more than the classes that are allowed
FEW_ROWS = 3  # a class with fewer rows is not in every split
BY_WEIGHT = "--class-weight balanced gives classes equal weight"
UNEVEN = 10  # ratio of the largest class to the smallest from which accuracy says little


def targets_of(
    table: Table, targets: Sequence[str], task: str
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[Any], list[str]]:
    """Return the class names, or else the names of the numbers to predict, the labels, and notes on them."""
    columns = [table.column(name) for name in targets]
    why = ""
    if len(targets) == 1 and task != VALUES:
        names, labels, note = _classes(table, columns[0])
        occurring = np.bincount(labels, minlength=len(names)).astype(np.int64)
        why = quantity(names, occurring) if task == AUTO else ""
        if not why:
            if task == AUTO:
                _check_words(table, columns[0], names, labels, occurring)
                return names, (), labels, [note, _check_written(table, columns[0], names, labels, occurring)]
            return names, (), labels, [note]
    elif task == CLASSES:
        raise UsageError(
            f"{table.path}: several label columns are numbers to predict, not classes: name one, or leave task out"
        )
    return (), tuple(targets), numbers_of(table, targets), [told_as_numbers(why)]


def _check_words(
    table: Table, column: Series, names: Sequence[str], labels: NDArray[np.int64], occurring: NDArray[np.int64]
) -> None:
    """Refuse a few words among labels that without them are a quantity; raises DataError with the first one's line."""
    numbers = np.array([number_of(name) is not None for name in names])
    if numbers.all() or numbers.sum() < NUMBER_SHARE * len(names):
        return
    if quantity([name for name in names if number_of(name) is not None], occurring[numbers]):
        row = int((~numbers[labels]).argmax())
        raise DataError(
            f"{table.path}, line {table.lines[row]}, column {column.name!r}: {short_name(names[labels[row]], 40)!r} is "
            "not a finite number, unlike most labels: fix it, leave it empty so that its row is left out, or say "
            "--task classes"
        )


def _check_written(
    table: Table, column: Series, names: Sequence[str], labels: NDArray[np.int64], occurring: NDArray[np.int64]
) -> str:
    """Refuse numbers that are not written as such among labels: with commas, or with a sign if they are a quantity.

    Returns
    -------
    str
        A remark on numbers with a sign that are classes; "" if there are none.

    Raises
    ------
    DataError
        With the line of the first one.
    """
    if len(names) < 2:
        return ""

    def odd(places: Sequence[int], way: Callable[[str], str]) -> DataError:
        row = int(np.isin(labels, places).argmax())
        name = names[labels[row]]
        where = f"{table.path}, line {table.lines[row]}, column {column.name!r}: {short_name(name, 40)!r}"
        return DataError(f"{where} is not a finite number; {way(name)}, or say --task classes")

    commas = [place for place, name in enumerate(names) if with_commas(name)]
    numbers = sum(number_of(name) is not None for name in names)
    if commas and len(commas) + numbers >= NUMBER_SHARE * len(names):
        raise odd(commas, with_commas)
    written, extra = number_like(names)
    if not written:
        return ""
    known = {place: one for place, name in enumerate(names) if (one := plain_number(name)) is not None}
    if quantity([str(number) for number, _ in known.values()], occurring[list(known)]):
        extras = [place for place, (_, extra) in known.items() if extra]
        raise odd(extras, lambda _: f"remove {removal(extra, names)} if labels are numbers to predict")
    way = f"remove {removal(extra, names)} to predict them as numbers"
    return f"{column.name!r}: numbers such as {written!r} are classes: {way}"


def numbers_of(table: Table, targets: Sequence[str]) -> NDArray[np.float64]:
    """Return columns of numbers to predict, (N, K).

    Raises
    ------
    DataError
        For the first field that is not a number.
    """
    found = []
    for column in map(table.column, targets):
        numbers = column.as_numbers()
        if numbers is None:
            text = next(text for text in column.texts if not is_missing(text) and number_of(text) is None)
            row = int(np.flatnonzero(column.codes == column.texts.index(text))[0])
            what = "is not a number to predict; "
            if is_beyond(text):
                what = BEYOND
            elif with_commas(text):
                what += with_commas(text)
            elif known := plain_number(text):
                what += f"remove {removal(known[1], column.texts)}".rstrip(",")
            else:
                what += "name another column with --label"
            raise DataError(
                f"{table.path}, line {table.lines[row]}, column {column.name!r}: {short_name(text, 40)!r} {what}"
            )
        found.append(numbers)
    return np.stack(found, axis=1)


def _classes(table: Table, column: Series) -> tuple[tuple[str, ...], NDArray[np.int64], str]:
    """Return class names, the class of each row, and a note."""
    if column.numbers is not None:
        distinct, inverse = np.unique(column.numbers, return_inverse=True)
        texts, places = [label_text(float(value)) for value in distinct], inverse.astype(np.int64)
    else:
        texts, places = [label_text(text) for text in column.texts], column.codes.astype(np.int64)
    used = np.bincount(places, minlength=len(texts)) > 0
    if used.sum() > MOST_LABELS and any(not is_number(text) for text in texts):
        raise DataError(
            f"{table.path}: more than {MOST_LABELS:,} different labels in column {column.name!r}: identifiers, not "
            "classes; name the column of classes with --label"
        )
    merged = merge_numbers(text for text, is_used in zip(texts, used, strict=True) if is_used)
    names = class_order(merged.values())
    classes = encode_labels([merged.get(text, names[0]) for text in texts], names)
    return names, classes[places], merged_note(merged)


def weights_of(table: Table, name: str) -> NDArray[np.float64]:
    """Return how much each row counts, (N,).

    Raises
    ------
    DataError
        For a column with anything but numbers of at least 0.
    """
    numbers = table.column(name).as_numbers()
    if numbers is None:
        numbers = np.array([float(text) if is_number(text) else -1.0 for text in table.column(name).texts])
        numbers = numbers[table.column(name).codes]
    if not (numbers >= 0).all():
        line = table.lines[int((~(numbers >= 0)).argmax())]
        raise DataError(
            f"{table.path}, line {line}, column {name!r}: a weight must be a number of at least 0, in every row"
        )
    return numbers


def told_of(names: Sequence[str], counts: NDArray[np.int64], advice: str = BY_WEIGHT) -> str:
    """Return a note on classes with few rows, or with far fewer than others; "" if there are none.

    Parameters
    ----------
    names : sequence of str
        K names.
    counts : (K,) int64
        Rows of each.
    advice : str
        How to give classes equal weight.
    """
    if rare := told_of_rare(names, counts):
        return rare
    if len(counts) > 1 and counts.max() >= UNEVEN * counts.min():
        share = 100 * counts.max() / counts.sum()
        most, least = short_name(names[int(counts.argmax())]), short_name(names[int(counts.argmin())])
        return (
            f"{share:.0f} % of all rows are of class {most}, {counts.min():,} of class {least}: accuracy alone says "
            f"little ({advice})"
        )
    return ""


def told_of_rare(names: Sequence[str], counts: NDArray[np.int64]) -> str:
    """Return a note on the classes, of K names, that have fewer than FEW_ROWS rows; "" if there are none."""
    rare = [names[k] for k in np.flatnonzero(counts < FEW_ROWS).tolist()]
    if not rare:
        return ""
    have = f"{listed(rare, 5)} {'has' if len(rare) == 1 else 'have'} {FEW_ROWS - 1} rows at most"
    return f"{have}: too few to learn from and to measure, whatever their weight"
