"""What a run needs, compared with what there is before any of it is taken.

A plan is what a generation is and the memory it takes, as a formula. Settings that would fill the machine's memory, or
many times as much, are refused by it; otherwise memory would grow until the system ends the process, or another one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from genreg_np.errors import UsageError

MEGABYTE = 2**20
CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")  # what a container may take; "max" without a limit


@dataclass(frozen=True)
class Plan:
    """How a generation is computed, and what memory that takes."""

    what: str
    formula: str  # e.g. 2 x 40 survivors x 50,890 genes x 4 bytes
    bytes: int

    def __str__(self) -> str:
        return f"{self.what}; memory {self.formula} = {self.bytes / MEGABYTE:,.0f} MB"


def physical() -> int:
    """Return the bytes of memory that this process may take at most: the machine's, or the container's."""
    limits = []
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows does not say
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(ValueError, OSError):
        limits.append(int(CONTROL_GROUP.read_text("ascii")))
    return min((limit for limit in limits if limit > 0), default=sys.maxsize)


def largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Return the largest number from `low` to below `high` that fits (and all smaller ones do), or low - 1."""
    low -= 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def check(plan: Plan, limit: int, way_out: str) -> None:
    """Refuse a plan of more than `limit` bytes.

    Raises
    ------
    UsageError
        With the formula, and `way_out`.
    """
    if plan.bytes > limit:
        raise UsageError(
            f"{plan.formula} would take {plan.bytes / MEGABYTE:,.0f} MB, but there are {limit / MEGABYTE:,.0f} MB: "
            f"{way_out}"
        )
