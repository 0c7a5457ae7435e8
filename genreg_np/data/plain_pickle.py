"""Read pickles like CIFAR's without running anything: a dict of whole numbers, strings, lists and uint8 arrays.

A pickle is a program for a small machine with a stack and a memory. Here it is read as data: only the few instructions
that Python 2 wrote for such a dict in protocol 2 are accepted. Three names may occur in it; they are only compared, and
nothing is imported or called:

    numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), "b"), then its state (1, shape, dtype, Fortran order, bytes)
    numpy.dtype("u1", 0, 1), then its state                           the array is made here from those bytes

Values do not nest: lists hold numbers and strings, tuples what those two calls need, the dict neither dicts nor tuples.
So nothing recurses, and no small file becomes a large value. Strings are bytes, as in Python 2.

Source for the meaning of instructions: CPython's Lib/pickletools.py.

Shapes: arrays (N,) or (N, D) uint8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.idx import PathLike
from genreg_np.errors import DataError

MOST_INSTRUCTIONS = 1_000_000  # the largest file of CIFAR-100 takes some 250,000
MOST_TEXT = 200  # bytes of a name

Value = int | bytes | list[int | bytes] | NDArray[np.uint8]


class _Refused(Exception):
    """Why a pickle is refused, as part of a sentence."""


class _Name(Enum):
    """The names that may occur."""

    RECONSTRUCT = b"numpy.core.multiarray._reconstruct"
    NDARRAY = b"numpy.ndarray"
    DTYPE = b"numpy.dtype"


class _Uint8:
    """Represents numpy.dtype("u1")."""


@dataclass
class _Array:
    """Represents an array whose state is still to come."""

    value: NDArray[np.uint8] | None = None


@dataclass
class _Machine:
    """The state of reading a pickle."""

    content: bytes
    place: int = 0
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)  # places in the stack
    memory: dict[int, Any] = field(default_factory=dict)

    def run(self) -> Any:
        """Return the value of the pickle."""
        for _ in range(MOST_INSTRUCTIONS):
            start = self.place
            (code,) = self.take(1)
            if code == ord("."):
                if self.place != len(self.content) or len(self.stack) != 1 or self.marks:
                    raise _Refused(f"it ends at byte {start:,}, before the file does or with something left over")
                return self.stack[0]
            if code not in INSTRUCTIONS:
                raise _Refused(f"byte {start:,} is an instruction that such files do not need: 0x{code:02x}")
            INSTRUCTIONS[code](self)
        raise _Refused(f"it takes more than {MOST_INSTRUCTIONS:,} instructions")

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        taken = self.content[self.place : self.place + count]
        if len(taken) < count:
            raise _Refused(f"it breaks off after {len(self.content):,} bytes")
        self.place += count
        return taken

    def number(self, count: int, signed: bool = False) -> int:
        """Return the number stored in the next bytes."""
        return int.from_bytes(self.take(count), "little", signed=signed)

    def line(self) -> bytes:
        """Return the next bytes up to the end of the line."""
        end = self.content.find(b"\n", self.place, self.place + MOST_TEXT)
        if end < 0:
            raise _Refused(f"no line ends after byte {self.place:,}")
        return self.take(end + 1 - self.place)[:-1]

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self, count: int = 1) -> list[Any]:
        """Pop and return the topmost values, none from below the last mark."""
        floor = self.marks[-1] if self.marks else 0
        if len(self.stack) - count < floor:
            raise _Refused("an instruction takes more values than there are")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def pop_to_mark(self) -> list[Any]:
        """Pop and return all values above the last mark, and remove the mark."""
        if not self.marks:
            raise _Refused("an instruction needs a mark, and there is none")
        values = self.pop(len(self.stack) - self.marks[-1])
        self.marks.pop()
        return values

    def top(self, kind: type) -> Any:
        """Return the topmost value, which must be of the given type."""
        (value,) = self.pop()
        self.push(value)
        if type(value) is not kind:
            raise _Refused(f"it has a {type(value).__name__} instead of a {kind.__name__}")
        return value

    def protocol(self) -> None:
        """Read the protocol number."""
        if (number := self.number(1)) != 2:
            raise _Refused(f"its protocol is {number} instead of 2")

    def put(self, index: int) -> None:
        """Remember the topmost value."""
        (value,) = self.pop()
        self.push(value)
        self.memory[index] = value

    def get(self, index: int) -> None:
        """Put a remembered value on the stack."""
        if index not in self.memory:
            raise _Refused(f"value {index:,} is used before it is stored")
        self.push(self.memory[index])

    def append(self, values: list[Any]) -> None:
        """Extend the list on top."""
        if any(type(value) not in (int, bytes) for value in values):
            raise _Refused("a list holds something other than numbers and strings")
        self.top(list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Update the dict on top."""
        names, held = values[::2], values[1::2]
        if len(names) != len(held) or any(type(name) is not bytes for name in names):
            raise _Refused("a dict has keys other than strings")
        if any(type(value) not in (int, bytes, list, _Array) for value in held):
            raise _Refused("a dict holds something other than numbers, strings, lists and arrays")
        self.top(dict).update(zip(names, held, strict=True))

    def make_tuple(self, values: list[Any]) -> None:
        """Push a tuple."""
        for value in values:
            flat = type(value) is tuple and all(type(one) is int for one in value)
            if value is not None and not flat and type(value) not in (int, bool, bytes, _Name, _Uint8):
                raise _Refused("a tuple holds something other than an array's state")
        self.push(tuple(values))

    def name(self) -> None:
        """Push the symbol for a name."""
        asked = self.line() + b"." + self.line()
        try:
            self.push(_Name(asked))
        except ValueError:
            raise _Refused(f"it asks for {asked[:80]!r}, which no array needs") from None

    def reduce(self) -> None:
        """Read one of the two calls that make an array."""
        called, arguments = self.pop(2)
        if called is _Name.RECONSTRUCT and arguments == (_Name.NDARRAY, (0,), b"b"):
            self.push(_Array())
        elif called is _Name.DTYPE and arguments in ((b"u1", 0, 1), (b"|u1", 0, 1)):
            self.push(_Uint8())
        else:
            raise _Refused("it calls something that no array of bytes needs")

    def build(self) -> None:
        """Read the state of an array or of its type."""
        made, state = self.pop(2)
        self.push(made)
        if type(state) is not tuple:
            raise _Refused("a state is not a tuple")
        if type(made) is _Uint8 and all(one in (None, b"|", b"=") or type(one) is int for one in state):
            return
        if type(made) is not _Array or len(state) != 5 or state[0] != 1 or type(state[2]) is not _Uint8:
            raise _Refused("a state is not that of an array of bytes")
        _, shape, _, by_columns, raw = state
        if type(shape) is not tuple or not 1 <= len(shape) <= 2 or min(shape) < 0 or type(raw) is not bytes:
            raise _Refused("an array has neither one nor two dimensions")
        if math.prod(shape) != len(raw):
            raise _Refused(f"an array of {'x'.join(map(str, shape))} has {len(raw):,} bytes")
        made.value = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if by_columns else "C")


