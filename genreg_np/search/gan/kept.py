"""What is stored of a pair at the end of a rung, and how it is read again, whoever wrote it.

Shapes: c checkpoints, I pixels; those of states are in pair.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genreg_np.files import pack_arrays
from genreg_np.infer import read_arrays
from genreg_np.model import Network
from genreg_np.search.gan.pair import ARRAYS, Side, State

Measures = dict[str, float]


class End(NamedTuple):
    """How a training ended, and which of its checkpoints is kept."""

    step: int  # for which it was trained, though it may have failed before
    place: int  # of the checkpoint that is kept, counted from 0
    failed: str = ""  # why the training ended after that checkpoint, before its time


class Kept(NamedTuple):
    """What is stored of a pair at the end of a rung."""

    state: State
    checkpoints: tuple[Measures, ...]
    sheets: NDArray[np.uint8]  # (c, images, I)
    end: End

    @property
    def course(self) -> tuple[Measures, ...]:
        """The measures at each checkpoint up to the one that is kept."""
        return self.checkpoints[: self.end.place + 1]


@dataclass(frozen=True)
class Growth:
    """How a pair's images developed: a sheet and measures at each of c checkpoints.

    Parameters
    ----------
    sheets : (c, images, I) uint8
        Images from fixed noise.
    checkpoints : tuple of mappings
        The measures.
    """

    sheets: NDArray[np.uint8]
    checkpoints: tuple[Measures, ...]

    @classmethod
    def read(cls, path: Path) -> Growth:
        """Return the growth stored in a state file.

        Raises
        ------
        ValueError
            If the file is not a state of a pair.
        """
        try:
            arrays = read_arrays(path, compressed=False)
            sheets, checkpoints = arrays["sheets"], _checkpoints_in(arrays)
        except (KeyError, ValueError) as error:
            raise ValueError("is not a state of a pair") from error
        if sheets.dtype != np.uint8 or sheets.ndim != 3 or not sheets.size or len(sheets) != len(checkpoints):
            raise ValueError("is not a state of a pair")
        return cls(sheets, checkpoints)


def packed(kept: Kept) -> bytes:
    """Return the bytes of a state file."""
    state = kept.state
    sides = {
        f"{name}.{array}": getattr(side, array)
        for name, side in (("generators", state.generators), ("discriminator", state.discriminator))
        for array in ARRAYS
    }
    told, end = (np.frombuffer(json.dumps(one).encode("utf-8"), np.uint8) for one in (kept.checkpoints, kept.end))
    step = np.array(state.step, np.int64)
    return pack_arrays(
        sides | {"average": state.average, "step": step, "told": told, "end": end, "sheets": kept.sheets}
    )


def kept_in(
    path: Path, generator: Network, discriminator: Network, generators: int, step: int | None = None
) -> Kept | None:
    """Return what a state file stores of a pair; None unless it fits.

    Parameters
    ----------
    path : Path
    generator, discriminator : Network
        The networks that it must fit.
    generators : int
        How many generators it must have.
    step : int, optional
        The step for which it must have been trained.
    """
    networks = {"generators": (generator, generators), "discriminator": (discriminator, 1)}
    try:
        arrays = read_arrays(path, compressed=False)
        sides = {name: Side(*(arrays[f"{name}.{array}"] for array in ARRAYS)) for name in networks}
        average, sheets, checkpoints = arrays["average"], arrays["sheets"], _checkpoints_in(arrays)
        end, own_step = _end_in(arrays, len(checkpoints)), int(arrays["step"])
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    for name, (network, count) in networks.items():
        genes, statistics = network.gene_count, len(network.first_statistics)
        shapes = (count, genes), (count, statistics), (count, 2, genes)
        own = [getattr(sides[name], array) for array in ARRAYS]
        if tuple(array.shape for array in own) != shapes or any(array.dtype != np.float32 for array in own):
            return None
    genes, statistics = (getattr(sides["generators"], name).shape[1] for name in ARRAYS[:2])
    if average.shape != (generators, genes + statistics) or step not in (None, end.step):
        return None
    return Kept(State(own_step, sides["generators"], sides["discriminator"], average), checkpoints, sheets, end)


def _checkpoints_in(arrays: Mapping[str, NDArray[Any]]) -> tuple[Measures, ...]:
    """Return the measures at each checkpoint; raises KeyError or ValueError if they are not those of a pair."""
    told = _json_in(arrays["told"])
    if not isinstance(told, list) or not all(map(_are_measures, told)):
        raise ValueError("are not measures")
    return tuple(told)


def _end_in(arrays: Mapping[str, NDArray[Any]], checkpoints: int) -> End:
    """Return how a training ended; raises KeyError, TypeError or ValueError if that is not known."""
    told = _json_in(arrays["end"])
    if not isinstance(told, list) or len(told) != len(End._fields):
        raise ValueError("is not the end of a training")
    end = End(*told)
    kinds = type(end.step) is int and type(end.place) is int and type(end.failed) is str
    if not kinds or not 0 <= end.place < checkpoints:
        raise ValueError("is not the end of a training")
    return end


def _json_in(array: NDArray[Any]) -> Any:
    """Return what the bytes of an array say as JSON; raises ValueError if they say nothing."""
    try:
        return json.loads(array.tobytes())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _are_measures(value: Any) -> bool:
    """Return whether a value is a mapping to numbers of a usual size."""
    return isinstance(value, dict) and all(type(one) in (int, float) and -1e300 < one < 1e300 for one in value.values())
