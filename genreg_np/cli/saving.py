"""`genreg-np infer --save`: write the outputs of a model without classes as files that infer can read."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.errors import RunError, missing_extra
from genreg_np.files import write_atomic
from genreg_np.model import load

LONGEST = 80  # characters of a file's name


def save_values(results: list[dict[str, Any]], folder: Path, model_path: str) -> None:
    """Write each result's values to a .npy, and to a .png (0 .. 1) if they are a picture.

    They are a picture if the model's last layer gives maps of one or three channels.

    Parameters
    ----------
    results : list of dict
        `file` and `values` of each.
    folder : Path
        Created if it does not exist.
    model_path : str

    Raises
    ------
    RunError
        If the files cannot be written.
    """
    shape = load(model_path).network.shapes[-1]
    is_picture = len(shape) == 3 and shape[0] in (1, 3)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, result in enumerate(results, start=1):
            name = re.sub(r"[^\w.-]+", "-", Path(str(result["file"])).name)[-LONGEST:].strip("-.") or "input"
            target = folder / f"{number:04d}-{name}"
            values = np.array(result["values"], np.float32)
            write_atomic(target.with_name(target.name + ".npy"), npy(values))
            if is_picture:
                write_atomic(target.with_name(target.name + ".png"), png(values.reshape(shape)))
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror})") from None


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Return an array as the bytes of a .npy."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def png(maps: np.ndarray[Any, Any]) -> bytes:
    """Return maps (C, H, W) with values 0 .. 1, C = 1 or 3, as the bytes of a PNG."""
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("pillow", "images", "write pictures") from None

    pixels = np.round(np.clip(maps, 0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()
