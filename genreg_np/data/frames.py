"""Tables in memory (pandas, polars) with columns other than numbers, which are read like those of a .csv file.

All columns are kept, informative or not, since the user has chosen them.

Shapes: N rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.checked import Array, fields_of_arrays
from genreg_np.data.columns import Asked, Found, Odd, describe, described_notes, encode, kinds_note
from genreg_np.data.split import SPLITS, Split
from genreg_np.data.stored import Series, Stored
from genreg_np.errors import DataError
from genreg_np.infer import ModelError
from genreg_np.infer_table import inputs_of, text_of

SWAPPED = 1  # the row numbers' bit that is inverted, so that they are not taken for a column that counts the rows


def is_mixed(frame: Any) -> bool:
    """Return whether a table has columns other than numbers, or missing values."""
    array = np.asarray(frame)
    if array.dtype.kind not in "biuf":
        return True
    return array.dtype.kind == "f" and bool(np.isnan(array).any())


def fields_of_frames(name: str, pairs: Mapping[str, tuple[Any, Array]], label: str, **told: Any) -> dict[str, Any]:
    """Return the fields of a Dataset made of tables and their labels.

    Parameters
    ----------
    name : str
        The dataset's name in errors and models.
    pairs : mapping
        A table and labels of train, and of validation and test unless these are to be held out of it.
    label : str
        The name of the labels, or "".
    **told
        Further arguments of `checked.fields_of_arrays`.

    Raises
    ------
    DataError
        As `checked.fields_of_arrays`, and for tables whose columns differ from those of train, or an invalid column.
    """
    numbers: dict[str, tuple[Array, Array]] = {}
    count = 0
    for split, (frame, labels) in pairs.items():
        numbers[split] = (np.arange(count, count + len(frame)) ^ SWAPPED)[:, None], labels
        count += len(frame)
    fields = fields_of_arrays(name, numbers, name=name, **told)
    rows = {split: fields[split].inputs[:, 0] ^ SWAPPED for split in SPLITS}
    series = _series(name, [frame for frame, _ in pairs.values()])
    asked = Asked(keep=tuple(one.name for one in series))
    found = [_described(name, one, rows["train"], asked, np.arange(count)) for one in series]
    inputs, described = encode(found, count), [one.described for one in found if one.described is not None]
    if not described:
        raise DataError(f"{name}: no column has a value to learn from")
    parts = {split: Split(inputs[rows[split]], fields[split].labels, fields[split].weights) for split in SPLITS}
    return {
        **fields,
        **parts,
        "note": "; ".join(filter(None, [*described_notes(found), kinds_note(described), fields["note"]])),
        "input_range": None,
        "feature_names": tuple(part for column in described for part in inputs_of(column)),
        "columns": tuple(described),
        "label": label if fields["class_names"] else "",
    }


def _series(name: str, frames: list[Any]) -> list[Series]:
    """Return the columns of tables concatenated, in the order of the first table."""
    names = [str(column) for column in frames[0].columns]
    if twice := [column for column, count in Counter(names).items() if count > 1]:
        raise DataError(f"{name}: more than one column is called {twice[0]!r}; give each its own name")
    stored = {column: Stored() for column in names}
    for frame in frames:
        theirs = {str(column): column for column in frame.columns}
        if set(theirs) != set(names) or len(theirs) != len(list(frame.columns)):
            raise DataError(f"{name}: a table has other columns than that of train: use the same names")
        for column, one in stored.items():
            texts = texts_of(name, column, frame[theirs[column]])
            one.extend(texts, partial(_where, name, column), range(len(texts)))
    return [one.finished(column) for column, one in stored.items()]


def texts_of(name: str, column: str, values: Iterable[Any]) -> list[str]:
    """Return a column's values as text, stripped; raises DataError for several in one field, such as a list."""
    texts: list[str] = []
    for row, value in enumerate(values):
        try:
            texts.append(text_of(value).strip())
        except ModelError as error:
            raise DataError(f"{name}, row {row}, column {column!r}: {error}") from None
    return texts


def _where(name: str, column: str, row: int) -> str:
    return f"{name}, row {row}, column {column!r}"


def _described(name: str, series: Series, train: NDArray[np.int64], asked: Asked, rows: NDArray[np.int64]) -> Found:
    try:
        return describe(name, series, train, asked, rows)
    except Odd as error:
        raise DataError(f"{name}, row {error.row}, {error.words.partition(', or say --kind')[0]}") from None
