"""Compares the memory a run needs with the memory there is, before any is allocated.

A plan says how a generation is computed and gives the memory it takes, as a formula. It is used to refuse settings that
would need more memory than the machine has; otherwise memory would grow until the system kills this process or another.
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
CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")  # a container's limit; "max" if there is none


@dataclass(frozen=True)
class Plan:
    """How a generation is computed, and how much memory that takes."""

    what: str
    formula: str  # e.g. 2 x 40 survivors x 50,890 genes x 4 bytes
    bytes: int

    def __str__(self) -> str:
        return f"{self.what}; memory {self.formula} = {self.bytes / MEGABYTE:,.0f} MB"


def physical() -> int:
    """Return how many bytes of memory this process may take: the machine's, or the container's."""
    limits = []
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not available on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(ValueError, OSError):
        limits.append(int(CONTROL_GROUP.read_text("ascii")))
    return min((limit for limit in limits if limit > 0), default=sys.maxsize)


def largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Return the largest number from `low` to below `high` that fits, or low - 1; all below one that fits fit too."""
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
        With the formula and `way_out`.
    """
    if plan.bytes > limit:
        raise UsageError(
            f"{plan.formula} would take {plan.bytes / MEGABYTE:,.0f} MB, but there are {limit / MEGABYTE:,.0f} MB: "
            f"{way_out}"
        )
