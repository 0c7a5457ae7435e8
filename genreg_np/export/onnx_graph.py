"""Build an ONNX graph with arithmetic on values: each operator adds a node.

    x = graph.input("input", np.uint8, ("N", 784))
    y = (x.cast(np.float32) / 255).op("Floor")
    graph.output("floors", y, ("N", 784))

Nothing here needs the package `onnx`; onnx_.py converts the graph to its messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from genreg_np.errors import UsageError

Shape = tuple[int | str, ...]  # a name means any extent
COMPARISONS = {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"}


@dataclass(frozen=True)
class Node:
    """One operation."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Port:
    """An input or an output of the graph."""

    name: str
    dtype: np.dtype[Any]
    shape: Shape


@dataclass
class Graph:
    """The parts of a graph in order of creation: the same calls give the same graph."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    scope: str = ""  # prefix for the names of the next values
    _named: dict[str, int] = field(default_factory=dict)  # how often each name was requested
    _stored: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)

    def input(self, name: str, dtype: DTypeLike, shape: Shape) -> Value:
        """Add an input."""
        self._named[name] = self._named.get(name, 0) + 1
        self.inputs.append(Port(name, np.dtype(dtype), shape))
        return Value(self, name, np.dtype(dtype))

    def output(self, name: str, value: Value, shape: Shape) -> Value:
        """Make a value an output and return it under its new name; raises UsageError if an input has that name."""
        if any(port.name == name for port in self.inputs):
            raise UsageError(f"an input is called {name!r}, like an output: rename the column and train again")
        if not any(node.output == value.name for node in self.nodes):  # an input, which keeps its name
            value = value.op("Identity")
        self.outputs.append(Port(name, value.dtype, shape))
        self.nodes = [
            Node(
                node.op,
                tuple(name if read == value.name else read for read in node.inputs),
                name if node.output == value.name else node.output,
                node.attributes,
            )
            for node in self.nodes
        ]
        return Value(self, name, value.dtype)

    def constant(self, array: NDArray[np.generic], name: str | None = None) -> Value:
        """Store an array; equal arrays without a given name are stored once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if name:
            self.constants[name] = array
        elif key in self._stored:
            name = self._stored[key]
        else:
            name = self._name(f"{array.dtype}.{array.item()}" if array.ndim == 0 else "constant")
            self._stored[key], self.constants[name] = name, array
        return Value(self, name, array.dtype)

    def node(self, op: str, inputs: Iterable[Value], dtype: DTypeLike, **attributes: Any) -> Value:
        """Add an operation with one output."""
        name = self._name(f"{self.scope}.{op}" if self.scope else op)
        self.nodes.append(Node(op, tuple(value.name for value in inputs), name, attributes))
        return Value(self, name, np.dtype(dtype))

    def _name(self, name: str) -> str:
        self._named[name] = self._named.get(name, 0) + 1
        return name if self._named[name] == 1 else f"{name}_{self._named[name]}"


Operand: TypeAlias = "Value | NDArray[np.generic] | float"  # a number becomes a constant of the other operand's type


@dataclass(frozen=True, eq=False)
class Value:
    """The output of a node, an input or a constant."""

    graph: Graph
    name: str
    dtype: np.dtype[Any]

    def op(self, op: str, *operands: Operand, **attributes: Any) -> Value:
        """Apply an ONNX operator with this as first input; the output has its type, or bool for comparisons."""
        others = [self._value(operand) for operand in operands]
        return self.graph.node(op, [self, *others], np.bool_ if op in COMPARISONS else self.dtype, **attributes)

    def _value(self, operand: Operand) -> Value:
        if isinstance(operand, Value):
            return operand
        return self.graph.constant(operand if isinstance(operand, np.ndarray) else np.asarray(operand, self.dtype))

    def __add__(self, other: Operand) -> Value:
        return self.op("Add", other)

    def __sub__(self, other: Operand) -> Value:
        return self.op("Sub", other)

    def __rsub__(self, other: float) -> Value:
        return self._value(other) - self

    def __mul__(self, other: Operand) -> Value:
        return self.op("Mul", other)

    def __truediv__(self, other: Operand) -> Value:
        return self.op("Div", other)

    def __rtruediv__(self, other: float) -> Value:
        return self._value(other) / self

    def __matmul__(self, other: Operand) -> Value:
        return self.op("MatMul", other)

    def __neg__(self) -> Value:
        return self.op("Neg")

    def __gt__(self, other: Operand) -> Value:
        return self.op("Greater", other)

    def __ge__(self, other: Operand) -> Value:
        return self.op("GreaterOrEqual", other)

    def __le__(self, other: Operand) -> Value:
        return self.op("LessOrEqual", other)

    def where(self, yes: Value, no: Operand) -> Value:
        """Return `yes` where this is true, else `no`."""
        return self.graph.node("Where", [self, yes, yes._value(no)], yes.dtype)

    def cast(self, dtype: DTypeLike) -> Value:
        """Convert to another type, if it differs."""
        if self.dtype == dtype:
            return self
        return self.graph.node("Cast", [self], dtype, to=np.dtype(dtype))

    def clip(self, low: float, high: float) -> Value:
        """Cut to low .. high."""
        return self.op("Max", low).op("Min", high)

    def floor_to_int64(self) -> Value:
        """Round float64 down. (Cast rounds towards 0; Floor for float64 came late.)"""
        cut = self.cast(np.int64)
        return cut - (cut.cast(self.dtype) > self).cast(np.int64)

    def reshape(self, *shape: int) -> Value:
        """Change the shape; 0 keeps an extent, -1 is inferred."""
        return self.op("Reshape", ints(*shape))


def ints(*values: int) -> NDArray[np.int64]:
    """Return int64 values, the form in which operators take shapes, axes and indices."""
    return np.array(values, np.int64)


def concatenate(values: Iterable[Value], axis: int) -> Value:
    """Concatenate values along an axis."""
    first, *others = values
    return first.op("Concat", *others, axis=axis) if others else first
