"""What a model knows of its training inputs: unfamiliar ones are told, files are checked, nothing else changes."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import Watcher, export, infer, infer_familiarity, load, resume, train
from genreg_np.data.dataset import Dataset, Split
from genreg_np.errors import UsageError
from genreg_np.export.quantise import quantise
from genreg_np.infer_familiarity import Familiarity, unfamiliarity
from genreg_np.layers.description import parse
from genreg_np.model import Model, Network
from genreg_np.runs.familiarity import LIMIT, layer_of, sample_of, with_familiarity
from tests.helpers import ROOT, create_or_skip, model_of, one_line, python, tiny_config, tiny_dataset
from tests.test_infer_copied import PLACES
from tests.zoo import features, named_features

ALIKE = tiny_dataset(per_class=60, noise=15)  # 4 x 4 images


def enlarged(part: Split) -> Split:
    """Return images of twice the size."""
    return Split(np.kron(part.inputs, np.ones((2, 2), np.uint8)), part.labels)


LARGER = dataclasses.replace(
    ALIKE, train=enlarged(ALIKE.train), validation=enlarged(ALIKE.validation), test=enlarged(ALIKE.test)
)
WORDS = "conv 3 3 / relu / max 2 / dense 4"
RUNS: dict[str, tuple[dict[str, Any], Dataset]] = {  # settings, data
    "pixels": ({"hidden": []}, ALIKE),
    "hidden layer": ({"hidden": [7]}, ALIKE),
    "columns": ({"hidden": [6]}, named_features()),
    "columns, linear": ({"hidden": []}, named_features()),
    "detectors": ({"strategy": "detector-bank", "hidden": []}, LARGER),
    "detectors, hidden layer": ({"strategy": "detector-bank", "hidden": [9]}, LARGER),
    "convolution": ({"network": WORDS, "strategy": "gradient", "hidden": []}, LARGER),
}


@functools.cache
def trained(name: str) -> Model:
    """Return the model of a run that can tell unfamiliar inputs."""
    settings, data = RUNS[name]
    model = train(tiny_config(**settings, familiarity=True), data, backend="numpy").model
    assert model is not None
    return model


def taken(model: Model, inputs: np.ndarray) -> np.ndarray:
    """Return what the last layer with weights takes, (N, F)."""
    layers = model.header["network"]["layers"][: model.header["familiarity"]["layer"]]
    return infer.stack(layers, model.arrays, "layers", int(np.prod(model.input_shape)))[2](model.prepare(inputs))


@pytest.mark.parametrize("name", RUNS)
def test_unfamiliarity_is_what_the_format_says(name: str) -> None:
    """The distance to the nearest prototype, as a share of the limit, computed in float64 from the file's arrays."""
    model, inputs = trained(name), RUNS[name][1].test.inputs
    said = model.header["familiarity"]
    parts = {part: model.arrays[f"familiarity.{part}"] for part in ("projection", "scale", "shift", "prototypes")}
    x = taken(model, inputs).astype(np.float64)
    z = parts["scale"] * (x @ parts["projection"].T.astype(np.float64)) - parts["shift"]
    distances = np.linalg.norm(z[:, None] - parts["prototypes"].astype(np.float64), axis=2)
    found = unfamiliarity(model, inputs)
    assert found.shape == (len(inputs),)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, distances.min(axis=1) / said["limit"], rtol=1e-3)
    assert (said["prototypes"], said["dimensions"]) == parts["prototypes"].shape
    assert np.abs(parts["prototypes"].astype(int)).max() == 127


@pytest.mark.parametrize("name", RUNS)
def test_the_limit_is_kept_by_most_of_the_validation_split(name: str) -> None:
    """By LIMIT of it, and hardly more."""
    inputs = RUNS[name][1].validation.inputs
    share = float((unfamiliarity(trained(name), inputs) <= 1 + 1e-4).mean())
    assert LIMIT <= share <= LIMIT + 2 / len(inputs)


