"""A C file as it comes together: constants, functions, statements, and the room that they work in."""

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
# Bytes of the stack that compilers take for what many loops need, where those are more than some registers.
FRAMES = {"slide": 480, "mean": 128, "detectors": 320, "statistics": 136, "multiply_raw": 132}
BYTES = {"float": 4, "int32_t": 4, "int16_t": 2, "int8_t": 1, "uint8_t": 1}
WORDS = {"raw": "raw values", "float": "floats", "uint8_t": "levels", "int8_t": "8-bit integers"}
ROOM = "@"  # stands before a buffer's name until it is known where buffers lie

SELU_SCALE = c_text.number(infer_layers.SELU_SCALE)
SELU_BELOW = c_text.number(infer_layers.SELU_SCALE * infer_layers.SELU_ALPHA)

# What becomes of each number of an activation, `v`.
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
    """What flows from one layer to the next."""

    place: str  # where it lies: a C expression
    kind: str  # "raw", "float", "uint8_t" (levels), "int8_t", or "int32_t" (logits of integers)
    width: int  # how many numbers
    shared: bool = False  # whether others may still need it, so that it stays as it is
    table: str = ""  # of raw values that stand for their entries in a table of 8-bit integers: its name

    @property
    def words(self) -> str:
        """What it is, for errors."""
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
    busy: set[str] = field(default_factory=set)  # of the buffers that layers take by turns, those in use
    rooms: int = 0  # how many of those there are
    layer: str = ""  # what is being added, "3", or "3.0.1" within the layer 3
    writers: dict[str, list[str]] = field(default_factory=dict)  # the layers that write into a buffer, by its name
    frames: dict[str, int] = field(default_factory=dict)  # bytes of the stack, by functions that need many
    flash_bytes: int = 0  # of weights and tables
    states: dict[str, int] = field(default_factory=dict)  # of layers that remember: name, numbers

    @property
    def room_bytes(self) -> int:
        """What the buffers take at most, each beginning at a multiple of four."""
        return sum(-4 * (-BYTES[ctype] * count // 4) for ctype, count in self.buffers.values())

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        """Add an array of numbers and return its name."""
        self.constants.append(c_text.array(name, values))
        self.flash_bytes += values.nbytes
        return name

    def state(self, name: str, width: int) -> str:
        """Add what a layer remembers from one step to the next, so many numbers, and return how it is called."""
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
        """Add a function of c_parts/, after what it calls, and return its name.

        Words in it are replaced by others, TYPE by the kind of its values and constants by numbers; these two then are
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
        """Set aside room for so many numbers, or widen it, and return how it is called."""
        self.buffers[name] = ctype, max(width, self.buffers.get(name, (ctype, 0))[1])
        self.written(ROOM + name)
        return ROOM + name

    def written(self, place: str) -> None:
        """Note that the layer being added writes to a place, if that is in a buffer."""
        name = place.removeprefix(ROOM).partition(" ")[0]
        if name in self.buffers and self.layer not in self.writers.setdefault(name, []):
            self.writers[name].append(self.layer)

    def result(self, name: str, kind: str, width: int, goal: Value | None) -> Value:
        """Return where a layer's result goes: to the goal if that is of the same kind, else into a buffer."""
        return goal if goal and goal.kind == kind else Value(self.buffer(name, kind, width), kind, width)

    def numbers(self, width: int, goal: Value | None = None, kind: str = "float") -> Value:
        """Return where so many numbers go: to the goal if of that kind, else into room free until they are released."""
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
        """Return a value where it may be changed."""
        if not value.shared:
            return value
        copy = self.numbers(value.width, goal, value.kind)
        self.call("memcpy", copy.place, value.place, f"{value.width} * sizeof({value.kind})")
        return copy

    def followed_by_zeros(self, value: Value, count: int) -> bool:
        """Have so many zeros after a value and return True, or False where it is in no room that can be widened."""
        name = value.place.removeprefix(ROOM)
        if not name.startswith("room_") or name not in self.buffers:
            return False
        self.buffer(name, "float", value.width + count)
        self.call(self.part("clear", kind="float"), f"{value.place} + {value.width}", count)
        return True

    def release(self, value: Value) -> None:
        """Let others have the room of a value, unless it is shared."""
        if not value.shared:
            self.busy.discard(value.place.removeprefix(ROOM))

    def call(self, function: str, *arguments: object) -> None:
        """Add a statement that calls a function."""
        self.statements.append(f"{function}({', '.join(str(argument) for argument in arguments)});")

    def floats(self, value: Value, goal: Value | None = None) -> Value:
        """Return a value as floats; what has to be converted goes to the goal, or where the next call puts its own."""
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
        """Return a value as it is, or as the 8-bit integers that raw values stand for."""
        return self.looked_up(value, value.table, self.numbers(value.width, goal, "int8_t")) if value.table else value

    def looked_up(self, value: Value, table: str, result: Value) -> Value:
        """Turn raw values into what a table, given by its name, has for them."""
        self.functions.setdefault("look_up", self.inputs.look_up(result.kind))
        self.call("look_up", value.place, value.width, table, result.place)
        return result
