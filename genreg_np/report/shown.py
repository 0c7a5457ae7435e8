"""The content of a page's sections: pictures and tables, and how to read them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from genreg_np.errors import missing_extra

DOTS = 150  # per inch of a picture, twice as many as on a screen
WIDTH = 4.8  # inches of a picture: on a phone, a point is still most of a pixel
SMALL = 9  # points, for dense text; all other text has 10
COLOURS = ("#1b6ca8", "#c1440e", "#3f7d20", "#7a3e9d", "#8a6d00", "#00798c")  # distinguishable in grey, too
DASHES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")


@dataclass(frozen=True)
class Picture:
    """A picture of a section.

    Parameters
    ----------
    name : str
        Name of its file without extension, unique on a page.
    png : bytes
    says : str
        Alternative text, for readers who cannot see it.
    caption : str
        One sentence on how to read it.
    """

    name: str
    png: bytes = field(repr=False)
    says: str
    caption: str


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; numbers are already formatted."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    most_open: int = 0  # rows after which the others are folded; 0: none are


@dataclass(frozen=True)
class Shown:
    """A section: a title, its findings in a sentence or two, and its parts from top to bottom."""

    title: str
    words: str
    parts: Sequence[Picture | Table] = ()


@contextlib.contextmanager
def plain_style() -> Iterator[None]:
    """Draw with matplotlib's defaults, ignoring the user's settings file; also a decorator.

    This avoids failures for missing fonts or programs, and makes equal figures have equal bytes.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    matplotlib = _matplotlib()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def new_figure(width: float = WIDTH, height: float = 3.2) -> Any:
    """Return a figure with a size in inches and without a window.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    return _matplotlib().figure.Figure((width, height), layout="constrained")


def _matplotlib() -> Any:
    try:
        import matplotlib.figure
    except ImportError:
        raise missing_extra("matplotlib", "plots", "draw figures") from None
    return matplotlib


def png_of(figure: Any, colours: int | None = None) -> bytes:
    """Return a figure as a PNG image, with the same bytes for equal figures; fewer colours make it smaller."""
    from PIL import Image  # matplotlib needs it, too

    file, picture = io.BytesIO(), pixels_of(figure)
    if colours is not None:
        picture = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    picture.save(file, "PNG", optimize=colours is not None)
    return file.getvalue()


def pixels_of(figure: Any) -> Any:
    """Return a figure as a Pillow image, drawn once: `savefig` draws twice."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(DOTS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.frombytes("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba()))
