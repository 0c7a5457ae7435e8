"""Names of classes and columns, which may be anybody's: as sentences and tables have them, and as a figure can.

A figure's font lacks most of the world's signs, and would draw boxes. A name with such signs is drawn as its number,
"#3", and written with that number before it. Long names are cut so that they stay different: at the end, or in the
middle, or at the beginning, or with their number before them.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence

from genreg_np.data.labels import short_name

PLAIN = {"parse_math": False}  # of a text of a figure: a name with dollars in it is no formula


def drawn(names: Sequence[str], width: int = 16) -> list[str]:
    """Return names as a figure can draw them."""
    cut = _cut(names, width)
    return [cut[place] if _has_signs(name) else f"#{place}" for place, name in enumerate(names)]


def written(names: Sequence[str], width: int = 16) -> list[str]:
    """Return names as sentences and tables have them."""
    return [
        text if _has_signs(name) or text.startswith(f"#{place} ") else f"#{place} {text}"
        for place, (name, text) in enumerate(zip(names, _cut(names, width), strict=True))
    ]


def _cut(names: Sequence[str], width: int) -> list[str]:
    """Return names of at most so many letters, different ones unlike one another."""
    found = [short_name(name, width) for name in names]
    for how in (_with_end, _end, _numbered):
        times = Counter(found)
        found = [
            text if times[text] == 1 else how(name, place, width)
            for place, (name, text) in enumerate(zip(names, found, strict=True))
        ]
    return found


def _with_end(name: str, place: int, width: int) -> str:
    """Return a name cut in its middle."""
    line = _whole(name)
    head = (width - 1) // 2
    return line if len(line) <= width else f"{line[:head]}…{line[head + 1 - width :]}"


def _end(name: str, place: int, width: int) -> str:
    """Return a name cut at its beginning."""
    line = _whole(name)
    return line if len(line) <= width else f"…{line[1 - width :]}"


def _numbered(name: str, place: int, width: int) -> str:
    """Return a name cut at its end, with its number before it, or the number alone where there is no room."""
    room = width - len(f"#{place} ")
    return f"#{place} {short_name(name, room)}" if room > 1 else f"#{place}"


def _whole(name: str) -> str:
    return short_name(name, len(name) + 2)


def _has_signs(name: str) -> bool:
    """Whether the font has all signs of a name."""
    return name.isascii() or all(ord(sign) in _signs() for sign in _whole(name))


@functools.cache
def _signs() -> frozenset[int]:
    """Return the codes of the signs that matplotlib's own font has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())
