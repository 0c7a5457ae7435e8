"""The tiny runtime: it predicts what a plain reference predicts, and no file can make it do anything else."""

from __future__ import annotations

import io
import json
import math
import pickle
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import infer
from genreg_np.files import pack_arrays
from genreg_np.infer import ModelError
from genreg_np.model import Dense, Model, Network, Standardise
from tests.helpers import one_line
from tests.test_model import model_of

# Prediction

ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "linear": lambda z: z,
    "tanh": math.tanh,
    "relu": lambda z: max(z, 0.0),
    "leaky-relu": lambda z: z if z > 0 else 0.01 * z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "step": lambda z: 1.0 if z > 0 else 0.0,
    "sign": lambda z: 1.0 if z > 0 else -1.0,
}

IMAGE_NET = Network.build((2, 3), (5, 4), 3, "tanh")
IMAGES = np.random.default_rng(5).integers(0, 256, (7, 2, 3)).astype(np.uint8)


def test_every_activation_has_a_reference() -> None:
    """A new activation cannot go untested."""
    assert set(ACTIVATIONS) == set(infer.ACTIVATIONS)


@pytest.mark.parametrize("name", list(infer.ACTIVATIONS))
def test_each_activation_is_its_formula(name: str) -> None:
    """Element by element, in float32, at zero and far out too."""
    z = np.concatenate([np.linspace(-5, 5, 101), [0.0, -0.0, 80.0, -80.0]]).astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        found = infer.ACTIVATIONS[name](z)
    assert found.dtype == np.float32
    assert found == pytest.approx([ACTIVATIONS[name](float(value)) for value in z], abs=1e-6)


def reference_outputs(model: Model, inputs: np.ndarray) -> np.ndarray:
    """Work out a model's outputs in float64, layer by layer from its header."""
    values = inputs.reshape(len(inputs), -1).astype(np.float64)
    for index, layer in enumerate(model.header["network"]["layers"]):
        part = {key: model.arrays.get(f"layers.{index}.{key}") for key in ("weight", "bias", "mean", "scale")}
        if layer["kind"] == "standardise":
            values = (values - part["mean"]) * part["scale"]
        else:
            values = values @ part["weight"].T.astype(np.float64) + part["bias"]
            values = np.vectorize(ACTIVATIONS[layer["activation"]])(values)
    return values


@pytest.mark.parametrize("activation", list(infer.ACTIVATIONS))
def test_a_model_agrees_with_a_plain_reference(activation: str) -> None:
    """Fixed layers, dense layers, softmax, arg max and ranking, for every activation."""
    fixed = Standardise(np.linspace(0, 1, 6, dtype=np.float32), np.linspace(1, 2, 6, dtype=np.float32))
    model = model_of(Network.build((2, 3), (5, 4), 3, activation, (fixed,)))
    expected = reference_outputs(model, IMAGES / 255)
    assert model.outputs(IMAGES).dtype == np.float32
    assert model.outputs(IMAGES) == pytest.approx(expected, abs=1e-5)
    softmax = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    probabilities = model.predict_proba(IMAGES)
    assert probabilities == pytest.approx(softmax, abs=1e-5)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert model.predict(IMAGES).tolist() == expected.argmax(axis=1).tolist()
    for row, shares in zip(model.top(IMAGES, 2), softmax, strict=True):
        best = sorted(range(3), key=lambda k: -shares[k])[:2]
        assert [name for name, _ in row] == [model.class_names[k] for k in best]
        assert [share for _, share in row] == pytest.approx(shares[best].tolist(), abs=1e-5)


def test_top_gives_at_most_all_and_at_least_one_class() -> None:
    """Asking for more classes than there are gives all of them."""
    model = model_of(IMAGE_NET)
    assert [len(model.top(IMAGES, k)[0]) for k in (0, 1, 3, 99)] == [1, 1, 3, 3]


def test_ties_go_to_the_lowest_class() -> None:
    """A model that cannot decide always says the first class."""
    model = Model.build(IMAGE_NET, np.zeros(IMAGE_NET.gene_count, np.float32), ("a", "b", "c"))
    assert model.predict(np.zeros((2, 6))).tolist() == [0, 0]
    assert [name for name, _ in model.top(np.zeros((1, 6)))[0]] == ["a", "b", "c"]


