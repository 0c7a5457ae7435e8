"""The engine for many machines: stateless tasks on Ray, which is imported on first use.

A task is sent as bytes, kept here until its outcome arrives, and sent again if it is lost with its worker or node. The
function is in Ray's object store, with the data it holds: each node fetches it once, and each worker unpacks it once.
Before it calls the function, a worker reports its versions, so that a node with other versions is refused before it
returns any result.

Needs the extra `ray`. Ray is started on this machine only, unless an address is given, or a script has called ray.init.
"""

from __future__ import annotations

import pickle
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.engines.base import CANCELLED, CRASH, FAILED, MEMORY, OK, Outcome
from genreg_np.engines.queued import BEGUN, TRIES, QueuedEngine, Task
from genreg_np.engines.worker import attempted, given, held, keep_freed_memory, line_of, one_blas_thread
from genreg_np.errors import RunError, UsageError, missing_extra
from genreg_np.settings import whole_number
from genreg_np.version import __version__

MOVES = 10  # of a task whose node is lost
DIED = "its worker died: it crashed or ran out of memory"
LOST = "its node was lost, and so were the next ones"


@dataclass
class _Sent:
    task: Task
    coming: Any  # Ray's generator of messages: the worker's versions, BEGUN, and the outcome
    begun: float | None = None


