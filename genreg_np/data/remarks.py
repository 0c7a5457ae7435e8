"""Remarks on columns of words that look like something else: dates of two formats, months, numbers with a sign.

Shapes: none; texts are the distinct ones of a column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from genreg_np.data.labels import finite_number, short_name
from genreg_np.infer_table import ORDERS, date_of, number_of

MONTH = re.compile(r"\d{4}[-/.]\d{1,2}", re.ASCII)
SIGNS = "$€£¥% "  # around numbers, besides commas in thousands
BEYOND = "is beyond float32, which ends at 3.4e38; rescale the column, or leave it out"


def is_beyond(text: str) -> bool:
    """Return whether a text is a finite number that float32 cannot hold."""
    return finite_number(text) is not None and number_of(text) is None


def of_words(name: str, texts: Sequence[str]) -> str:
    """Return a remark on a column that is read as words; usually "".

    Parameters
    ----------
    name : str
        The column's.
    texts : sequence of str
        Its distinct texts that are not missing.
    """
    if not texts:
        return ""
    shown = short_name(name)
    if all(MONTH.fullmatch(text) for text in texts):
        return f"{shown!r}: months such as {texts[0]} are read as words: write them with a day to read them as dates"
    if all(number_of(text.strip(SIGNS).replace(",", "")) is not None for text in texts):
        signed = next(text for text in texts if number_of(text) is None)
        return f"{shown!r}: numbers such as {signed!r} are read as words: remove the sign to read them as numbers"
    if all(any(date_of(text, order) for order in ORDERS) for text in texts):
        usual = max(ORDERS, key=lambda order: sum(date_of(text, order) is not None for text in texts))
        one = next(text for text in texts if date_of(text, usual))
        other = next((text for text in texts if not date_of(text, usual)), one)
        return f"{shown!r}: looks like dates of two formats ({one}, {other}), and is read as words: write all in one"
    return ""
