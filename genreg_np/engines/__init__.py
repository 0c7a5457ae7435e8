"""Where a user's function runs: in this process, or in processes of its own. One file an engine, one line here."""

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
    """Return the engine called `name` for a function, with so many workers where it has any.

    `prepare` is called with an argument before the function is, and its time is not the task's: what a process needs
    once. `address` is that of a Ray cluster, for that engine alone.

    Raises
    ------
    UsageError
        For an unknown name, a function that it cannot run, or an address that it has no use for.
    """
    kind = look_up(REGISTRY, name, "engine")
    check_address(name, address)
    engine: Engine = kind(function, workers, prepare=prepare, **({"address": address} if address else {}))
    return engine


def check_address(engine: str, address: str) -> None:
    """Refuse an address where nothing is asked for there.

    Raises
    ------
    UsageError
        With the engine that it goes with.
    """
    if address and engine != "ray":
        raise UsageError(f"address {address} is that of a Ray cluster: choose engine ray, not {engine}")
