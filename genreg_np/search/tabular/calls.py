"""scikit-learn objects as data: one description from which both an object and a line of a program are made.

    call("sklearn.svm:SVC", C=10.0)      made()     an SVC
                                         written()  "SVC(C=10.0)"

So the pipeline that a search tried and the one that its script builds are always the same.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WIDTH = 110  # characters per line, beyond which arguments get a line each


@dataclass(frozen=True)
class Name:
    """A name that a script defines, and its value outside of a script."""

    text: str
    value: Any


@dataclass(frozen=True)
class Ref:
    """A class or function that is not called: "module:name"."""

    path: str


@dataclass(frozen=True)
class Call:
    """A class or function with its arguments.

    Parameters
    ----------
    path : str
        "module:name".
    arguments : tuple
        Positional arguments.
    named : mapping
        Keyword arguments.
    """

    path: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]

    def made(self) -> Any:
        """Return the object."""
        function = _found(self.path)
        return function(*map(_made, self.arguments), **{key: _made(value) for key, value in self.named.items()})

    def written(self, indent: int = 0) -> str:
        """Return a Python expression whose first line is indented by `indent` characters."""
        return _written(self, indent)

    def imports(self) -> dict[str, set[str]]:
        """Return the names that the expression needs, by module."""
        found: dict[str, set[str]] = {}
        for path in _paths(self):
            module, _, name = path.partition(":")
            found.setdefault(module, set()).add(name)
        return found


def call(path: str, *arguments: Any, **named: Any) -> Call:
    """Return a call of "module:name"."""
    return Call(path, arguments, named)


def _found(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _made(value: Any) -> Any:
    if isinstance(value, Ref):
        return _found(value.path)
    if isinstance(value, Call):
        return value.made()
    if isinstance(value, Name):
        return value.value
    if isinstance(value, list | tuple):
        return type(value)(_made(one) for one in value)
    return value


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.path
    if isinstance(value, Call):
        yield value.path
        for one in (*value.arguments, *value.named.values()):
            yield from _paths(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _paths(one)


def _written(value: Any, indent: int, beside: int = 0) -> str:
    """Return an expression; its line has `beside` more characters."""
    if isinstance(value, Name):
        return value.text
    if isinstance(value, Ref):
        return value.path.partition(":")[2]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Call):
        start, end = value.path.partition(":")[2] + "(", ")"
        parts = [("", one) for one in value.arguments] + [(f"{key}=", one) for key, one in value.named.items()]
    elif isinstance(value, list | tuple):
        start, end = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        parts = [("", one) for one in value]
    else:
        return repr(value)
    flat = [key + _written(one, -WIDTH) for key, one in parts]
    line = start + ", ".join(flat) + end
    if indent + beside + len(line) <= WIDTH:
        return line
    if not isinstance(value, list):  # break only the longest part over several lines, if that is enough
        place = max(range(len(parts)), key=lambda place: len(flat[place]))
        if isinstance(parts[place][1], list | tuple | Call):
            before, after = (
                "".join(f"{part}, " for part in flat[:place]),
                "".join(f", {part}" for part in flat[place + 1 :]),
            )
            found = start + before + parts[place][0] + _written(parts[place][1], indent, WIDTH) + after + end
            first, *_, last = found.split("\n")
            if indent + beside + len(first) <= WIDTH and len(last) <= WIDTH:
                return found
    deeper = indent + 4
    lines = [" " * deeper + key + _written(one, deeper, len(key) + 1) + "," for key, one in parts]
    return "\n".join([start, *lines, " " * indent + end.lstrip(",")])