INSTRUCTIONS: dict[int, Callable[[_Machine], None]] = {
    0x80: _Machine.protocol,
    ord("("): lambda machine: machine.marks.append(len(machine.stack)),
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("J"): lambda machine: machine.push(machine.number(4, signed=True)),
    ord("K"): lambda machine: machine.push(machine.number(1)),
    ord("M"): lambda machine: machine.push(machine.number(2)),
    ord("T"): lambda machine: machine.push(machine.take(machine.number(4))),
    ord("U"): lambda machine: machine.push(machine.take(machine.number(1))),
    ord("]"): lambda machine: machine.push([]),
    ord("a"): lambda machine: machine.append(machine.pop()),
    ord("e"): lambda machine: machine.append(machine.pop_to_mark()),
    ord("}"): lambda machine: machine.push({}),
    ord("s"): lambda machine: machine.set_items(machine.pop(2)),
    ord("u"): lambda machine: machine.set_items(machine.pop_to_mark()),
    ord("t"): lambda machine: machine.make_tuple(machine.pop_to_mark()),
    0x85: lambda machine: machine.make_tuple(machine.pop(1)),
    0x86: lambda machine: machine.make_tuple(machine.pop(2)),
    0x87: lambda machine: machine.make_tuple(machine.pop(3)),
    ord("q"): lambda machine: machine.put(machine.number(1)),
    ord("r"): lambda machine: machine.put(machine.number(4)),
    ord("h"): lambda machine: machine.get(machine.number(1)),
    ord("j"): lambda machine: machine.get(machine.number(4)),
    ord("c"): _Machine.name,
    ord("R"): _Machine.reduce,
    ord("b"): _Machine.build,
}


def _finished(array: _Array) -> NDArray[np.uint8]:
    """Return a finished array; refuse one whose state is missing."""
    if array.value is None:
        raise _Refused("an array in it has no values")
    return array.value


def read_plain_pickle(content: bytes, where: PathLike) -> dict[str, Value]:
    """Return the dict in a pickle of plain values.

    Parameters
    ----------
    content : bytes
        The whole file; memory use is a small multiple of its length.
    where : path-like
        The file, for errors.

    Returns
    -------
    dict
        By name: whole numbers, bytes, lists of both, and read-only (N,) or (N, D) uint8 arrays.

    Raises
    ------
    DataError
        For a pickle that is cut short, damaged, or asks for anything else.
    """
    try:
        value = _Machine(content).run()
        if type(value) is not dict:
            raise _Refused("it holds no dict")
        held: dict[str, Value] = {}
        for name, one in value.items():
            held[name.decode("latin-1")] = _finished(one) if type(one) is _Array else one
        return held
    except _Refused as reason:
        raise DataError(f"{where}: cannot be read as a pickle of arrays ({reason}); fetch the dataset again") from None
