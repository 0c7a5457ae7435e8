"""Models of maps on the command line: info, infer and eval take them; export names the layer it cannot express."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from genreg_np import export
from tests.helpers import one_line
from tests.zoo import exhibit_of

MAPS = exhibit_of("maps, two stages")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The model, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    MAPS.model.save(tmp_path / "m.npz")
    return "m.npz"


def test_info_says_the_line_of_the_network(genreg, model: str) -> None:
    out = genreg("info", model).out
    line = "10 x 10: conv 4 3 same / relu / max 2 / conv 6 3 stride 2 / prelu / adaptive avg 1 / dense 3"
    assert f"network      {line}, 289 weights and biases\n" in out


def test_infer_and_eval_answer_as_the_model_does(genreg, model: str) -> None:
    """The class of one image, and the accuracy on a split."""
    images = MAPS.inputs[:6]
    classes = MAPS.model.predict(images)
    np.save("image.npy", images[0])
    (found,) = json.loads(genreg("infer", model, "image.npy", "--json").out)
    assert found["class"] == MAPS.model.class_names[classes[0]]
    names = np.array(MAPS.model.class_names)
    labels = {f"y_{split}": classes for split in ("train", "val", "test")}
    inputs = {f"x_{split}": images for split in ("train", "val", "test")}
    np.savez("data.npz", class_names=names, **inputs, **labels)
    assert json.loads(genreg("eval", model, "--dataset", "data.npz", "--json").out)["accuracy"] == 1.0


REFUSED = [(target, "--int8") for target in export.TARGETS]
REFUSED += [(target,) for target in export.TARGETS if "convolution" not in export.target(target).TAKES]


@pytest.mark.parametrize(("target", "more"), [(target, more) for target, *more in REFUSED])
def test_export_names_the_layer_before_anything_is_written(genreg, model: str, target: str, more: list[str]) -> None:
    """In one line; there is no folder."""
    outcome = genreg("export", model, "--to", target, "--out", "out", *more)
    assert outcome.code == 2
    assert "layer 0 (convolution) cannot be" in one_line(outcome.err.strip())
    assert not Path("out").exists()