def test_huge_logits_give_probabilities_not_nan() -> None:
    """Softmax is shifted by the largest logit first."""
    network = Network.build((1,), (), 2)
    model = Model.build(network, np.array([0, 0, 1e30, -1e30], np.float32), ("a", "b"))
    assert model.predict_proba(np.zeros((1, 1))).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("shape", [(2, 3), (6,), (1, 6), (6, 1)])
def test_one_input_alone_is_a_batch_of_one(shape: tuple[int, ...]) -> None:
    """A single input of the model's own shape gives the row it gives in a batch."""
    model = model_of(Network.build(shape, (4,), 3))
    one = np.arange(6, dtype=np.uint8).reshape(shape)
    assert model.outputs(one).shape == (1, 3)
    assert np.array_equal(model.outputs(one), model.outputs(one[None]))


def test_inputs_may_be_flat_rows_or_nested_lists() -> None:
    """(N, 6) and lists are taken for (N, 2, 3) arrays."""
    model = model_of(IMAGE_NET)
    assert np.array_equal(model.outputs(IMAGES.reshape(7, 6)), model.outputs(IMAGES))
    assert np.array_equal(model.outputs(IMAGES.tolist()), model.outputs(IMAGES))


def test_no_inputs_give_no_outputs() -> None:
    """An empty batch is not an error."""
    model = model_of(IMAGE_NET)
    assert model.outputs(IMAGES[:0]).shape == (0, 3)
    assert model.predict(IMAGES[:0]).tolist() == []
    assert model.top(IMAGES[:0]) == []


@pytest.mark.parametrize("rows", [1, 2, 3, 6, 7])
def test_predicting_in_pieces_equals_predicting_at_once(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Batches larger than a piece give the same outputs, up to rounding, in the same order."""
    model = model_of(IMAGE_NET)
    whole = model.outputs(IMAGES)
    monkeypatch.setattr(infer, "CHUNK_BYTES", 4 * 6 * rows)
    assert model.outputs(IMAGES) == pytest.approx(whole, abs=1e-6)
    assert np.array_equal(model.predict(IMAGES), whole.argmax(axis=1))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
@pytest.mark.parametrize("input_range", [(0.0, 255.0), (0.0, 300.0), (-10.0, 255.0)])
def test_integers_are_raw_values_and_floats_are_mapped_ones(input_range: tuple[float, float], dtype: type) -> None:
    """An integer v means (v - low) / (high - low), of whatever integer type; a float is taken as it is."""
    model = model_of(IMAGE_NET, input_range=input_range)
    low, high = input_range
    mapped = (IMAGES.astype(np.float64) - low) / (high - low)
    assert model.prepare(IMAGES.astype(dtype)) == pytest.approx(mapped.reshape(7, 6), abs=1e-6)
    assert model.outputs(mapped) == pytest.approx(model.outputs(IMAGES.astype(dtype)), abs=1e-5)


def test_booleans_are_integers() -> None:
    """A mask is an image of zeros and ones."""
    model = model_of(IMAGE_NET, input_range=(0.0, 1.0))
    assert np.array_equal(model.prepare(IMAGES > 99), (IMAGES > 99).reshape(7, 6).astype(np.float32))


def test_without_a_range_integers_and_floats_are_features_alike() -> None:
    """Tables have no range: 3 and 3.0 are the same, and any finite value goes."""
    model = model_of(IMAGE_NET, input_range=None)
    assert np.array_equal(model.outputs(IMAGES.astype(int) - 1000), model.outputs(IMAGES.astype(float) - 1000))


def test_a_model_of_values_gives_outputs_and_refuses_to_name_classes() -> None:
    """Without class names there is nothing to predict; the error says what to call instead."""
    model = model_of(Network.build((2, 3), (4,), 2), class_names=())
    assert model.outputs(IMAGES).shape == (7, 2)
    for call in (model.predict, model.predict_proba, model.top):
        with pytest.raises(ModelError, match=r"outputs\(\)") as raised:
            call(IMAGES)
        one_line(raised.value)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.zeros((4, 3, 2)), "(4, 3, 2)"),
        (np.zeros((4, 7)), "(N, 2, 3)"),
        (np.zeros(6), "(6,)"),
        (np.zeros((1, 1, 2, 3)), "(1, 1, 2, 3)"),
        (np.float32(1), "()"),
        ([[1, 2], [3]], "numbers"),
        (np.full((1, 2, 3), np.nan), "NaN"),
        (np.full((1, 2, 3), -np.inf), "infinite"),
        (np.full((1, 2, 3), 200.0), "as integers"),
        (np.full((1, 2, 3), -0.5), "0 .. 1"),
        (np.full((1, 2, 3), 256), "0 .. 255"),
        (np.full((1, 2, 3), -1), "0 .. 255"),
        (np.full((1, 2, 3), "7"), "numbers"),
        (np.full((1, 2, 3), None), "numbers"),
        (np.full((1, 2, 3), 1j), "numbers"),
        (b"image", "numbers"),
    ],
)
def test_inputs_the_model_cannot_take_are_refused_in_one_line(inputs: Any, words: str) -> None:
    """Wrong shapes, types and values are errors, never a silent nonsense answer."""
    with pytest.raises(ModelError) as raised:
        model_of(IMAGE_NET).predict(inputs)
    assert words in one_line(raised.value)


def test_features_beyond_float32_are_refused() -> None:
    """A finite float64 that becomes infinite in float32 is as useless as infinity itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ModelError):
            model_of(IMAGE_NET, input_range=None).predict(np.full((1, 2, 3), 1e300))


