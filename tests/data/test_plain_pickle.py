"""Pickles as CIFAR's authors made them are read; whatever else is refused in a line, and nothing runs."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.data import plain_pickle
from genreg_np.data.plain_pickle import read_plain_pickle
from genreg_np.errors import DataError
from tests.data.conftest import outcome
from tests.data.making_cifar import python_2
from tests.helpers import one_line, patient

DATA = (np.arange(12, dtype=np.uint8) * 21).reshape(3, 4)

# Written by Python 2.7's cPickle of an array of NumPy 1.16.
FROM_PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq"
    b"\x05(K\x01K\x03K\x04\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff"
    b"\xffK\x00tb\x89U\x0c\x00\x15*?Ti~\x93\xa8\xbd\xd2\xe7tbU\x06labelsq\x08]q\t(K\x06K\tM,\x01eU\x0bbatch_labelq\nU\x15"
    b"training batch 1 of 5q\x0bU\tfilenamesq\x0c]q\r(U\x05a.pngq\x0eU\x05b.pngq\x0fh\x0eeu."
)
OF_COLUMNS = FROM_PYTHON_2.replace(b"\x89U\x0c" + DATA.tobytes(), b"\x88U\x0c" + DATA.tobytes(order="F"))


@pytest.mark.parametrize("content", [FROM_PYTHON_2, OF_COLUMNS], ids=["rows", "columns"])
def test_what_python_2_wrote_is_read(content: bytes) -> None:
    held = read_plain_pickle(content, "file")
    data = held.pop("data")
    assert isinstance(data, np.ndarray)
    assert data.dtype == np.uint8
    np.testing.assert_array_equal(data, DATA)
    assert held == {
        "labels": [6, 9, 300],
        "batch_label": b"training batch 1 of 5",
        "filenames": [b"a.png", b"b.png", b"a.png"],
    }


def test_the_names_of_classes_take_the_bytes_that_they_do() -> None:
    """The authors' batches.meta has 158: it is of protocol 2, as cPickle wrote it."""
    words = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    content = python_2({"num_cases_per_batch": 10_000, "label_names": words, "num_vis": 3072})
    assert len(content) == 158
    assert read_plain_pickle(content, "file")["label_names"] == [word.encode() for word in words]


VALUES = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=9),
    st.one_of(
        st.integers(0, 2**31 - 1),
        st.binary(max_size=400),
        st.lists(st.one_of(st.integers(0, 70_000), st.binary(max_size=40)), max_size=30),
        st.tuples(st.integers(0, 6), st.integers(0, 90)).map(lambda shape: np.full(shape, 7, np.uint8)),
    ),
    max_size=6,
)


@given(value=VALUES)
@patient
def test_it_reads_what_pickle_does(value: dict[str, Any]) -> None:
    """Of such values Python's own reader makes the same."""
    content = python_2(value)
    held, expected = read_plain_pickle(content, "file"), pickle.loads(content, encoding="bytes")
    assert held.keys() == {name.decode() for name in expected}
    for name, one in expected.items():
        got = held[name.decode()]
        assert type(got) is type(one)
        np.testing.assert_equal(got, one)


class Attack:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> Any:
        return self.call


def dict_with(value: bytes) -> bytes:
    """Return a pickle of a dict in which something stands for a value."""
    return b"\x80\x02}U\x04data" + value + b"s."


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
UINT8 = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def array_of(shape: bytes, raw: bytes, kind: bytes = UINT8) -> bytes:
    return RECONSTRUCT + b"(K\x01" + shape + kind + b"\x89T" + struct.pack("<I", len(raw)) + raw + b"tb"


