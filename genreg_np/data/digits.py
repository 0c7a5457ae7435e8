"""The digits that come with scikit-learn: 1,797 real handwritten digits, 8x8, 17 grey levels, no download.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998),
the test part. Split 70/15/15 by class.

Shapes: images (N, 8, 8) uint8 in 0 .. 16, labels (N,) int64.
"""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.built_in import BuiltIn
from genreg_np.data.dataset import Dataset
from genreg_np.data.splits import stratified_split
from genreg_np.errors import missing_extra


def load_digits() -> Dataset:
    """Load scikit-learn's digits.

    Returns
    -------
    Dataset
        Images (N, 8, 8) uint8 with input_range (0, 16).

    Raises
    ------
    MissingExtraError
        Without scikit-learn.
    """
    rows = _embedded()
    return stratified_split(
        rows[:, :-1].reshape(-1, 8, 8).astype(np.uint8),
        rows[:, -1].astype(np.int64),
        tuple("0123456789"),
        name="digits",
        input_range=(0.0, 16.0),
    )


def _embedded() -> NDArray[np.float64]:
    """Return pixels and label of each digit, (1797, 65).

    The package's file is read directly: importing scikit-learn takes two seconds, longer than a small network takes to
    learn the digits.
    """
    spec = find_spec("sklearn")
    for place in (spec and spec.submodule_search_locations) or ():
        file = Path(place, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(gzip.decompress(file.read_bytes()).decode("ascii").splitlines(), delimiter=",")
    try:
        from sklearn.datasets import load_digits as embedded  # for versions or archives that keep the file elsewhere
    except ImportError:
        raise missing_extra("scikit-learn", "train", "load the digits dataset") from None
    digits = embedded()
    return np.column_stack([digits.data, digits.target])


DIGITS = BuiltIn("1,797 handwritten digits, 8x8", load_digits, "sklearn", "scikit-learn", "train")
