"""Groups of genes that crossover exchanges together: a weight, a unit, a block of a layer's weights, or a layer.

Genes that share a crossover bit form a group. Groups are given by runs: ranges of a layer's genes, each with the number
of its bit. A dense layer may be split into parallel parts, for example halves of its units; below, a part then counts
as a layer.

Blocks are those of the notebook of Cooke and de Alfaro: with n = ceil(size / 64) blocks along an axis, each has
size // n places. Here, the remainder belongs to the last block. A unit's bias belongs to the last block of its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

BLOCK_SIZE = 64  # weights along each side of a block, or slightly fewer


class Gene(IntEnum):
    """The unit that crossover exchanges."""

    NONE = 0  # a child is a copy of its first parent
    WEIGHT = 1  # every weight and bias on its own
    UNIT = 2  # a unit's incoming weights and its bias
    LAYER = 3  # a layer's weights and biases
    BLOCK = 4  # about 64 x 64 weights of a layer


@dataclass(frozen=True)
class Groups:
    """The groups of a layer's genes."""

    count: int  # number of groups
    runs: list[tuple[int, int]]  # for each run: its first gene, counted in the layer, and its group


def block_starts(size: int) -> tuple[int, ...]:
    """Return where blocks begin along an axis of `size` places."""
    count = -(-size // BLOCK_SIZE)
    return tuple(range(0, count * (size // count), size // count))


def grid_end(size: int) -> int:
    """Return how many places of an axis the notebook's blocks cover: fewer than `size` if there is a remainder."""
    count = -(-size // BLOCK_SIZE)
    return count * (size // count)


def spans(size: int) -> list[tuple[int, int]]:
    """Return the begin and end of each block along an axis."""
    starts = block_starts(size)
    return list(zip(starts, (*starts[1:], size), strict=True))


def matrix_groups(parts: list[range], inputs: int, outputs: int, gene: Gene) -> Groups:
    """Return the groups of weights (O, I), row by row, and then biases (O,).

    Weights and biases of a unit are not contiguous, so a unit appears in several runs with the same bit.

    Parameters
    ----------
    parts : list of range
        The units of each parallel part.
    """
    rows = parts
    if gene is Gene.UNIT:
        rows = [range(row, row + 1) for row in range(outputs)]
    elif gene is Gene.BLOCK:
        rows = [part[start:stop] for part in parts for start, stop in spans(len(part))]
    across = block_starts(inputs) if gene is Gene.BLOCK else (0,)
    last, biases = len(across) - 1, outputs * inputs
    runs: list[tuple[int, int]] = []
    for place, piece in enumerate(rows):
        for row in piece if last else piece[:1]:  # if rows are not split, one run holds them all
            runs += [(row * inputs + start, place * (last + 1) + column) for column, start in enumerate(across)]
    runs += [(biases + piece.start, place * (last + 1) + last) for place, piece in enumerate(rows)]
    return Groups(len(rows) * (last + 1), runs)


def recurrent_groups(inputs: int, outputs: int, gene: Gene) -> Groups:
    """Return the groups of weights (O, I), recurrent weights (O, O) and then biases (O,), each row by row.

    A unit has a row of both and its bias. Blocks are those of each matrix, biases with the last of the recurrent ones.
    """
    units, weights = [range(outputs)], outputs * inputs
    seen, recurrent = (matrix_groups(units, width, outputs, gene) for width in (inputs, outputs))
    before = seen.count if gene is Gene.BLOCK else 0
    runs = [(start, number) for start, number in seen.runs if start < weights]
    runs += [(weights + start, before + number) for start, number in recurrent.runs]
    return Groups(before + recurrent.count, runs)


def channel_groups(arrays: int, channels: int, gene: Gene) -> Groups:
    """Return the groups of `arrays` arrays (C,), stored one after the other: the genes of one channel, or all."""
    if gene is not Gene.UNIT:
        return Groups(1, [(0, 0)])
    return Groups(
        channels, [(array * channels + channel, channel) for array in range(arrays) for channel in range(channels)]
    )


def transposed_groups(channels: int, filters: int, area: int, gene: Gene) -> Groups:
    """Return the groups of weights (C, F, area) and then biases (F,): a filter has one run per channel."""
    pieces = [(0, filters)]
    if gene is Gene.UNIT:
        pieces = [(number, number + 1) for number in range(filters)]
    elif gene is Gene.BLOCK:
        pieces = spans(filters)
    across = spans(channels) if gene is Gene.BLOCK else [(0, channels)]
    runs = [
        ((channel * filters + piece[0]) * area, place * len(across) + column)
        for column, (start, stop) in enumerate(across)
        for channel in range(start, stop)
        for place, piece in enumerate(pieces)
    ]
    biases = channels * filters * area
    runs += [(biases + piece[0], (place + 1) * len(across) - 1) for place, piece in enumerate(pieces)]
    return Groups(len(pieces) * len(across), runs)


def joined_groups(parts: list[tuple[int, Groups]]) -> Groups:
    """Return the groups of consecutive parts, given each part's number of genes and its groups."""
    runs: list[tuple[int, int]] = []
    start = count = 0
    for genes, groups in parts:
        runs += [(start + first, count + number) for first, number in groups.runs]
        start, count = start + genes, count + groups.count
    return Groups(count, runs)
