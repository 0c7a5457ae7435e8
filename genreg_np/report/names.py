"""Names of classes and columns, which may be anybody's: as sentences and tables have them, and as a figure can.

A figure's font lacks most of the world's signs, and would draw boxes. A name with such signs is drawn as its number,
"#3", and written with that number before it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from genreg_np.data.labels import short_name

PLAIN = {"parse_math": False}  # of a text of a figure: a name with dollars in it is no formula


def drawn(names: Sequence[str], width: int = 16) -> list[str]:
    """Return names as a figure can draw them."""
    return [short_name(name, width) if _has_signs(name) else f"#{place}" for place, name in enumerate(names)]


def written(names: Sequence[str], width: int = 16) -> list[str]:
    """Return names as sentences and tables have them."""
    return [
        short_name(name, width) if _has_signs(name) else f"#{place} {short_name(name, width)}"
        for place, name in enumerate(names)
    ]


def _has_signs(name: str) -> bool:
    """Whether the font has all signs of a name."""
    return name.isascii() or all(ord(sign) in _signs() for sign in short_name(name, len(name) + 2))


@functools.cache
def _signs() -> frozenset[int]:
    """Return the codes of the signs that matplotlib's own font has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())
