"""`genreg-np sample`: draw new images with a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from genreg_np.cli.saving import npy, png
from genreg_np.cli.terminal import say
from genreg_np.errors import RunError, UsageError
from genreg_np.files import write_atomic
from genreg_np.model import load

HELP = """\
Draw new images with a generator that search gan found, and write them as one sheet.

MODEL is a generator.npz, or a search's folder. The same seed draws the same images.
"""
EXAMPLES = """\b
Examples:
  genreg-np sample runs/mnist-gan-steady-0
  genreg-np sample generator.npz --n 100 --seed 7 --out digits.png
  genreg-np sample generator.npz --class 3 --out threes.png
  genreg-np sample generator.npz --n 1000 --out images.npy
"""
GAP, MOST = 2, 100_000  # pixels between images on a sheet; most images
SMALL = 56  # pixels up to which images are enlarged on a sheet, by whole numbers
MOST_ON_A_SHEET, GREY = 10_000, 0.5  # most images on a sheet, and the level between them


@click.command("sample", help=HELP, epilog=EXAMPLES)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--n", "count", type=click.IntRange(1, MOST), default=64, show_default=True, help="How many images.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Seed of the noise.")
@click.option("--class", "class_name", help="Only images of this class, from a conditional generator.")
@click.option(
    "--out", type=click.Path(), default="sheet.png", show_default=True, help="A .png, or a .npy of all pixels (0 .. 1)."
)
def command(model_path: str, count: int, seed: int, class_name: str | None, out: str) -> None:
    """Write a sheet."""
    from genreg_np.data.generated import Generator

    path, target = Path(model_path), Path(out)
    if target.suffix.lower() not in (".png", ".npy"):
        raise UsageError(f"--out {out}: must end with .png or .npy")
    if target.suffix.lower() == ".png" and count > MOST_ON_A_SHEET:
        raise UsageError(f"a sheet has {MOST_ON_A_SHEET:,} images at most: --out images.npy takes more")
    generator = Generator.of(load(path / "generator.npz" if path.is_dir() else path), str(path))
    images = generator.drawn(count, seed, class_name)
    content = npy(images) if target.suffix.lower() == ".npy" else png(_sheet(images, generator.grouped))
    try:
        write_atomic(target, content)
    except OSError as error:
        raise RunError(f"{target}: cannot be written ({error.strerror})") from None
    asked = f" of class {class_name}" if class_name else ", the classes in turn" if generator.class_names else ""
    say(f"{count:,} image{'s' * (count != 1)}{asked}, {generator.size}: {target}")


def _sheet(images: np.ndarray[Any, Any], columns: int) -> np.ndarray[Any, Any]:
    """Return images (N, C, H, W) as one image (C, rows, columns) with `columns` in a row; small ones are enlarged."""
    times = max(1, SMALL // max(images.shape[2:]))
    pixels = images.repeat(times, axis=2).repeat(times, axis=3)
    channels, height, width = pixels.shape[1:]
    rows = -(-len(pixels) // columns)
    sheet = np.full((channels, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), GREY, np.float32)
    for place, picture in enumerate(pixels):
        row, column = divmod(place, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet
