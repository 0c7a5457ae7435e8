"""Remarks on columns of words that look like something else: numbers with a sign or unit, times, months, odd dates.

Spreadsheets write such columns: "1 234" with a space that does not break, "70 kg", "$3.50", "1/2/2024 2:30 PM".

Shapes: none; texts are the distinct ones of a column.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from genreg_np.data.labels import finite_number, short_name
from genreg_np.data.rows import DECIMAL_COMMA, THOUSANDS
from genreg_np.infer_table import ORDERS, YEARS, date_of, number_of

NUMBER_SHARE = 0.8  # of the distinct texts that are numbers: the few words among them are mistakes
MONTH = re.compile(r"\d{4}[-/.]\d{1,2}", re.ASCII)
SIGNS = "$€£¥%"  # around numbers
SPACES = " \u00a0\u2007\u2009\u202f'\u2019"  # between thousands: spaces, some of which do not break, and apostrophes
GROUPS = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+(?:[.,]\d*)?", re.ASCII)
POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+,\d+", re.ASCII)  # 1.234,50
POINT = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)  # 1.234, a fraction or with a point between thousands
UNIT = re.compile(
    rf"([-+\d.,{SPACES}]*\d\.?)[{SPACES}]*([°µ]?[A-Za-z]{{1,8}}[²³]?(?:/[A-Za-z]{{1,4}}[²³]?)?)", re.ASCII
)
TIME = re.compile(r"(?:(.*\S)\s+)?\d{1,2}:[0-5]\d(?::[0-5]\d(?:\.\d*)?)?(?:\s*([AaPp])\.?[Mm]\.?)?")
MOST_READ = 10_000  # distinct texts by which a column is judged
LONGEST = 64  # characters of a number or time
BEYOND = "is beyond float32, which ends at 3.4e38; rescale the column, or leave it out"


def is_beyond(text: str) -> bool:
    """Return whether a text is a finite number that float32 cannot hold."""
    return finite_number(text) is not None and number_of(text) is None


def with_commas(text: str) -> str:
    """Return how to write a number that has commas, in thousands or before decimals; "" for any other text."""
    if THOUSANDS.fullmatch(text):
        return "write thousands without commas, and decimals with a point"
    if POINTS.fullmatch(text):
        return "write thousands without points, and decimals with a point"
    if DECIMAL_COMMA.fullmatch(text):
        return "write a decimal point (or name another separator with --separator)"
    return ""


def plain_number(text: str) -> tuple[float, str] | None:
    """Return the number that a text means, and what is to be removed from it: "" if nothing; None if it means none.

    "$3.50" is 3.5 with a sign, "70 kg" is 70 with a unit, "1 234" is 1234 with spaces, and "1,5" is 1.5.
    """
    if (number := number_of(text)) is not None:
        return number, ""
    if len(text) > LONGEST:
        return None
    bare = text.strip(SIGNS + SPACES)
    extra = "sign" if bare != text.strip(SPACES) else ""
    if found := UNIT.fullmatch(bare):
        bare, extra = found[1], "unit"
    if GROUPS.fullmatch(bare):
        between = "apostrophes" if "'" in bare or "\u2019" in bare else "spaces"
        bare, extra = re.sub(f"[{SPACES}]", "", bare).replace(",", "."), extra or between
    elif POINTS.fullmatch(bare):
        bare = bare.replace(".", "").replace(",", ".")
    elif THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    elif DECIMAL_COMMA.fullmatch(bare):
        bare = bare.replace(",", ".")
    number = number_of(bare)
    return None if number is None else (number, extra)


def number_like(texts: Sequence[str]) -> tuple[str, str]:
    """Return a text and what keeps it from being a number ("sign", "unit", "spaces"), if most mean one; else two "".

    Parameters
    ----------
    texts : sequence of str
        Distinct texts that are not missing. Units must be the same in all.
    """
    found = {text: known for text in texts if (known := plain_number(text)) is not None}
    units = {_unit(text) for text, (_, extra) in found.items() if extra == "unit"}
    written = [(text, extra) for text, (_, extra) in found.items() if extra]
    if not written or len(units) > 1 or len(found) < NUMBER_SHARE * len(texts) or (units and len(texts) == 1):
        return "", ""
    return written[0]


def removal(extra: str, texts: Sequence[str]) -> str:
    """Return what to remove from texts to make numbers of them: what `number_like` says, and points of thousands.

    380.424 may be a fraction, or 380424 with a point between thousands: so it is if all with a point have three digits
    after it.
    """
    bare = [
        found[1] if (found := UNIT.fullmatch(one)) else one for one in (text.strip(SIGNS + SPACES) for text in texts)
    ]
    with_point = [text.strip(SPACES) for text in bare if "." in text]
    if with_point and all(POINT.fullmatch(text) for text in with_point):
        return f"the {extra}, and the points if they separate thousands,"
    return f"the {extra}"


def _unit(text: str) -> str:
    found = UNIT.fullmatch(text.strip(SIGNS + SPACES))
    return found[2].lower() if found else ""


def of_words(name: str, texts: Sequence[str]) -> str:
    """Return a remark on a column that is read as words; usually "".

    Parameters
    ----------
    name : str
        The column's.
    texts : sequence of str
        Its distinct texts that are not missing.
    """
    texts = texts[:MOST_READ]
    if not texts:
        return ""
    shown = short_name(name)
    if all(MONTH.fullmatch(text) for text in texts):
        return f"{shown!r}: months such as {texts[0]} are read as words: write them with a day to read them as dates"
    written, extra = number_like(texts)
    if written:
        way = f"remove {removal(extra, texts)} to read them as numbers"
        return f"{shown!r}: numbers such as {written!r} are read as words: {way}"
    if times := _of_times(texts):
        return f"{shown!r}: {times}"
    if all(any(date_of(text, order, YEARS) for order in ORDERS) for text in texts):
        counts = Counter(order for text in texts for order in ORDERS if date_of(text, order, YEARS))
        usual = max(ORDERS, key=lambda order: counts[order])
        one = next(text for text in texts if date_of(text, usual, YEARS))
        other = next((text for text in texts if not date_of(text, usual, YEARS)), one)
        return f"{shown!r}: looks like dates of two formats ({one}, {other}), and is read as words: write all in one"
    return ""


def _of_times(texts: Sequence[str]) -> str:
    """Return a remark on times of day, with AM and PM or without a date; "" if most texts are none."""
    short = (text for text in texts if len(text) <= LONGEST)
    found = [(text, match[1], match[2]) for text in short if (match := TIME.fullmatch(text))]
    halves = [text for text, day, half in found if half and (day is None or _is_day(day))]
    if len(halves) >= NUMBER_SHARE * len(texts):
        return f"times such as {halves[0]!r} are read as words: write hours from 0 to 23, without AM and PM"
    alone = [text for text, day, _ in found if day is None]
    if len(alone) >= NUMBER_SHARE * len(texts):
        return f"times such as {alone[0]!r} are read as words: write them as numbers (14.5 for 14:30), or with a date"
    return ""


def _is_day(text: str) -> bool:
    return any(date_of(text.rstrip(","), order, YEARS) for order in ORDERS)