class RayEngine(QueuedEngine):
    """Calls the function on the machines of a Ray cluster.

    Parameters
    ----------
    function : callable
        function(argument) -> object.
    workers : int
        Number of tasks at once; 0 for as many as the cluster has processors.
    prepare : callable, optional
        prepare(argument), called before the function; limits apply after it.
    address : str
        Address of the cluster: HOST:PORT, or auto for the one on this machine; by default one is started here.
    clock : callable
        The time in seconds, for the limits.

    Raises
    ------
    MissingExtraError
        Without Ray.
    RunError
        If the cluster cannot be reached.
    """

    least_seconds = 0.25

    def __init__(
        self,
        function: Callable[[Any], Any],
        workers: int = 1,
        prepare: Callable[[Any], None] | None = None,
        address: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        asked, self._ray = whole_number(workers, "workers", least=0), _ray()
        self._is_ours = _connect(self._ray, address)
        super().__init__(asked or max(1, int(self._ray.cluster_resources().get("CPU", 1))), clock)
        self._sent: list[_Sent] = []
        self._shared: _OnRay | None = None
        try:
            self._function = self._ray.put((function, prepare))
        except Exception as error:
            self.close()
            raise UsageError(f"the function cannot be sent to other machines: {line_of(error)}") from None
        self._call = self._ray.remote(num_returns="streaming", max_retries=0, num_cpus=1)(_called)

    def check_seen(self, path: Path) -> None:
        """Refuse a folder that some node does not see, as tasks read and write there."""
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        look = self._ray.remote(num_cpus=0)(_sees)
        asked = [look.options(scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(path) for node in nodes]
        for node, sees in zip(nodes, self._ray.get(asked), strict=True):
            if not sees:
                raise RunError(
                    f"node {node['NodeManagerHostname']} does not see {path}: choose an --out that all machines see, "
                    "such as a shared folder"
                )

    def share(self, value: Any) -> Any:
        """Return an object that fetches the value once per node."""
        self._shared = _OnRay([self._ray.put(value)])  # kept, as Ray drops objects without references
        return self._shared

    def close(self) -> None:
        """End all tasks, and Ray if it was started for this engine."""
        for sent in list(self._sent):
            self._lose(sent)
        if self._is_ours:
            self._ray.shutdown()
            self._is_ours = False

    def _pack(self, value: Any) -> bytes:
        return _pickled(value)

    def _at_work(self) -> list[_Sent]:
        return self._sent

    def _hand_out(self) -> None:
        while self._waiting and len(self._sent) < self.size:
            task = self._waiting.popleft()
            # In a list, since Ray would fetch a plain argument again for every task.
            coming = self._call.remote([self._function], task.packed)
            self._sent.append(_Sent(task, coming))

    def _hear(self, seconds: float | None) -> None:
        ready, _ = self._ray.wait([sent.coming for sent in self._sent], timeout=seconds)
        for sent in [sent for sent in self._sent if any(one is sent.coming for one in ready)]:
            self._take(sent)

    def _take(self, sent: _Sent) -> None:
        """Take a message of a worker."""
        errors = self._ray.exceptions
        try:
            said = self._ray.get(next(sent.coming))
        except errors.OutOfMemoryError as error:
            self._finish(sent, Outcome(sent.task.name, MEMORY, why=line_of(error)))
        except errors.TaskCancelledError:
            self._finish(sent, Outcome(sent.task.name, CANCELLED))
        except errors.RayTaskError as error:  # raised before the function, whose own exceptions are outcomes
            self._finish(sent, Outcome(sent.task.name, FAILED, why=line_of(error)))
        except (errors.RayError, StopIteration) as error:
            self._died(sent, is_node=isinstance(error, errors.NodeDiedError | errors.ObjectLostError))
        else:
            if isinstance(said, dict):
                _check_versions(said)
            elif said == BEGUN:
                sent.begun = self._clock()
            else:
                self._finish(sent, Outcome(sent.task.name, *pickle.loads(said)))

    def _finish(self, sent: _Sent, outcome: Outcome) -> None:
        self._sent.remove(sent)
        self._ended.append(outcome)

    def _died(self, sent: _Sent, is_node: bool) -> None:
        """Send a task again whose worker or node was lost, or give it up."""
        task = sent.task
        task.moves, task.crashes = task.moves + is_node, task.crashes + (not is_node)
        if task.crashes < TRIES and task.moves < MOVES:
            self._sent.remove(sent)
            self._waiting.appendleft(task)
        else:
            self._finish(sent, Outcome(task.name, CRASH, why=LOST if is_node else DIED))

    def _lose(self, job: _Sent) -> None:
        self._ray.cancel(job.coming, force=True)
        self._sent.remove(job)


@dataclass(frozen=True)
class _OnRay:
    """A value in Ray's object store."""

    reference: list[Any]

    @property
    def value(self) -> Any:
        """The value; its arrays are read from the store without copying."""
        return _ray().get(self.reference[0])


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError:
        raise missing_extra("ray", "ray", "work on several machines") from None
    return ray


def _connect(ray: Any, address: str) -> bool:
    """Start Ray unless it is running, and return whether it was started."""
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", include_dashboard=False, **quiet)
    except Exception as error:
        what = f"the Ray cluster at {address} cannot be reached" if address else "Ray cannot be started here"
        raise RunError(f"{what}: {line_of(error)}") from None
    return True


def _versions() -> dict[str, str]:
    """Return the versions that determine results and must be the same everywhere."""
    return {"genreg-np": __version__, "python": platform.python_version(), "numpy": np.__version__}


def _check_versions(said: dict[str, str]) -> None:
    """Refuse a node with other versions.

    Raises
    ------
    RunError
        The message names both versions.
    """
    for name, here in _versions().items():
        if said.get(name) != here:
            raise RunError(
                f"node {said.get('node')} has {name} {said.get(name)}, but this one {here}: install the same on both"
            )


def _pickled(value: Any) -> bytes:
    """Return a value as bytes, including functions of a script, which Ray's pickle supports."""
    from ray import cloudpickle

    packed: bytes = cloudpickle.dumps(value)
    return packed


_unpacked: dict[str, Any] = {}  # in a worker: the last function it was given, by its reference


def _called(function: list[Any], packed: bytes) -> Iterator[Any]:
    """Yield this worker's versions; then call the function, and yield the outcome."""
    import ray

    yield _versions() | {"node": platform.node()}
    one_blas_thread()
    keep_freed_memory()
    key = function[0].hex()
    try:
        if key not in _unpacked:
            _unpacked.clear()
            _unpacked[key] = ray.get(function[0])
    except Exception as error:
        yield pickle.dumps((FAILED, None, f"node {platform.node()}: {line_of(error)}"))
        return
    call, prepare = _unpacked[key]
    answer = attempted(given, packed, prepare)
    if answer[0] == OK:
        yield BEGUN
        answer = attempted(held, call, *answer[1])
    try:
        yield _pickled(answer)
    except Exception as error:
        yield pickle.dumps((FAILED, None, f"its result cannot be sent: {line_of(error)}"))


def _sees(path: Path) -> bool:
    return path.is_dir()
