"""The engine of many machines: stateless tasks on Ray, which is imported when one is made.

A task is sent as bytes, kept here until its outcome is there, and sent again where it was lost with its worker or node.
The function lies in Ray's object store, with the data that it holds: each node fetches it once, each worker unpacks it
once. Before it calls the function a worker says what it runs on, so that a node with other versions is refused before
anything comes of it.

Needs the extra `ray`. Ray starts on this machine alone, unless an address is given, or a script has called ray.init.
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
from genreg_np.engines.worker import attempted, given, held, line_of, one_blas_thread
from genreg_np.errors import RunError, UsageError, missing_extra
from genreg_np.settings import whole_number
from genreg_np.version import __version__

MOVES = 10  # of a task whose node goes
DIED = "its worker died: it crashed or ran out of memory"
LOST = "its node was lost, and the next ones, too"


@dataclass
class _Sent:
    task: Task
    coming: Any  # Ray's generator: what the worker runs on, that it begins, and the outcome
    begun: float | None = None


class RayEngine(QueuedEngine):
    """Calls the function on the machines of a Ray cluster.

    Parameters
    ----------
    function : callable
        function(argument) -> object.
    workers : int
        Tasks at once; 0 for as many as the cluster has processors.
    prepare : callable, optional
        prepare(argument), called before the function is: limits hold from then on.
    address : str
        Of the cluster: HOST:PORT, or auto for the one on this machine; by default one that is started here.
    clock : callable
        The time in seconds by which limits are held.

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
        """Refuse a folder that a node does not see: tasks read and write there."""
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        look = self._ray.remote(num_cpus=0)(_sees)
        asked = [look.options(scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(path) for node in nodes]
        for node, sees in zip(nodes, self._ray.get(asked), strict=True):
            if not sees:
                raise RunError(
                    f"node {node['NodeManagerHostname']} does not see {path}: choose an --out where all machines do, "
                    "such as a folder that they share"
                )

    def share(self, value: Any) -> Any:
        """Return something that fetches the value once for each node."""
        self._shared = _OnRay([self._ray.put(value)])  # kept: what nobody refers to is dropped from Ray's store
        return self._shared

    def close(self) -> None:
        """End what is under way; and Ray, if it was started for this engine."""
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
            # In a list: Ray would fetch what is an argument by itself, for every task anew.
            coming = self._call.remote([self._function], task.packed)
            self._sent.append(_Sent(task, coming))

    def _hear(self, seconds: float | None) -> None:
        ready, _ = self._ray.wait([sent.coming for sent in self._sent], timeout=seconds)
        for sent in [sent for sent in self._sent if any(one is sent.coming for one in ready)]:
            self._take(sent)

    def _take(self, sent: _Sent) -> None:
        """Take what a worker says."""
        errors = self._ray.exceptions
        try:
            said = self._ray.get(next(sent.coming))
        except errors.OutOfMemoryError as error:
            self._finish(sent, Outcome(sent.task.name, MEMORY, why=line_of(error)))
        except errors.TaskCancelledError:
            self._finish(sent, Outcome(sent.task.name, CANCELLED))
        except errors.RayTaskError as error:  # what is raised there is an outcome: this is what came before
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
        """Send a task again whose worker or node is no more, or give it up."""
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
        """Fetch it: arrays are read where the store has them, and not copied."""
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
    """Have Ray running, and return whether it was not before."""
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
    """Return what determines results: which must be the same everywhere."""
    return {"genreg-np": __version__, "python": platform.python_version(), "numpy": np.__version__}


def _check_versions(said: dict[str, str]) -> None:
    """Refuse a node that runs on something else.

    Raises
    ------
    RunError
        With both versions.
    """
    for name, here in _versions().items():
        if said.get(name) != here:
            raise RunError(
                f"node {said.get('node')} has {name} {said.get(name)}, and this one {here}: install the same on both"
            )


def _pickled(value: Any) -> bytes:
    """Return a value as bytes; functions of a script, too, which Ray's own pickle takes along."""
    from ray import cloudpickle

    packed: bytes = cloudpickle.dumps(value)
    return packed


_unpacked: dict[str, Any] = {}  # in a worker: the function that it was last asked for, by its reference


def _called(function: list[Any], packed: bytes) -> Iterator[Any]:
    """Say what this worker runs on; then call the function, and say what came of it."""
    import ray

    yield _versions() | {"node": platform.node()}
    one_blas_thread()
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