@pytest.mark.parametrize("name", ["pixels", "detectors"])
def test_inputs_unlike_training_are_unfamiliar(name: str) -> None:
    """Other patterns under the same noise are, those of the test split are not."""
    data = RUNS[name][1]
    others = 255 - data.test.inputs[:, ::-1]
    assert (unfamiliarity(trained(name), others) > 1).mean() >= 0.8
    assert (unfamiliarity(trained(name), data.test.inputs) > 1).mean() <= 0.2


@pytest.mark.parametrize(
    ("words", "layer"),
    [("dense 4", 0), ("dense 5 / relu / dense 4", 1), ("conv 3 3 / relu / max 2 / dense 4 / tanh", 3)],
)
def test_the_last_layer_with_weights_is_the_one_looked_at(words: str, layer: int) -> None:
    network = Network((8, 8), tuple(parse(words, (8, 8))))
    assert layer_of(Model.build(network, np.zeros(network.gene_count, np.float32))) == layer


@pytest.mark.parametrize("name", RUNS)
def test_nothing_else_of_a_model_changes(name: str) -> None:
    """The run without has the same bytes but for what was added, and says nothing of the setting."""
    settings, data = RUNS[name]
    plain = train(tiny_config(**settings), data, backend="numpy").model
    assert plain is not None
    added = trained(name)
    bare = {name: array for name, array in added.arrays.items() if not name.startswith("familiarity.")}
    header = {key: value for key, value in added.header.items() if key != "familiarity"}
    assert Model(header, bare).pack() == plain.pack()
    assert "familiarity" not in json.dumps(plain.header)
    assert added.outputs(data.test.inputs).tobytes() == plain.outputs(data.test.inputs).tobytes()


@pytest.mark.parametrize("name", ["detectors", "convolution"])
def test_a_stopped_run_and_any_number_of_threads_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    """config.toml keeps the setting."""
    create_or_skip("numba")
    settings, data = RUNS[name]
    config = tiny_config(**settings, familiarity=True)
    one, two = (train(config, data, backend="numba", threads=threads).model for threads in (1, 2))
    seen: list[object] = []
    watcher = Watcher(on_record=seen.append, should_stop=lambda: len(seen) >= 3)
    assert train(config, data, tmp_path / "run", backend="numba", watcher=watcher).ended == "stopped"
    last = resume(tmp_path / "run", dataset=data, threads=2).model
    assert one is not None
    assert two is not None
    assert last is not None
    assert "familiarity" in one.header
    assert one.pack() == two.pack() == last.pack()


def test_a_saved_model_and_one_input_at_a_time_give_the_same(tmp_path: Path) -> None:
    """As do lists and frames; the model that asks is not changed by it."""
    model, inputs = trained("columns"), RUNS["columns"][1].test.inputs
    model.save(tmp_path / "model.npz")
    loaded = infer.load(tmp_path / "model.npz")
    found = unfamiliarity(loaded, inputs)
    assert found.tobytes() == unfamiliarity(load(tmp_path / "model.npz"), inputs).tobytes()
    np.testing.assert_allclose([unfamiliarity(loaded, one)[0] for one in inputs], found, rtol=1e-4)
    np.testing.assert_allclose(unfamiliarity(loaded, inputs.tolist()), found, rtol=1e-4)
    frame = pytest.importorskip("pandas").DataFrame(inputs, columns=list("wxyz"))[list("zyxw")]
    assert unfamiliarity(loaded, frame).tobytes() == found.tobytes()
    assert unfamiliarity(loaded, inputs[:0]).shape == (0,)
    assert loaded.class_names == ("a", "b", "c")
    assert Familiarity(loaded).class_names == ()


def test_numbers_too_large_for_float32_are_unfamiliar() -> None:
    """Infinitely, and nothing is warned of."""
    found = unfamiliarity(trained("columns, linear"), np.array([[3e38] * 4, [-3e38] * 4], np.float32))
    assert found.tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("kind", ["no differences", "two inputs a class", "no validation"])
