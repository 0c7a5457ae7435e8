"""The parts of a C file during translation: constants, functions, statements and buffers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer_layers
from genreg_np.export import c_text
from genreg_np.export.c_input import Input
from genreg_np.model import Model

PARTS = Path(__file__).with_name("c_parts")
NEEDS = {
    "activate_int8": "rescaled",
    "rescale": "rescaled",
    "convolve": "convolution",
    "quantise": "floored",
    "finished": "rescaled",
    "cut_int8": "rescaled",
    "filters": "finished",
    "slide": "filters",
    "windows": "finished",
    "mean": "windows",
    "normalise_int8": "floored",
    "add_int8": "rescaled",
}  # part: another that must come before it
# Bytes of stack that compilers use in functions with many loops, beyond a few registers.
FRAMES = {"slide": 480, "mean": 128, "detectors": 320, "statistics": 136, "multiply_raw": 132}
BYTES = {"float": 4, "int32_t": 4, "int16_t": 2, "int8_t": 1, "uint8_t": 1}
WORDS = {"raw": "raw values", "float": "floats", "uint8_t": "levels", "int8_t": "8-bit integers"}
ROOM = "@"  # placeholder before a buffer's name until the location of buffers is known

SELU_SCALE = c_text.number(infer_layers.SELU_SCALE)
SELU_BELOW = c_text.number(infer_layers.SELU_SCALE * infer_layers.SELU_ALPHA)

# Expressions for the activation of a number `v`.
FUNCTIONS = {
    "tanh": "tangent(v)",
    "elu": "v > 0.0F ? v : expm1f(v)",
    "selu": f"v > 0.0F ? v * {SELU_SCALE} : expm1f(v) * {SELU_BELOW}",
    "relu": "v > 0.0F ? v : 0.0F",
    "leaky-relu": "v > 0.0F ? v : v * 0.01F",
    "sigmoid": "0.5F * (tangent(0.5F * v) + 1.0F)",
    "step": "v > 0.0F ? 1.0F : 0.0F",
    "sign": "v > 0.0F ? 1.0F : -1.0F",
    "abs": "fabsf(v)",
    "sin": "sinf(v)",
    "cos": "cosf(v)",
    "gaussian": "expf(-v * v)",
    "square": "v * v",
    "response leaky-relu": "v > 0.0F ? v : v * 0.1F",
}


@dataclass(frozen=True)
class Value:
    """The numbers passed from one layer to the next."""

    place: str  # a C expression for their address
    kind: str  # "raw", "float", "uint8_t" (levels), "int8_t", or "int32_t" (logits of integers)
    width: int  # how many numbers
    shared: bool = False  # whether others may still need them, so that they must not change
    table: str = ""  # the name of a table of 8-bit integers, if raw values index it

    @property
    def words(self) -> str:
        """Their kind in words, for errors."""
        return WORDS[self.kind]


@dataclass
class Program:
    """The parts of a C file, in the order in which layers add them."""

    model: Model
    inputs: Input
    makers: Mapping[str, Callable[..., Value]]  # of layers, by kind
    functions: dict[str, str] = field(default_factory=dict)  # by name
    constants: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    buffers: dict[str, tuple[str, int]] = field(default_factory=dict)  # name: type, numbers
    busy: set[str] = field(default_factory=set)  # reusable buffers that are in use
    rooms: int = 0  # number of reusable buffers
    layer: str = ""  # the layer being added: "3", or "3.0.1" nested in layer 3
    writers: dict[str, list[str]] = field(default_factory=dict)  # the layers that write into a buffer, by its name
    frames: dict[str, int] = field(default_factory=dict)  # bytes of stack, by function that needs many
    flash_bytes: int = 0  # of weights and tables
    states: dict[str, int] = field(default_factory=dict)  # of recurrent layers: name, numbers

    @property
    def room_bytes(self) -> int:
        """Bytes of all buffers, each aligned to a multiple of four."""
        return sum(-4 * (-BYTES[ctype] * count // 4) for ctype, count in self.buffers.values())

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        """Add an array of numbers and return its name."""
        self.constants.append(c_text.array(name, values))
        self.flash_bytes += values.nbytes
        return name

    def state(self, name: str, width: int) -> str:
        """Add the state of a layer, `width` numbers kept between steps, and return its expression."""
        self.part("clear", kind="float")
        self.states[name] = width
        return f"state->{name}"

    def list_of(self, ctype: str, name: str, words: list[str]) -> str:
        """Add an array of expressions and return its name."""
        self.constants.append(f"static {ctype} {name}[{len(words)}] = {{\n{c_text.wrapped(words)}\n}};")
        return name

    def record(self, ctype: str, name: str, fields: dict[str, object]) -> str:
        """Add a structure and return its name."""
        words = [f".{key} = {value}" for key, value in fields.items()]
        self.constants.append(f"static const {ctype} {name} = {{\n{c_text.wrapped(words)}\n}};")
        return name

    def part(self, name: str, words: Mapping[str, str] | None = None, kind: str = "", **constants: int) -> str:
        """Add a function of c_parts/, after those it calls, and return its name.

        `words` in it are replaced, as are TYPE by the kind of its values and constants by numbers; the last two become
        part of its name.
        """
        if name in NEEDS:
            self.part(NEEDS[name])
        text, frame = (PARTS / f"{name}.c").read_text(encoding="utf-8"), FRAMES.get(name)
        for word, other in (words or {}).items():
            text = text.replace(word, other)
        if kind:
            text, name = text.replace("TYPE", kind), f"{name}_{kind}"
        for constant, value in constants.items():
            text, name = text.replace(constant, str(value)), f"{name}_{value}"
        self.functions.setdefault(name, text)
        if frame:
            self.frames[name] = frame
        return name

    def each(self, name: str) -> str:
        """Add the function that applies one of FUNCTIONS to numbers in place, and return its name."""
        function = f"apply_{name.replace('-', '_').replace(' ', '_')}"
        if "tangent(" in FUNCTIONS[name]:
            self.part("tangent")
        self.functions.setdefault(
            function,
            f"static void {function}(float *values, int count)\n{{\n    for (int i = 0; i < count; i++) {{\n"
            f"        const float v = values[i];\n        values[i] = {FUNCTIONS[name]};\n    }}\n}}\n",
        )
        return function

    def buffer(self, name: str, ctype: str, width: int) -> str:
        """Allocate a buffer for `width` numbers, or enlarge it, and return its expression."""
        self.buffers[name] = ctype, max(width, self.buffers.get(name, (ctype, 0))[1])
        self.written(ROOM + name)
        return ROOM + name

    def written(self, place: str) -> None:
        """Record that the current layer writes to a place, if that is in a buffer."""
        name = place.removeprefix(ROOM).partition(" ")[0]
        if name in self.buffers and self.layer not in self.writers.setdefault(name, []):
            self.writers[name].append(self.layer)

    def result(self, name: str, kind: str, width: int, goal: Value | None) -> Value:
        """Return the place of a layer's result: the goal if it is of the same kind, else a buffer."""
        return goal if goal and goal.kind == kind else Value(self.buffer(name, kind, width), kind, width)

    def numbers(self, width: int, goal: Value | None = None, kind: str = "float") -> Value:
        """Return the place for `width` numbers: the goal if of that kind, else a reusable buffer until release."""
        if goal and goal.kind == kind:
            return goal
        rooms = [name for name, (ctype, _) in self.buffers.items() if name.startswith("room_") and ctype == kind]
        free = [name for name in rooms if name not in self.busy]
        sizes = {name: self.buffers[name][1] for name in free}
        name = min(free, key=lambda name: (max(0, width - sizes[name]), sizes[name]), default=f"room_{self.rooms}")
        self.rooms += name not in self.buffers
        self.busy.add(name)
        return Value(self.buffer(name, kind, width), kind, width)

    def own(self, value: Value, goal: Value | None) -> Value:
        """Return a value, or a copy if it is shared, that may be changed in place."""
        if not value.shared:
            return value
        copy = self.numbers(value.width, goal, value.kind)
        self.call("memcpy", copy.place, value.place, f"{value.width} * sizeof({value.kind})")
        return copy

    def followed_by_zeros(self, value: Value, count: int) -> bool:
        """Append `count` zeros to a value and return True, or False if its buffer cannot be enlarged."""
        name = value.place.removeprefix(ROOM)
        if not name.startswith("room_") or name not in self.buffers:
            return False
        self.buffer(name, "float", value.width + count)
        self.call(self.part("clear", kind="float"), f"{value.place} + {value.width}", count)
        return True

    def release(self, value: Value) -> None:
        """Free the buffer of a value for others, unless it is shared."""
        if not value.shared:
            self.busy.discard(value.place.removeprefix(ROOM))

    def call(self, function: str, *arguments: object) -> None:
        """Add a statement that calls a function."""
        self.statements.append(f"{function}({', '.join(str(argument) for argument in arguments)});")

    def floats(self, value: Value, goal: Value | None = None) -> Value:
        """Return a value as floats; converted ones go to the goal, or to a buffer that the next call overwrites."""
        if value.kind == "float":
            return value
        floats = goal or Value(self.buffer("floats", "float", value.width), "float", value.width)
        if value.kind == "raw":
            self.functions.setdefault("scale", self.inputs.scale())
            self.call("scale", value.place, value.width, floats.place)
        else:
            self.call(self.part("as_floats"), value.place, value.width, floats.place)
        return floats

    def entries(self, value: Value, goal: Value | None = None) -> Value:
        """Return a value unchanged, or raw values as the 8-bit integers that they index."""
        return self.looked_up(value, value.table, self.numbers(value.width, goal, "int8_t")) if value.table else value

    def looked_up(self, value: Value, table: str, result: Value) -> Value:
        """Replace raw values by their entries in a table, given by its name."""
        self.functions.setdefault("look_up", self.inputs.look_up(result.kind))
        self.call("look_up", value.place, value.width, table, result.place)
        return result
