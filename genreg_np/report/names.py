"""Format names of classes and columns, which may contain anything, for text and for figures.

The font of figures lacks most of the world's characters, and would draw boxes. A name with such characters is drawn as
its number, "#3", and written in text with the number before it. Long names are cut so that they stay distinct: at the
end, in the middle, at the beginning, or with their number before them.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence

from genreg_np.data.labels import short_name

PLAIN = {"parse_math": False}  # for text in figures: names with dollar signs are not formulas


def drawn(names: Sequence[str], width: int = 16) -> list[str]:
    """Return names in a form that figures can draw."""
    cut = _cut(names, width)
    return [cut[place] if _has_signs(name) else f"#{place}" for place, name in enumerate(names)]


def written(names: Sequence[str], width: int = 16) -> list[str]:
    """Return names in the form used in sentences and tables."""
    return [
        text if _has_signs(name) or text.startswith(f"#{place} ") else f"#{place} {text}"
        for place, (name, text) in enumerate(zip(names, _cut(names, width), strict=True))
    ]


def _cut(names: Sequence[str], width: int) -> list[str]:
    """Return names of at most `width` characters that stay distinct."""
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
    """Return a name cut at its end with its number before it, or only the number if there is no room."""
    room = width - len(f"#{place} ")
    return f"#{place} {short_name(name, room)}" if room > 1 else f"#{place}"


def _whole(name: str) -> str:
    return short_name(name, len(name) + 2)


def _has_signs(name: str) -> bool:
    """Return whether the font has all characters of a name."""
    return name.isascii() or all(ord(sign) in _signs() for sign in _whole(name))


@functools.cache
def _signs() -> frozenset[int]:
    """Return the codes of the characters in matplotlib's default font."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())
