"""Models of maps on the command line: info, infer, eval and export take them, export as integers, too."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from genreg_np import export
from genreg_np.export.quantise import quantise
from genreg_np.model import Model, load
from tests.helpers import one_line
from tests.zoo import ZOO, exhibit_of

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


@pytest.mark.parametrize("target", export.TARGETS)
def test_export_names_the_layer_before_anything_is_written(genreg, model: str, target: str) -> None:
    """In one line; there is no folder."""
    exhibit_of("genreg-2").model.save("statistics.npz")
    outcome = genreg("export", "statistics.npz", "--to", target, "--out", "out", "--int8")
    assert outcome.code == 2
    assert one_line(outcome.err.strip()).endswith(
        "layer 2.0.0 (statistics) cannot be computed in 8-bit integers: leave out --int8"
    )
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["maps, two stages", "deskew and detectors"])
def test_maps_and_levels_become_integers_by_pictures_alone(genreg, model: str, name: str) -> None:
    """Calibrated without labels: the file is that of Python's function, and says what it was made from."""
    exhibit = exhibit_of(name)
    exhibit.model.save("m.npz")
    np.save("seen.npy", exhibit.inputs)
    outcome = genreg("export", model, "--to", "python", "--out", "out", "--int8", "--calibrate", "seen.npy")
    assert outcome.code == 0, outcome.err
    made = load("out/model.npz")
    assert made.pack() == quantise(exhibit.model, exhibit.inputs).pack()
    source = hashlib.sha256(Path("m.npz").read_bytes()).hexdigest()
    assert made.training["int8"] == {"from": source, "inputs": len(exhibit.inputs)}


def test_integers_say_how_good_they_are(genreg, model: str) -> None:
    """On the validation split that they were calibrated on, beside the float model."""
    labels, names = MAPS.model.predict(MAPS.inputs), np.array(MAPS.model.class_names)
    splits = {f"{part}_{split}": values for split in ("train", "val", "test")
              for part, values in (("x", MAPS.inputs), ("y", labels))}  # fmt: skip
    np.savez("data.npz", class_names=names, **splits)
    told = ("--int8", "--max-loss", 100, "--dataset", "data.npz")
    assert genreg("export", model, "--to", "python", "--out", "out", *told).code == 0
    made = load("out/model.npz")
    facts = made.training["int8"]
    assert facts["float32_validation_accuracy"] == 1.0
    assert facts["validation_accuracy"] == (made.predict(MAPS.inputs) == labels).mean() > 0.8
    assert facts["dataset"] == "data"


@pytest.mark.parametrize("name", [name for name in ZOO if name.startswith("int8")])
def test_info_says_what_a_network_of_integers_is(genreg, model: str, name: str) -> None:
    """Its last layer, and all its weights and biases."""
    whole = exhibit_of(name).model
    whole.save("int8.npz")
    count = sum(array.size for place, array in whole.arrays.items() if place.endswith((".weight", ".bias")))
    end = rf"(-| / dense ){whole.output_count}(, [a-z-]+)?, {count:,} weights and biases, 8-bit integers"
    assert re.search(f"^network      .*{end}$", genreg("info", "int8.npz").out, re.MULTILINE)


def test_info_tells_integers_from_the_floats_they_were_made_from(genreg, model: str) -> None:
    """The accuracies that training left are those of floats; beside them stand its own."""
    whole = exhibit_of("int8, maps, two stages").model
    training = {"accuracies": {"test": {"best": 0.9}}, "int8": {"inputs": 40, "validation_accuracy": 0.8}}
    Model({**whole.header, "training": training}, whole.arrays).save("int8.npz")
    out = genreg("info", "int8.npz").out
    assert "test         best 90.00 % (as float32)\n" in out
    assert "8 bits       80.00 % on the validation split, calibrated on 40 inputs\n" in out


def test_info_says_the_layers_of_maps_of_integers(genreg, model: str) -> None:
    exhibit_of("int8, maps, two stages").model.save("int8.npz")
    line = "10 x 10: conv 4 3 same / relu / max 2 / conv 6 3 stride 2 / lookup / adaptive avg 1 / dense 3"
    assert f"network      {line}, 283 weights and biases, 8-bit integers\n" in genreg("info", "int8.npz").out
