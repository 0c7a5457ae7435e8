"""What crossover exchanges as a whole: a weight, a unit, a block of a layer's weights, a layer.

Genes that share a crossover bit form a group. A group is told by its runs: stretches of the flat genome (model.py),
each with the number of its bit. Layers may be cut into parallel parts, halves of their units for example; a part is
then a layer for what is said below.

Blocks are those of the notebook of Cooke and de Alfaro: with n = ceil(size / 64) blocks along an axis, each has
size // n places. What is left over belongs to the last block here. A unit's bias goes with the last block of its
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.model import Network

BLOCK_SIZE = 64  # weights along each side of a block, or somewhat fewer


class Gene(IntEnum):
    """What crossover exchanges as a whole."""

    NONE = 0  # a child is a copy of its first parent
    WEIGHT = 1  # every weight and bias on its own
    UNIT = 2  # a unit's incoming weights and its bias
    LAYER = 3  # a layer's weights and biases
    BLOCK = 4  # about 64 x 64 weights of a layer


def block_starts(size: int) -> tuple[int, ...]:
    """Return where blocks begin along an axis of so many places."""
    count = -(-size // BLOCK_SIZE)
    return tuple(range(0, count * (size // count), size // count))


def grid_end(size: int) -> int:
    """Return how many places of an axis the notebook's blocks cover: fewer than `size` where that does not divide."""
    count = -(-size // BLOCK_SIZE)
    return count * (size // count)


def check_parts(widths: Sequence[int], parts: Sequence[int], kind: str) -> None:
    """Refuse parallel parts that do not fit layers of so many units; `kind` says in words which layers.

    Raises
    ------
    UsageError
        If there is not a number for each layer, or a layer cannot be divided so.
    """
    if len(parts) != len(widths):
        raise UsageError(
            f"parts = {','.join(map(str, parts))} must have a number for each of the {len(widths)} {kind} layers"
        )
    for width, count in zip(widths, parts, strict=True):
        if count < 1 or width % count:
            raise UsageError(f"a layer of {width} units cannot be cut into {count} equal parts")


def part_rows(outputs: int, parts: int) -> list[range]:
    """Return the units of each parallel part of a layer; `parts` divides `outputs`."""
    height = outputs // parts
    return [range(first, first + height) for first in range(0, outputs, height)]


def crossover_runs(network: Network, gene: Gene, parts: Sequence[int] = ()) -> NDArray[np.int64]:
    """Return where each run of genes that share a crossover bit begins, and the bit: (R, 2) int64.

    Weights and biases of a unit lie apart, so a unit appears in several runs with the same bit.

    Parameters
    ----------
    network : Network
    gene : Gene
    parts : sequence of int
        How many parallel parts each layer has; by default one.
    """
    runs: list[tuple[int, int]] = []
    group = 0
    for index, (layer, (weights, biases)) in enumerate(zip(network.dense, network.weight_slices, strict=True)):
        rows = part_rows(layer.outputs, parts[index] if parts else 1)
        if gene is Gene.UNIT:
            rows = [range(row, row + 1) for row in range(layer.outputs)]
        elif gene is Gene.BLOCK:
            rows = [part[start:stop] for part in rows for start, stop in _spans(len(part))]
        elif gene is not Gene.LAYER:
            continue
        across = block_starts(layer.inputs) if gene is Gene.BLOCK else (0,)
        last = len(across) - 1
        for place, piece in enumerate(rows):
            for row in piece if last else piece[:1]:  # where rows are whole, one run holds them all
                first = weights.start + row * layer.inputs
                runs += [(first + start, group + place * (last + 1) + column) for column, start in enumerate(across)]
        for place, piece in enumerate(rows):
            runs.append((biases.start + piece.start, group + place * (last + 1) + last))
        group += len(rows) * (last + 1)
    return np.array(runs, np.int64).reshape(-1, 2)


def _spans(size: int) -> list[tuple[int, int]]:
    """Return begin and end of the blocks along an axis."""
    starts = block_starts(size)
    return list(zip(starts, (*starts[1:], size), strict=True))
