"""C's own tanh: right to six digits from the smallest floats to the largest, without the maths library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np.model import Dense, Model, Network
from tests.export.c_build import predictions, write
from tests.helpers import model_of


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_activations_are_right_to_six_digits(function: str, tmp_path: Path) -> None:
    """Near 0, where it bends, and beyond where it is 1; both signs."""
    network = Network((1,), (Dense(1, 1, function),))
    model = Model.build(network, np.array([1, 0], np.float32))
    sizes = np.concatenate([np.logspace(-30, 0, 400), np.linspace(0, 12, 3000), [7.9, 1e4, 3e38]])
    inputs = np.concatenate([-sizes, sizes]).astype(np.float32)[:, None]
    wide = inputs.astype(np.float64)
    with np.errstate(over="ignore"):
        right = np.tanh(wide) if function == "tanh" else 1 / (1 + np.exp(-wide))
    found = predictions(model, inputs, tmp_path)["logits"]
    allowed = 4e-7 * np.abs(right) if function == "tanh" else 2e-7
    assert (np.abs(found - right) <= allowed).all()
    assert np.abs(found).max() <= 1


def test_policies_of_tanh_need_no_maths_library(tmp_path: Path) -> None:
    header = write(model_of(Network.build((4,), (3,), 2, "tanh"), class_names=(), input_range=None), tmp_path)
    assert "-lm" not in header
    assert "math.h" not in (tmp_path / "model.c").read_text()
