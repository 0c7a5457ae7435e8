"""Seeded mutations of files: of bytes, of text, and of what lies inside archives, packed anew so that it is reached."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, -(2**31), 10**30, 0.0, -0.0, 0.5,
    1e-320, 1e38, 1e39, 1e308, 1e999, -1e999, float("nan"),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    None,
    True,
    False,
    "",
    "x",
    "21",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    "a" * 300,
    [],
    [1],
    {},
)
TOKENS = (
    b"", b"\0", b"\xff", b"\x1b[2J", "\u202e".encode(), b'"', b"'", b",", b";", b"\n", b"\r", b"\t", b"=", b"#",
    b"[", b"]", b"{", b"}", b"[" * 200, b"nan", b"inf", b"-1", b"1e999", b"9" * 30, b"9" * 5000, b"true", b"null",
    b"1979-05-27", b"[[a]]",
)  # fmt: skip


def of_bytes(data: bytes, chance: Random) -> bytes:
    """Flip bits, set bytes, cut out, double, move or cut off a stretch, once or a few times."""
    changed = bytearray(data)
    for _ in range(1 + chance.getrandbits(3) // 3):
        if not changed:
            break
        at, length = chance.randrange(len(changed)), 1 + chance.randrange(1 << chance.randrange(9))
        match chance.randrange(6):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                changed[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice((0, 1, 2**31, 2**32 - 1)))
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case 4:
                changed[at : at + length] = changed[(to := chance.randrange(len(changed))) : to + length]
            case 5 if chance.random() < 0.3:
                del changed[at:]
    return bytes(changed)


def of_text(data: bytes, chance: Random) -> bytes:
    """Put tokens that mean something in place of numbers, words and signs, or between them; double or drop lines."""
    for _ in range(1 + chance.getrandbits(3) // 3):
        match chance.randrange(4):
            case 0:
                at = chance.randrange(len(data) + 1)
                data = data[:at] + chance.choice(TOKENS) + data[at:]
            case 1 if places := list(re.finditer(rb"-?[0-9.]+|\w+|[^\w\s]", data)):
                place = chance.choice(places)
                data = data[: place.start()] + chance.choice(TOKENS) + data[place.end() :]
            case 2:
                lines = data.splitlines(keepends=True) or [b""]
                at = chance.randrange(len(lines))
                lines[at : at + 1] = chance.choice(([], [lines[at]] * 2, [lines[at], chance.choice(lines)]))
                data = b"".join(lines)
            case 3:
                data = of_bytes(data, chance)
    return data


def of_json(data: bytes, chance: Random) -> bytes:
    """Change one place of a JSON value, keeping it JSON, or its text."""
    if chance.random() < 0.2:
        return of_text(data, chance)
    value = json.loads(data)
    holders = [holder for holder in _holders(value) if holder]
    holder = chance.choice(holders)
    key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(key, holder[key])
        case 2:
            other = chance.choice(holders)
            holder[key] = chance.choice(list(other.values()) if isinstance(other, dict) else other)
            try:
                return json.dumps(value).encode("utf-8", "surrogatepass")
            except ValueError:  # it now holds itself
                return data
        case _:
            near = (holder[key] + chance.choice((-1, 1)),) if type(holder[key]) is int else ()
            holder[key] = chance.choice((*near, *VALUES))
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _holders(value: Any) -> list[Any]:
    """Return every list and mapping inside a JSON value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [] if inner is None else [value, *(holder for part in inner for holder in _holders(part))]


def of_npy(data: bytes, chance: Random) -> bytes:
    """Change the header of a .npy stream, with its length put right, or the numbers, or their count."""
    length = struct.unpack("<H", data[8:10])[0]
    header, numbers = data[10 : 10 + length], data[10 + length :]
    match chance.randrange(6):
        case 0:
            header = of_text(header, chance)[:65_000]
        case 1:
            shape = ", ".join(str(chance.choice((0, 1, 2, 3, 7, 2**31, 2**63, -1))) for _ in range(chance.randrange(5)))
            header = re.sub(rb"\(.*\)", f"({shape})".encode(), header)
        case 2:
            descr = chance.choice(
                (b"|b1", b"|u1", b"|i1", b">f4", b"<f4", b"<f8", b"<f2", b"<i8", b"<U3", b"|O", b"|V4")
            )
            header = re.sub(rb"'[<>|]\w+'", b"'" + descr + b"'", header)
        case 3:
            numbers = of_bytes(numbers, chance)
        case 4:  # whole numbers of rows that the header knows of
            rows = re.search(rb"'shape': \((\d+)", header)
            if rows and (count := int(rows[1])):
                row, kept = len(numbers) // count, chance.choice((0, 1, count - 1, count + 1, 2 * count))
                header = re.sub(rb"'shape': \(\d+", f"'shape': ({kept}".encode(), header)
                numbers = (numbers * 2)[: row * kept]
        case 5:
            special = chance.choice(
                (struct.pack("<f", float("nan")), struct.pack("<f", float("inf")), b"\xff" * 8, b"\0" * 8)
            )
            at = chance.randrange(0, len(numbers) + 1, 4)
            numbers = numbers[:at] + special + numbers[at + len(special) :]
    return data[:8] + struct.pack("<H", len(header)) + header + numbers


def of_npz(data: bytes, chance: Random) -> bytes:
    """Change one entry of an .npz, or which there are, and pack it anew; or its bytes as they are."""
    if chance.random() < 0.15:
        return of_bytes(data, chance)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    at = chance.randrange(len(entries))
    if chance.random() < 0.4:  # the header is one of many entries, and decides most
        at = next((index for index, (name, _) in enumerate(entries) if name == "header.npy"), at)
    name, content = entries[at]
    match chance.randrange(12):
        case 0:
            del entries[at]
        case 1:
            entries.append((chance.choice((name, "more.npy", "\x1b[2J.npy", "a/b.npy", "x.txt")), content))
        case 2:
            entries[at] = (chance.choice(entries)[0], content)
        case _ if name == "header.npy" and chance.random() < 0.9:
            text = of_json(content[10 + struct.unpack("<H", content[8:10])[0] :], chance)
            shape = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(text)},), }}\n".encode()
            entries[at] = (name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(shape)) + shape + text)
        case _:
            entries[at] = (name, of_npy(content, chance))
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if chance.random() < 0.05 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in dict(entries).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def of_gzip(data: bytes, chance: Random) -> bytes:
    """Change what is compressed, or the compressed bytes."""
    if chance.random() < 0.3:
        return of_bytes(data, chance)
    return gzip.compress(of_bytes(gzip.decompress(data), chance), 1, mtime=0)
