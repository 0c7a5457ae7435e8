"""Write numbers and text in C: floats that read back to the same bits, strings that any compiler accepts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError

C_TYPES = {"f4": "float", "i1": "int8_t", "u1": "uint8_t", "i4": "int32_t"}
LONGEST_STRING = 4095  # bytes that every C99 compiler accepts
SPECIAL = {ord(character): f"\\{character}" for character in '"\\?'}
LINE = 112  # characters of a line of numbers


def number(value: float) -> str:
    """Return a float32 in the fewest digits that read back to it: 0.1F."""
    return f"{np.float32(value)!s}F"


def array(name: str, values: NDArray[np.generic]) -> str:
    """Return the definition of a constant array, with values in C order."""
    flat = values.ravel()
    suffix = "F" if flat.dtype.kind == "f" else ""
    words = [f"{text}{suffix}" for text in flat.astype(str).tolist()]
    return f"static const {C_TYPES[flat.dtype.str[1:]]} {name}[{flat.size}] = {{\n{wrapped(words)}\n}};"


def wrapped(words: list[str], indent: str = "    ") -> str:
    """Return words separated by commas, in lines of at most LINE characters."""
    lines, line = [], indent
    for word in words:
        if len(line) + len(word) + 2 > LINE and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += f"{word}, "
    return "\n".join([*lines, line.rstrip(", ")])


def string(text: str, what: str) -> str:
    """Return a string literal in UTF-8.

    Everything beyond printable ASCII is escaped in octal, which ends after three digits whatever follows; ? is escaped
    with a backslash, because trigraphs begin with it.

    Raises
    ------
    UsageError
        If it contains a zero character, or is longer than every compiler accepts; `what` names it.
    """
    encoded = text.encode("utf-8", "replace")
    if b"\0" in encoded or len(encoded) > LONGEST_STRING:
        raise UsageError(
            f"{what} cannot be expressed in c: a string has no zero characters and at most {LONGEST_STRING:,} bytes"
        )
    return _literal(encoded)


def quoted(text: str) -> str:
    """Return text for use in a comment: as `string` writes it, without anything that could end the comment."""
    return _literal(text.encode("utf-8", "replace")).replace("*", r"\052")


def plain(text: str) -> str:
    """Return text for use in a comment, without quotes around it."""
    return quoted(text)[1:-1]


def _literal(encoded: bytes) -> str:
    return f'"{"".join(SPECIAL.get(byte) or _escaped(byte) for byte in encoded)}"'


def _escaped(byte: int) -> str:
    return chr(byte) if ord(" ") <= byte <= ord("~") else f"\\{byte:03o}"
