"""A small model file cannot ask for much memory: entries, header, input and layers are bounded when it is loaded."""

from __future__ import annotations

import io
import json
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.errors import RunError
from genreg_np.files import pack_arrays
from genreg_np.infer import ModelError
from genreg_np.model import Network
from genreg_np.runs.evolution import Evolution
from tests.helpers import KINDS, NETWORK, STANDARDISED, model_of, one_line, own, refusal, smallness
from tests.zoo import ZOO, exhibit_of

MEBIBYTE = 1 << 20


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Fail if more memory than `limit` bytes is taken inside the block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def write_model(path: Path, shape: list[int], layers: list[dict[str, Any]], arrays: dict[str, np.ndarray]) -> Path:
    header = {
        "format": infer.FORMAT_NAME,
        "version": infer.FORMAT_VERSION,
        "network": {"input_shape": shape, "layers": layers},
        "class_names": [],
        "input_range": [0, 255],
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    path.write_bytes(pack_arrays({"header": text, **arrays}))
    return path


def followed_by_dense(path: Path, shape: list[int], layer: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    """Write a model of one fixed layer and a dense one that takes whatever comes out of it."""
    stored = {f"layers.0.{name}": array for name, array in arrays.items()}
    _, outputs, _ = KINDS[layer["kind"]](layer, stored, "layers.0", "layer 0")
    stored |= {"layers.1.weight": np.zeros((2, outputs), np.float32), "layers.1.bias": np.zeros(2, np.float32)}
    dense = {"kind": "dense", "inputs": outputs, "outputs": 2, "activation": "linear"}
    return write_model(path, shape, [layer, dense], stored)


def detectors(shape: list[int], size: int, margin: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    pools = {"size": size, "margin": margin, "window": 1, "stride": 1, "signed": False, "gain": 1.0}
    return {"kind": "detectors", "shape": shape, "filters": 1, **pools}, {"filters": np.zeros((1, size, size), np.int8)}


def responses(shape: list[int], grid: list[int]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    described = {"kind": "responses", "shape": shape, "size": 1, "functions": ["abs"], "grids": [grid]}
    return described, {"filters": np.zeros((1, 1, 1), np.float32)}


def filters(kind: str, shape: list[int], size: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    described = {"kind": kind, "shape": shape, "filters": 1, "size": size, "stride": 1, "same": False}
    return described, {"weight": np.zeros((1, 1, size, size), np.float32), "bias": np.zeros(1, np.float32)}


DESKEW = {"kind": "deskew", "shape": [2000, 2000], "centred": True}
GREEDY: dict[str, tuple[list[int], tuple[dict[str, Any], dict[str, np.ndarray]]]] = {
    "filters far larger than the image": ([1, 1], detectors([1, 1, 1], 120, 119)),
    "a pool at every pixel of a long line": ([1, 10**5], detectors([1, 1, 10**5], 1, 0)),
    "a cell at every pixel": ([100, 100], responses([100, 100], [100, 100])),
    "profiles of a tall image": ([10**5, 7], ({"kind": "statistics", "shape": [10**5, 7]}, {})),
    "an image of four megapixels, deskewed": ([2000, 2000], (DESKEW, {})),
    "an image of four megapixels, convolved": ([2000, 2000], filters("convolution", [1, 2000, 2000], 9)),
    "an image of a megapixel, and filters on each": (
        [1000, 1000],
        filters("transposed-convolution", [1, 1000, 1000], 9),
    ),
}


@pytest.mark.parametrize("name", list(GREEDY))
def test_a_layer_that_would_take_too_much_memory_for_one_input_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The line says how much it would take; nothing is set aside before."""
    shape, (layer, arrays) = GREEDY[name]
    with monkeypatch.context() as patched:
        patched.setattr(infer, "MOST_ROOM", 1 << 60)
        path = followed_by_dense(tmp_path / "m.npz", shape, layer, arrays)
    with at_most(4 * path.stat().st_size + MEBIBYTE):
        assert "bytes for one input, more than the limit of 268,435,456" in refusal(path)


def test_an_input_too_large_to_be_real_is_refused(tmp_path: Path) -> None:
    """Images of 15,000 x 15,000 pixels would be read, or drawn, for a file of a kilobyte."""
    layer = {"kind": "statistics", "shape": [15_000, 15_000]}
    path = write_model(tmp_path / "m.npz", [15_000, 15_000], [layer, {"kind": "dense"}], {})
    assert "an input of 225,000,000 values is beyond the limit" in refusal(path)


def test_more_layers_than_any_model_has_are_refused(tmp_path: Path) -> None:
    """They cost nothing in the file, and time in every prediction."""
    layers = [{"kind": "levels", "inputs": 1}] * 1000 + [{"kind": "dense"}]
    assert "1,001 layers" in refusal(write_model(tmp_path / "m.npz", [1], layers, {}))


def test_a_header_too_long_to_be_real_is_refused(tmp_path: Path) -> None:
    """JSON takes many times its length in memory."""
    header = np.frombuffer(b'{"a":"' + b"a" * infer.MOST_HEADER_BYTES + b'"}', np.uint8)
    (tmp_path / "m.npz").write_bytes(pack_arrays({"header": header}))
    assert "its header takes 4,194,312 bytes" in refusal(tmp_path / "m.npz")


@pytest.mark.parametrize("levels", [40, 500])
def test_a_header_nested_too_deeply_is_refused(tmp_path: Path, levels: int) -> None:
    """What training says may be anything, but nothing that a program going through it could fail on."""
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    header = {**STANDARDISED.header, "training": nested}
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    (tmp_path / "m.npz").write_bytes(pack_arrays({"header": text, **STANDARDISED.arrays}))
    assert "nested deeper than 32 levels" in refusal(tmp_path / "m.npz")


def test_a_long_batch_meets_a_wide_layer_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the batch times the widest layer; the answers are the same."""
    model_of(Network.build((1,), (4096,), 2, "relu"), input_range=None).save(tmp_path / "m.npz")
    whole, inputs = infer.load(tmp_path / "m.npz"), np.linspace(-1, 1, 4000, dtype=np.float32)[:, None]
    expected = whole.outputs(inputs)
    monkeypatch.setattr(infer, "MOST_ROOM", 4 * MEBIBYTE)
    model = infer.load(tmp_path / "m.npz")
    with at_most(20 * MEBIBYTE):
        outputs = model.outputs(inputs)
    assert np.allclose(outputs, expected, atol=1e-4)


@pytest.mark.parametrize("name", ZOO)
def test_models_are_far_below_the_limits(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A hundredth of every limit would do for a model of each kind."""
    model = exhibit_of(name).model
    for limit in ("MOST_ROOM", "MOST_VALUES", "MOST_LAYERS"):
        monkeypatch.setattr(infer, limit, getattr(infer, limit) // 100)
    infer.Model(model.header, model.arrays)
    assert len(json.dumps(model.header)) < infer.MOST_HEADER_BYTES // 100


def compressed(data: bytes) -> bytes:
    """Return a zip with the same entries, deflated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


def test_compressed_models_and_checkpoints_are_refused(tmp_path: Path) -> None:
    """They are written stored, so that what is read takes no more memory than the file."""
    path = tmp_path / "m.npz"
    path.write_bytes(compressed(model_of(Network.build((300,), (300,), 2)).pack()))
    with at_most(MEBIBYTE):
        assert "is compressed" in refusal(path)
    run = own()
    run.run(1, fitness=smallness)
    path.write_bytes(compressed(run.pack()))
    with pytest.raises(RunError, match="is compressed") as raised:
        Evolution.load(path, network=NETWORK, backend="numpy")
    one_line(raised.value)


def overlapping(content: bytes, count: int) -> bytes:
    """Return a zip whose directory names one stored entry again and again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("0.npy", content)
    data = buffer.getvalue()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    directory = b"".join(data[start:end].replace(b"0.npy", b"%d.npy" % number) for number in range(count))
    closing = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)
    return data[:start] + directory + closing


def test_entries_that_share_their_bytes_do_not_multiply(tmp_path: Path) -> None:
    """Ten names for one stored array claim more than the file holds."""
    array = io.BytesIO()
    np.save(array, np.zeros(MEBIBYTE, np.uint8))
    path = tmp_path / "m.npz"
    path.write_bytes(overlapping(array.getvalue(), 1))
    assert list(infer.read_arrays(path, compressed=False)) == ["0"]
    path.write_bytes(overlapping(array.getvalue(), 10))
    with at_most(MEBIBYTE), pytest.raises(ModelError, match="cannot come from so small a file"):
        infer.read_arrays(path, compressed=False)


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and devices of POSIX")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)], ids=["fifo", "device"])
def test_a_model_that_is_no_regular_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """It could be waited for, or read, without end."""
    make(tmp_path / "m.npz")
    assert "is not a regular file" in refusal(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 1L), }", (2, 1)),
        ("{'descr':'<f4','fortran_order':False,'shape':(2,)}  \n", (2,)),
        ("{'descr': 'f4', 'fortran_order': True, 'shape': (1, 2)}", (1, 2)),
    ],
)
def test_headers_that_other_programs_write_are_read(header: str, shape: tuple[int, ...]) -> None:
    """Python 2 marked whole numbers with L; others leave blanks and commas out."""
    text = header.encode("latin-1")
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + np.float32([1, 2]).tobytes()
    array = infer.read_npy(io.BytesIO(data), len(data), "here")
    assert array.shape == shape
    assert array.ravel("K").tolist() == [1, 2]


@pytest.mark.parametrize("shape", [f"(0, {10**19 - 1})", "(0, " + "1, " * 99 + ")"])
def test_a_shape_beyond_numpy_is_refused(shape: str) -> None:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    with pytest.raises(ModelError, match="here has the impossible shape"):
        infer.read_npy(io.BytesIO(data), len(data), "here")


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800])
@pytest.mark.parametrize("order", "<>")
def test_text_that_is_no_unicode_is_refused(code: int, order: str) -> None:
    """Python raises a SystemError as soon as somebody looks at it."""
    text = f"{{'descr': '{order}U2', 'fortran_order': False, 'shape': (1,), }}".encode()
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + struct.pack(f"{order}2I", 97, code)
    with pytest.raises(ModelError, match="here holds text that is not valid Unicode"):
        infer.read_npy(io.BytesIO(data), len(data), "here")
