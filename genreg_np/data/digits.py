"""The digits embedded in scikit-learn: 1,797 real handwritten digits, 8x8, 17 grey levels, no download.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998),
its test part. Split 70/15/15 by class.

Shapes: images (N, 8, 8) uint8 in 0 .. 16, labels (N,) int64.
"""

from __future__ import annotations

import numpy as np

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
    try:
        from sklearn.datasets import load_digits as embedded
    except ImportError:
        raise missing_extra("scikit-learn", "train", "load the digits dataset") from None
    digits = embedded()
    return stratified_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.int64),
        tuple("0123456789"),
        name="digits",
        input_range=(0.0, 16.0),
    )


DIGITS = BuiltIn("1,797 handwritten digits, 8x8", load_digits, "sklearn", "scikit-learn", "train")