# Files that are not models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("models")


STANDARDISED = model_of(Network.build((6,), (4,), 3, fixed=(Standardise(np.zeros(6, "f"), np.ones(6, "f")),)))
GOOD = STANDARDISED.pack()


def refusal(path: Path) -> str:
    """Return the one line, naming the file, with which it is refused."""
    with pytest.raises(ModelError) as raised:
        infer.load(path)
    line = one_line(raised.value)
    assert line.startswith(f"{path}: ")
    return line


def header_bytes(header: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(header).encode("utf-8"), np.uint8)


def write_model(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write a good model after `change(header, arrays)` has spoilt it."""
    header = json.loads(json.dumps(STANDARDISED.header))
    arrays: dict[str, Any] = dict(STANDARDISED.arrays)
    change(header, arrays)
    path.write_bytes(pack_arrays({"header": header_bytes(header), **arrays}))
    return path


def test_the_unspoilt_model_is_read(folder: Path) -> None:
    """What the following tests spoil is good to begin with."""
    assert infer.load(write_model(folder / "good.npz", lambda header, arrays: None)).output_count == 3


def test_a_missing_file_a_folder_and_an_empty_file_are_refused(folder: Path) -> None:
    """Each is told apart from a damaged model."""
    assert "no such file" in refusal(folder / "missing.npz")
    assert "folder" in refusal(folder)
    (folder / "empty.npz").write_bytes(b"")
    assert "not a readable .npz file" in refusal(folder / "empty.npz")


@pytest.mark.parametrize("share", [i / 20 for i in range(20)])
def test_a_truncated_model_is_refused(folder: Path, share: float) -> None:
    """Cut anywhere, the file is not a model."""
    path = folder / "cut.npz"
    path.write_bytes(GOOD[: int(share * len(GOOD))])
    refusal(path)


def read_or_refuse(path: Path) -> None:
    """Load a file; whatever is in it, the outcome is a usable model or a ModelError of one line."""
    try:
        model = infer.load(path)
    except ModelError as error:
        line = one_line(error)
    else:
        model.outputs(np.zeros((1, *model.input_shape)))
        return
    assert line.startswith(f"{path}: ")


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(folder: Path, data: bytes) -> None:
    """Nothing that is not a model is read as one."""
    (folder / "random.npz").write_bytes(data)
    refusal(folder / "random.npz")


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_bytes_are_refused_or_harmless(folder: Path, damage: list[tuple[int, int]]) -> None:
    """A good file with a few bytes overwritten never raises anything but a ModelError."""
    data = bytearray(GOOD)
    for at, value in damage:
        data[at] = value
    (folder / "damaged.npz").write_bytes(data)
    read_or_refuse(folder / "damaged.npz")


def test_a_changed_weight_is_noticed(folder: Path) -> None:
    """The zip's checksum covers the weights: one flipped bit and the file is refused."""
    data = bytearray(GOOD)
    at = GOOD.index(STANDARDISED.arrays["layers.1.weight"].tobytes())
    data[at] ^= 1
    (folder / "flipped.npz").write_bytes(data)
    assert "damaged" in refusal(folder / "flipped.npz")


NPY = b"\x93NUMPY\x01\x00"


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return a .npy stream with the given header text."""
    text = header.encode("latin-1")
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(text)) + text + data


def npy_of(descr: str, shape: str) -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}")


STREAMS = {
    "nothing": b"",
    "no magic": b"\x92NUMPY\x01\x00\x00\x00",
    "cut in the magic": b"\x93NUM",
    "cut in the length": NPY + b"\x10",
    "cut in the header": NPY + b"\xff\x00{",
    "version 3": npy_of("'<f4'", "(0,)").replace(b"\x01\x00", b"\x03\x00", 1),
    "version 9": npy_of("'<f4'", "(0,)").replace(b"\x01\x00", b"\x09\x00", 1),
    "no header": npy(""),
    "not Python": npy("{'descr': ("),
    "not Python, version 2": npy("{'descr': (", version=b"\x02\x00"),
    "code": npy("__import__('os').abort()"),
    "not a dictionary": npy("[1, 2]"),
    "unhashable": npy("{[]: 1}"),
    "deep brackets": npy("[" * 3000),
    "deep minus": npy("-" * 9000 + "1"),
    "long": npy(" " * 60_000 + "{}"),
    "bytes": npy("\x00\xff\x80"),
    "missing keys": npy("{'descr': '<f4'}"),
    "type of nothing": npy_of("()", "(1,)"),
    "type of a number": npy_of("5", "(1,)"),
    "type of a list": npy_of("[()]", "(1,)"),
    "unknown type": npy_of("'<q9'", "(1,)"),
    "type of a line break": npy_of(r"'<\nf4'", "(1,)"),
    "objects": npy_of("'|O'", "(1,)"),
    "objects inside": npy_of("[('a', '|O')]", "(1,)"),
    "a structure": npy_of("[('a', '<f4')]", "(1,)"),
    "dates": npy_of("'<M8[s]'", "(0,)"),
    "raw bytes": npy_of("'|V4'", "(1,)"),
    "huge type": npy_of("'<U999999999'", "(1,)"),
    "huge structure": npy_of("('<f4', (99999999999999999999,))", "(1,)"),
    "huge shape": npy_of("'<f4'", "(1000000000000,)"),
    "huge product": npy_of("'<f4'", f"({10**9}, {10**9}, {10**9})"),
    "huge empty shape": npy_of("'<f4'", f"(0, {10**30})"),
    "wrapping product": npy_of("'<f4'", f"({2**32}, {2**32})"),
    "negative shape": npy_of("'<f4'", "(-1,)"),
    "negative pair": npy_of("'<f4'", "(-1, -1)") + b"\0" * 4,
    "truth for a shape": npy_of("'<f4'", "(True,)") + b"\0" * 4,
    "word for a shape": npy_of("'<f4'", "'a'"),
    "fractional shape": npy_of("'<f4'", "(1.0,)") + b"\0" * 4,
    "too many dimensions": npy_of("'<f4'", "(0, " + "1, " * 99 + ")"),
    "text of nothing": npy_of("'<U0'", "(3,)"),
    "too much data": npy_of("'<f4'", "(1,)") + b"\0" * 5,
    "too little data": npy_of("'<f4'", "(2,)") + b"\0" * 4,
}


@pytest.mark.parametrize("name", list(STREAMS))
def test_malformed_array_streams_are_refused(folder: Path, name: str) -> None:
    """Any .npy stream that is not a plain array is refused, by the strict reader and without warnings."""
    path = folder / "stream.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", STREAMS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ModelError) as raised:
            infer.read_arrays(path)
    assert str(path) in one_line(raised.value)


@given(st.text("(){}[]'\",:-<>fU48 \\n0129TrueFalsdcphotn_", max_size=60), st.booleans())
def test_any_array_header_is_read_or_refused(folder: Path, text: str, whole: bool) -> None:
    """No header text makes the reader raise anything but a ModelError of one line."""
    header = text if whole else f"{{'descr': '<f4', 'fortran_order': False, 'shape': {text}}}"
    path = folder / "header.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(header))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of odd literals
        try:
            infer.read_arrays(path)
        except ModelError as error:
            one_line(error)


def test_pickled_objects_are_refused_and_not_run(folder: Path) -> None:
    """An array of objects, as NumPy pickles it, is refused before anything in it is executed."""
    marker = folder / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(marker), "w")

    np.savez(folder / "objects.npz", header=np.array([Hostile()], object))
    assert "pickled objects" in refusal(folder / "objects.npz")
    assert not marker.exists()
    (folder / "pickle.npz").write_bytes(pickle.dumps(Hostile()))
    refusal(folder / "pickle.npz")
    assert not marker.exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_compressed_entries_is_refused(folder: Path, method: int) -> None:
    """Whatever the compression, damaged data are a ModelError."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.npy", npy_of("'<f4'", "(256,)") + bytes(range(256)) * 4)
    data = bytearray(buffer.getvalue())
    start = data.index(b"a.npy") + len("a.npy")
    for at in range(start, min(start + 120, data.index(b"PK\x01\x02")), 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x5A
        (folder / "compressed.npz").write_bytes(damaged)
        with pytest.raises(ModelError) as raised:
            infer.read_arrays(folder / "compressed.npz")
        one_line(raised.value)


def test_a_zip_bomb_is_refused_without_unpacking_it(folder: Path) -> None:
    """64 MiB of zeros, a few KiB when deflated, are over a limit of 32 MiB: refused before memory is set aside."""
    path, size = folder / "bomb.npz", 64 << 20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as entry:
        entry.write(npy_of("'<f4'", f"({size // 4},)"))
        for _ in range(64):
            entry.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="limit of 33,554,432") as raised:
            infer.read_arrays(path, limit_bytes=32 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    one_line(raised.value)


def test_a_huge_declared_shape_sets_no_memory_aside(folder: Path) -> None:
    """An array header that claims 4 TB, in a file of 200 bytes, is compared with the file first."""
    with zipfile.ZipFile(folder / "claim.npz", "w") as archive:
        archive.writestr("a.npy", STREAMS["huge shape"])
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="not what the file holds"):
            infer.read_arrays(folder / "claim.npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_entries_that_lie_about_their_size_are_refused(folder: Path) -> None:
    """The central directory may claim 20 MiB for an entry of a few bytes, and the array may agree: it is cut short."""
    content = npy_of("'<f4'", f"({5 << 20},)") + b"\0" * 4
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", content)
    claimed = struct.pack("<I", len(content) - 4 + (20 << 20))
    (folder / "liar.npz").write_bytes(buffer.getvalue().replace(struct.pack("<I", len(content)), claimed))
    with pytest.raises(ModelError) as raised:
        infer.read_arrays(folder / "liar.npz")
    one_line(raised.value)


@pytest.mark.parametrize("names", [("a.npy", "a.npy"), ("readme.txt",), (".npy",), ("a.npy/",)])
def test_duplicate_and_foreign_entries_are_refused(folder: Path, names: tuple[str, ...]) -> None:
    """An .npz holds one array per name and nothing else."""
    path = folder / "entries.npz"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for name in names:
            archive.writestr(name, npy_of("'<f4'", "(0,)"))
    assert "does not belong" in refusal(path)


def test_other_files_of_arrays_are_not_models(folder: Path) -> None:
    """An .npz without our header, and a zip of nothing, are told apart from damage."""
    np.savez(folder / "other.npz", x=np.zeros(3))
    assert "not a genreg-np model" in refusal(folder / "other.npz")
    np.savez(folder / "other.npz", header=np.zeros((3, 3), np.uint8))
    assert "not a genreg-np model" in refusal(folder / "other.npz")
    zipfile.ZipFile(folder / "none.npz", "w").close()
    assert "not a genreg-np model" in refusal(folder / "none.npz")


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"\xff\xfe", b"null", b"[]", b'"x"', b"7", b"[" * 100_000, b'{"a":' * 100_000, b'{"format": "other"}'],
    ids=lambda header: ascii(header[:12]),
)
def test_headers_that_are_not_ours_are_refused(folder: Path, header: bytes) -> None:
    """Not JSON, not UTF-8, not a mapping, nested beyond any stack, or of another program."""
    path = folder / "json.npz"
    path.write_bytes(pack_arrays({"header": np.frombuffer(header, np.uint8), **STANDARDISED.arrays}))
    refusal(path)