def test_data_that_give_no_distance_give_a_model_without(kind: str) -> None:
    """Nothing is raised at the end of a run."""
    model = trained("pixels")
    labels = np.repeat(np.arange(4), 60)
    inputs = np.random.default_rng(0).random((240, 16), dtype=np.float32)
    validation = inputs[:80]
    if kind == "no differences":
        inputs = np.eye(4, 16, dtype=np.float32)[labels]
    elif kind == "no validation":
        validation = inputs[:0]
    else:
        inputs, labels = inputs[:4], np.arange(4) // 2
    plain = Model({key: model.header[key] for key in model.header if key != "familiarity"}, {
        name: array for name, array in model.arrays.items() if name.startswith("layers.")
    })  # fmt: skip
    assert with_familiarity(plain, inputs, labels, validation, 0) is plain
    assert ("familiarity" in with_familiarity(plain, *_random(), 0).header) is True


def _random() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inputs = np.random.default_rng(0).random((240, 16), dtype=np.float32)
    return inputs, np.repeat(np.arange(4), 60), inputs[:80]


def test_every_class_is_sampled_alike() -> None:
    """However the training split is ordered, and wide inputs are sampled less."""
    labels = np.arange(60_000) % 10
    for order in (labels, np.sort(labels)):
        found = order[sample_of(order, 784)]
        assert np.bincount(found).tolist() == [500] * 10
    assert len(sample_of(labels, 1 << 20)) == 10
    assert np.bincount(np.array([0, 0, 1])[sample_of(np.array([0, 0, 1]), 3)]).tolist() == [2, 1]


# Files of others


