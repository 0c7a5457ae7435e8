"""Target html: the arithmetic of its JavaScript, held to infer.py in a browser; and what a page is made of."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.config import TrainConfig
from genreg_np.evolution import Evolution
from genreg_np.export import files_of, html, kinds_of
from genreg_np.export.quantise import quantise
from genreg_np.layers import Branches, Deskew, Detectors, FixedLayer, Levels, Responses, Statistics
from genreg_np.model import Model, Network
from genreg_np.training import load_dataset
from tests.export.browser import Browser
from tests.export.conftest import Visit
from tests.helpers import model_of
from tests.zoo import ZOO, exhibit_of

BOUND = 1e-5  # of float logits, relative to the largest; measured: 
ASK = "inputs.map((raw) => Array.from(network.outputs(network.prepare(raw))))"


def answers(browser: Browser, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return what the page's network computes for raw inputs."""
    raw = inputs.reshape(len(inputs), -1).tolist()
    return np.array(browser.run(f"(() => {{ const inputs = {json.dumps(raw)}; return {ASK}; }})()"), np.float32)

@pytest.mark.parametrize("name", ZOO)
def test_x(visit: Visit, name: str) -> None:
    e = exhibit_of(name)
    found = answers(visit(e.model), e.inputs); expected = e.model.outputs(e.inputs)
    print(name, len(e.inputs), np.abs(found-expected).max()/np.abs(expected).max(), np.array_equal(found,expected))