def at(*path: Any, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return a change that sets one place of the header."""

    def change(header: Any, arrays: dict[str, Any]) -> None:
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = value

    return change


def without(*path: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return a change that removes one place of the header."""

    def change(header: Any, arrays: dict[str, Any]) -> None:
        for key in path[:-1]:
            header = header[key]
        del header[path[-1]]

    return change


def array(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return a change that replaces an array, or removes it where the value is None."""

    def change(header: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays.pop(name)
        if value is not None:
            arrays[name] = value

    return change


def with_nan(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    spoilt = arrays["layers.2.weight"].copy()
    spoilt[0, 0] = np.nan
    arrays["layers.2.weight"] = spoilt


EXTRA = {"kind": "dense", "inputs": 3, "outputs": 3, "activation": "tanh"}
SPOILT = {
    "unknown version": (at("version", value=2), "reads 1"),
    "version of several lines": (at("version", value="1\n2"), "version"),
    "no version": (without("version"), "version None"),
    "no network": (without("network"), "network"),
    "network of words": (at("network", value="tanh"), "malformed"),
    "no input shape": (without("network", "input_shape"), "input_shape"),
    "empty input shape": (at("network", "input_shape", value=[]), "no inputs"),
    "negative input shape": (at("network", "input_shape", value=[-2, -3]), "no inputs"),
    "infinite input shape": (at("network", "input_shape", value=[math.inf]), "malformed"),
    "other input shape": (at("network", "input_shape", value=[7]), "7 arrive"),
    "no layers": (at("network", "layers", value=[]), "no layers"),
    "layers of null": (at("network", "layers", value=[None]), "malformed"),
    "an extra layer": (lambda header, arrays: header["network"]["layers"].append(EXTRA), "layers.3.weight"),
    "a layer too few": (lambda header, arrays: header["network"]["layers"].pop(), "class names"),
    "layers that do not fit": (at("network", "layers", 1, value=EXTRA), "layers.1.weight"),
    "unknown kind": (at("network", "layers", 1, "kind", value="conv"), "'conv'"),
    "no kind": (without("network", "layers", 1, "kind"), "kind"),
    "unknown activation": (at("network", "layers", 1, "activation", value="gelu"), "'gelu'"),
    "activation of a list": (at("network", "layers", 1, "activation", value=[]), "malformed"),
    "too many class names": (at("class_names", value=list("abcd")), "4 class names for 3 outputs"),
    "no class names": (without("class_names"), "class_names"),
    "class names of null": (at("class_names", value=None), "malformed"),
    "range of nothing": (at("input_range", value=[1, 1]), "not a range"),
    "range of NaN": (at("input_range", value=[math.nan, 1]), "not a range"),
    "range of three": (at("input_range", value=[0, 1, 2]), "malformed"),
    "range of a word": (at("input_range", value="ab"), "malformed"),
    "missing array": (array("layers.1.bias", None), "'layers.1.bias' is missing"),
    "missing fixed array": (array("layers.0.scale", None), "'layers.0.scale' is missing"),
    "wrong shape": (array("layers.1.weight", np.zeros((6, 4), np.float32)), "(4, 6)"),
    "wrong dimensions": (array("layers.1.bias", np.zeros((4, 1), np.float32)), "(4,)"),
    "float64": (array("layers.1.bias", np.zeros(4)), "float64"),
    "other byte order": (array("layers.1.bias", np.zeros(4, ">f4")), "float32"),
    "text": (array("layers.1.bias", np.array(list("abcd"))), "<U1"),
    "NaN": (with_nan, "NaN"),
    "infinite": (array("layers.0.scale", np.full(6, np.inf, np.float32)), "NaN or infinite"),
}


@pytest.mark.parametrize("name", list(SPOILT))
def test_models_that_contradict_themselves_are_refused(folder: Path, name: str) -> None:
    """The line says which array, layer or entry is wrong."""
    change, words = SPOILT[name]
    assert words in refusal(write_model(folder / "spoilt.npz", change))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
PLACES = [
    ("format",),
    ("version",),
    ("class_names",),
    ("class_names", 0),
    ("input_range",),
    ("input_range", 1),
    ("training",),
    ("network",),
    ("network", "input_shape"),
    ("network", "layers"),
    ("network", "layers", 0, "inputs"),
    ("network", "layers", 1),
    ("network", "layers", 1, "kind"),
    ("network", "layers", 1, "outputs"),
    ("network", "layers", 2, "activation"),
]


@given(st.sampled_from(PLACES), JSON_VALUES)
def test_any_value_anywhere_in_the_header_is_taken_or_refused(folder: Path, place: tuple[Any, ...], value: Any) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value)))


def test_deeper_and_wider_networks_than_ours_are_read(folder: Path) -> None:
    """The reader is not bound to what `train` builds: several fixed layers, any activation last."""
    dense = (Dense(2, 9, "step"), Dense(9, 1, "sigmoid"))
    fixed = Standardise(np.ones(2, np.float32), np.ones(2, np.float32))
    model = model_of(Network((2,), dense, (fixed, fixed)), class_names=(), input_range=None)
    (folder / "deep.npz").write_bytes(model.pack())
    x = np.random.default_rng(0).normal(size=(4, 2))
    assert infer.load(folder / "deep.npz").outputs(x) == pytest.approx(reference_outputs(model, x), abs=1e-6)