HOSTILE = {
    "empty": b"",
    "no pickle": b"<html>please log in</html>",
    "a system call": dict_with(b"cposix\nsystem\nU\x04true\x85R"),
    "a system call by its old name": b"cos\nsystem\n(S'true'\ntR.",
    "a builtin": dict_with(b"c__builtin__\neval\nU\x011\x85R"),
    "an attribute of numpy": dict_with(b"cnumpy\nload\nU\x01x\x85R"),
    "a name with a dot": dict_with(b"cnumpy\nndarray.tofile\nU\x01x\x85R"),
    "an instance": b"(i__builtin__\nlist\n.",
    "an object": b"(c__builtin__\nlist\no.",
    "new objects": dict_with(b"cnumpy\nndarray\n)\x81"),
    "an extension": b"\x80\x02\x82\x01.",
    "something outside": b"\x80\x02U\x01aQ.",
    "floats": dict_with(b"G" + b"\0" * 8),
    "a newer protocol": pickle.dumps({"data": 1}, 4),
    "dtype of objects": dict_with(array_of(b"K\x01\x85", b"12345678", b"cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R")),
    "dtype called for something else": dict_with(b"cnumpy\ndtype\ncnumpy\nndarray\n\x85R"),
    "an array of an array": dict_with(RECONSTRUCT + RECONSTRUCT + b"b"),
    "an array called": dict_with(b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R"),
    "another array reconstructed": dict_with(
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85U\x01b\x87R"
    ),
    "an array without values": dict_with(RECONSTRUCT),
    "a huge array": dict_with(array_of(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"1")),
    "an array of negative sides": dict_with(array_of(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86", b"1")),
    "an array of three sides": dict_with(array_of(b"K\x01K\x01K\x01\x87", b"1")),
    "an array of no sides": dict_with(array_of(b"(t", b"1")),
    "the protocol of text": b"(dp1\nS'a'\np2\nI1\ns.",
    "a huge string": b"\x80\x02T\xff\xff\xff\x7f.",
    "a name without end": b"\x80\x02c" + b"a" * 100_000,
    "nested lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "nested tuples": b"\x80\x02(t" + b"\x85" * 100_000 + b".",
    "nested dicts": b"\x80\x02" + b"}U\x01a" * 50_000 + b"}" + b"s" * 50_000 + b".",
    "nested marks": b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
    "a list of itself": b"\x80\x02]q\x01h\x01a.",
    "a dict of itself": b"\x80\x02}q\x01U\x01ah\x01s.",
    "a tuple for a name": b"\x80\x02}K\x01\x85K\x01s.",
    "a number for a name": b"\x80\x02}K\x01K\x01s.",
    "an odd number of items": b"\x80\x02}(U\x01au.",
    "a list to a dict": b"\x80\x02}(K\x01e.",
    "items to a list": b"\x80\x02](U\x01aK\x01u.",
    "values that are not there": b"\x80\x02K\x01\x87.",
    "values under a mark": b"\x80\x02K\x01K\x02(\x86.",
    "no mark": b"\x80\x02]e.",
    "nothing remembered": b"\x80\x02h\x05.",
    "nothing to remember": b"\x80\x02q\x05.",
    "nothing at all": b"\x80\x02.",
    "no dict": b"\x80\x02]K\x01a.",
    "two values": b"\x80\x02}}.",
    "more after the end": b"\x80\x02}.x",
    "a state without a tuple": dict_with(RECONSTRUCT + b"K\x01b"),
    "a state of a dict": b"\x80\x02}}b.",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_whatever_else_is_refused_in_a_line(content: bytes) -> None:
    error = outcome(lambda: read_plain_pickle(content, "some/file"))
    assert isinstance(error, DataError)
    assert str(error).startswith("some/file: cannot be read as a pickle of arrays (")
    assert len(one_line(error)) < 250


@pytest.mark.parametrize("call", [os.system, subprocess.call, eval, exec])
def test_nothing_runs(call: Any, tmp_path: Path) -> None:
    """Each would make a file."""
    made = tmp_path / "made"
    argument = f"open({str(made)!r}, 'w')" if call in (eval, exec) else f"touch {made}"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        arguments = [["touch", str(made)]] if call is subprocess.call else [argument]
        content = pickle.dumps({"data": Attack(call, *arguments)}, protocol)
        assert isinstance(outcome(partial(read_plain_pickle, content, "file")), DataError)
    assert not made.exists()
    pickle.loads(content)  # the attack is one
    assert made.exists()


@given(place=st.integers(0, len(FROM_PYTHON_2) - 1), byte=st.integers(0, 255))
@patient
def test_a_changed_byte_is_read_or_refused(place: int, byte: int) -> None:
    """Never anything else than a DataError of one line."""
    changed = FROM_PYTHON_2[:place] + bytes([byte]) + FROM_PYTHON_2[place + 1 :]
    assert isinstance(outcome(lambda: read_plain_pickle(changed, "file")), dict | DataError)


@given(content=st.binary(max_size=200))
@patient
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    assert isinstance(outcome(lambda: read_plain_pickle(b"\x80\x02" + content, "file")), dict | DataError)


@pytest.mark.parametrize("length", range(len(FROM_PYTHON_2)))
def test_every_beginning_is_refused(length: int) -> None:
    assert isinstance(outcome(lambda: read_plain_pickle(FROM_PYTHON_2[:length], "file")), DataError)


def test_instructions_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "MOST_INSTRUCTIONS", 20)
    with pytest.raises(DataError, match="more than 20 instructions"):
        read_plain_pickle(FROM_PYTHON_2, "file")