def spoilt(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> infer.Model:
    """Return a model, as it is read, after `change(header entry, arrays)`."""
    good = trained("pixels")
    header, arrays = json.loads(json.dumps(good.header)), dict(good.arrays)
    change(header["familiarity"], arrays)
    return infer.Model(header, arrays)


def entry(key: str, value: object) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda said, arrays: said.update({key: value})


def array(name: str, change: Callable[[np.ndarray], object]) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    key = f"familiarity.{name}"
    return lambda said, arrays: arrays.update({key: np.asarray(change(np.array(arrays[key])))})


HOSTILE = {
    "nothing said": lambda said, arrays: said.clear(),
    "no arrays": lambda said, arrays: [arrays.pop(name) for name in list(arrays) if name.startswith("familiarity")],
    "layer below": entry("layer", -1),
    "layer beyond": entry("layer", 99),
    "layer of text": entry("layer", "1"),
    "true": entry("layer", True),
    "no limit": entry("limit", 0.0),
    "limit below": entry("limit", -1.0),
    "limit of text": entry("limit", "1"),
    "huge limit": entry("limit", 10**400),
    "infinite limit": entry("limit", float("inf")),
    "limit NaN": entry("limit", float("nan")),
    "none": entry("prototypes", 0),
    "fewer": entry("prototypes", 1),
    "more than memory": entry("prototypes", 1 << 60),
    "no dimensions": entry("dimensions", 0),
    "dimensions beyond": entry("dimensions", 1 << 62),
    "projection of floats": array("projection", lambda a: a.astype(np.float32)),
    "projection cut": array("projection", lambda a: a[:, 1:]),
    "NaN scale": array("scale", lambda a: a * np.float32("nan")),
    "infinite shift": array("shift", lambda a: a + np.float32("inf")),
    "shift of doubles": array("shift", lambda a: a.astype(np.float64)),
    "flat prototypes": array("prototypes", np.ravel),
    "no prototypes": array("prototypes", lambda a: a[:0]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_distance_is_refused_in_one_line(name: str) -> None:
    """Where it is asked for; the model itself predicts."""
    model = spoilt(HOSTILE[name])
    assert model.predict(ALIKE.test.inputs[:2]).shape == (2,)
    with pytest.raises(infer.ModelError) as caught:
        unfamiliarity(model, ALIKE.test.inputs)
    one_line(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", 3, True])
def test_an_entry_that_is_no_object_is_refused_in_one_line(value: object) -> None:
    good = trained("pixels")
    with pytest.raises(infer.ModelError, match="familiarity") as caught:
        unfamiliarity(infer.Model(good.header | {"familiarity": value}, dict(good.arrays)), ALIKE.test.inputs)
    one_line(caught.value)


def test_a_model_without_says_so() -> None:
    data = features()
    model = train(tiny_config(hidden=[3]), data, backend="numpy").model
    assert model is not None
    with pytest.raises(infer.ModelError, match="does not recognise unfamiliar inputs"):
        unfamiliarity(model, data.test.inputs)


# Elsewhere


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """On any model of 28 x 28 images."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/unsure.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    plain = model_of(Network.build((28, 28), (), 3))
    inputs = np.random.default_rng(0).random((90, 784), np.float32)
    with_familiarity(plain, inputs, np.arange(90) % 3, inputs, 0).save(tmp_path / "model.npz")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "unsure.md", "exec"), {})
    assert len(capsys.readouterr().out.split()) == 5


ASK = "import numpy as np; print({call}(infer.load('model.npz'), np.load('inputs.npy')).tolist())"


def asked(folder: Path, code: str) -> list[float]:
    """Return what code prints that runs in a folder without this package."""
    found = python(f"import sys; sys.path[:0] = ['.']; sys.modules['genreg_np'] = None\n{code}", cwd=folder)
    return list(json.loads(found))


@pytest.mark.parametrize("place", ["a folder", "a package", "a package in a package"])
def test_the_file_works_beside_a_copy_of_infer(tmp_path: Path, place: str) -> None:
    """It finds infer.py where it lies, as long as that has its name."""
    below, _, code = PLACES[place]
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    for module in (infer, infer_familiarity):
        shutil.copy(str(module.__file__), tmp_path / below)
    trained("pixels").save(tmp_path / "model.npz")
    np.save(tmp_path / "inputs.npy", ALIKE.test.inputs)
    own = "infer_familiarity" if below == "." else f"{below.replace('/', '.')}.infer_familiarity"
    found = asked(tmp_path, f"{code}\nimport {own} as own\n{ASK.format(call='own.unfamiliarity')}")
    np.testing.assert_allclose(found, unfamiliarity(trained("pixels"), ALIKE.test.inputs), rtol=1e-5)


@pytest.mark.parametrize("name", ["pixels", "detectors, hidden layer"])
def test_export_to_python_has_it_in_the_one_file(tmp_path: Path, name: str) -> None:
    model, inputs = trained(name), RUNS[name][1].test.inputs
    export.export(model, "python", tmp_path / "app")
    np.save(tmp_path / "app" / "inputs.npy", inputs)
    found = asked(tmp_path / "app", f"import infer\n{ASK.format(call='infer.unfamiliarity')}")
    np.testing.assert_allclose(found, unfamiliarity(model, inputs), rtol=1e-5)


def test_integers_do_not_carry_the_distance_of_floats() -> None:
    model = trained("hidden layer")
    whole = quantise(model, ALIKE.validation.inputs)
    assert "familiarity" not in whole.header
    assert not [name for name in whole.arrays if name.startswith("familiarity")]
    with pytest.raises(infer.ModelError, match="does not recognise unfamiliar inputs"):
        unfamiliarity(whole, ALIKE.test.inputs)


@pytest.mark.parametrize("to", ["c", "onnx"])
def test_other_targets_leave_it_out(to: str) -> None:
    """They write, of the same weights, what they write of a model without but for the SHA-256 of its file."""
    if to == "onnx":
        pytest.importorskip("onnx")
    files = export.files_of(trained("hidden layer"), to)
    assert not any(b"familiarity" in content for content in files.values())


def test_pages_have_it_where_they_reject() -> None:
    page = {reject: export.files_of(trained("pixels"), "html", reject=reject)["model.html"] for reject in (None, 0.9)}
    assert b"familiarity.projection" in page[0.9]
    assert b"unfamiliarityOf(model" in page[0.9]
    assert b"familiarity.projection" not in page[None]
    spoilt_model = spoilt(HOSTILE["no arrays"])
    bad = Model(spoilt_model.header, spoilt_model.arrays)
    with pytest.raises(infer.ModelError, match="is missing"):
        export.files_of(bad, "html", reject=0.9)


def test_only_a_setting_that_is_yes_or_no_is_taken() -> None:
    with pytest.raises(UsageError, match="true or false"):
        tiny_config(familiarity="perhaps")
