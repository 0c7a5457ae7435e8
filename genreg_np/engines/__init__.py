"""Engines, which run a user's function in this process, in others, or on a cluster; one file and one line here each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from genreg_np.errors import UsageError
from genreg_np.settings import look_up

if TYPE_CHECKING:
    from genreg_np.engines.base import Engine

REGISTRY = {
    "serial": "genreg_np.engines.serial:SerialEngine",
    "processes": "genreg_np.engines.processes:ProcessEngine",
    "ray": "genreg_np.engines.ray_:RayEngine",
}


def create(
    name: str,
    function: Callable[[Any], Any],
    workers: int = 1,
    prepare: Callable[[Any], None] | None = None,
    address: str = "",
) -> Engine:
    """Return the engine called `name` for a function, with `workers` workers if it has any.

    `prepare` is called with an argument before the function, for what a process needs once; its time does not count as
    the task's. `address` is the address of a Ray cluster, for that engine only.

    Raises
    ------
    UsageError
        For an unknown name, a function that it cannot run, or an address that it does not use.
    """
    kind = look_up(REGISTRY, name, "engine")
    check_address(name, address)
    engine: Engine = kind(function, workers, prepare=prepare, **({"address": address} if address else {}))
    return engine


def check_address(engine: str, address: str) -> None:
    """Refuse an address for an engine that does not use one.

    Raises
    ------
    UsageError
        The message names the engine that does.
    """
    if address and engine != "ray":
        raise UsageError(f"address {address} is for a Ray cluster: choose engine ray, not {engine}")
