"""Scaling to many machines, measured with local Ray nodes of one processor each.

    python bench/scaling.py [PART ...]          all parts take about five minutes on two idle processors

The overhead of a task, two nodes against one, a node killed during tasks and a driver killed during a run (ten times
each), a generation of 10,000 genomes by three engines, and the bytes sent for it. OPENBLAS_CORETYPE and
OPENBLAS_L2_SIZE unset, one BLAS thread. Writes bench/results/scaling.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import pickle
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
import ray
from ray.cluster_utils import Cluster

from genreg_np import Evolution, Network, TrainConfig, engines, load_dataset
from genreg_np.runs.shared_scores import SharedBackend

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench" / "results" / "scaling.json"
TASKS, EMPTY, TIMES, GENOMES = 12, 400, 10, 10_000
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}


def busy(seconds: float) -> float:
    """Keep a processor busy for `seconds` of processor time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return seconds


def same(value: float) -> float:
    """Return the value unchanged."""
    return value


def cluster_of(nodes: int) -> Any:
    """Return a cluster of `nodes` nodes with one processor each, and a head without any."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(nodes):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    return made


def down(cluster: Any) -> None:
    """Shut a cluster down."""
    ray.shutdown()
    cluster.shutdown()


def tasks() -> dict[str, Any]:
    """Return the overhead of an empty task on two nodes, and the seconds of one-second tasks on one node and on two."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    each = []
    for _ in range(3):
        for nodes in seconds:
            cluster = cluster_of(nodes)
            with engines.create("ray", busy, 0, address=cluster.address) as engine:
                list(engine.map([0.01] * nodes))  # start the workers
                began = time.perf_counter()
                list(engine.map([1.0] * TASKS))
                seconds[nodes].append(time.perf_counter() - began)
            if nodes == 2:
                with engines.create("ray", same, 0, address=cluster.address) as engine:
                    list(engine.map([0.0] * 8))
                    began = time.perf_counter()
                    list(engine.map([0.0] * EMPTY))
                    each.append((time.perf_counter() - began) / EMPTY)
            down(cluster)
    ratio = statistics.median(a / b for a, b in zip(seconds[1], seconds[2], strict=True))
    return {"overhead": statistics.median(each), "one node": seconds[1], "two nodes": seconds[2], "ratio": ratio}


def policy() -> int:
    """Return the bytes of a policy 4-16-2 as it is sent with the others of its generation."""
    network = Network.build((4,), hidden=(16,), outputs=2)
    models = Evolution(TrainConfig.from_preset("policy", population_size=24), network=network).ask()
    return round(len(pickle.dumps(models)) / len(models))


def lost_nodes() -> int:
    """Return in how many of ten trials all tasks were done although a node was killed."""
    whole, cluster = 0, cluster_of(2)
    for _ in range(TIMES):
        with engines.create("ray", busy, 0, address=cluster.address) as engine:
            for number in range(6):
                engine.submit(number, 0.5 + number / 1000)
            ended: dict[Any, Any] = {}
            for outcome in engine.completed():
                ended[outcome.name] = outcome.value
                if len(ended) == 1:
                    victim = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
                    cluster.remove_node(victim, allow_graceful=False)
                    cluster.add_node(num_cpus=1)
        whole += ended == {number: 0.5 + number / 1000 for number in range(6)}
    down(cluster)
    return whole


DRIVER = """
import os, sys, time
from genreg_np import Evolution, Network, TrainConfig
from genreg_np.runs import own_folder
own_folder.SAVE_EVERY_SECONDS = 0.0
def score(model, seed):
    time.sleep(0.02)
    return -float(abs(model.genes).sum()) + seed % 7 / 100
if __name__ == "__main__":
    path, total = sys.argv[1], int(sys.argv[2])
    checkpoint = path + "/checkpoint.npz"
    if os.path.exists(checkpoint):
        run = Evolution.load(checkpoint, backend="numpy")
    else:
        network = Network.build((4,), hidden=(3,), outputs=2)
        run = Evolution(TrainConfig.from_preset("policy", population_size=8), network=network, backend="numpy")
    told = lambda record: print(record["generation"], flush=True)
    run.run(total, fitness=score, episodes=2, rescore=2, engine="ray", out=path, on_record=told)
"""


def lost_drivers() -> int:
    """Return how many of ten killed and resumed runs end with the same bytes as an uninterrupted one."""
    whole = 0
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / "driver.py"
        script.write_text(DRIVER)

        def begin(path: str) -> subprocess.Popen[str]:
            command = [sys.executable, str(script), path, "12"]
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        begin(f"{place}/whole").wait()
        right = Path(f"{place}/whole/model.npz").read_bytes()
        for time_ in range(TIMES):
            path = f"{place}/{time_}"
            killed = begin(path)
            assert killed.stdout is not None
            for line in killed.stdout:
                if int(line) == 2 + time_:
                    break
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            begin(path).wait()
            whole += Path(path, "model.npz").read_bytes() == right
    return whole


def generation() -> dict[str, Any]:
    """Return the seconds of a generation of 10,000 genomes by three engines, the bytes sent, and whether all agree."""
    data = load_dataset("mnist")
    config = TrainConfig.from_preset("seed-mnist-64", population_size=GENOMES, generations=2)
    found: dict[str, Any] = {}
    hashes = set()
    for name in ("serial", "processes", "ray"):
        evolution = Evolution(config, data, backend="numba", threads=1)
        evolution.run(1)
        began = time.perf_counter()
        if name == "serial":
            evolution.run(2)
        else:
            evolution.run(2, engine=name, workers=2)
        found[name] = time.perf_counter() - began
        state = evolution.state
        parts = [np.asarray(value).tobytes() for value in vars(state).values() if isinstance(value, np.ndarray)]
        hashes.add(hashlib.sha256(b"".join(parts)).hexdigest())
    found["equal"] = len(hashes) == 1
    brood = evolution.strategy.breed(evolution.state, evolution.context, evolution.stream)
    batch = evolution.strategy.batch(evolution.state, evolution.context, evolution.stream)
    sent = _sent(SharedBackend(evolution.backend, "serial"), brood, batch)
    weights = GENOMES * brood.survivors[0].nbytes
    return found | {"survivors": int(brood.survivors.nbytes), "beside": sent, "weights": int(weights)}


def _sent(backend: Any, brood: Any, batch: Any) -> int:
    """Return the bytes sent for a generation, without its survivors."""
    empty = np.empty((0, brood.survivors.shape[1]), np.float32)
    described = {name: value for name, value in vars(brood).items() if name not in ("survivors", "runs")}
    judged_on = dataclasses.replace(batch, features=empty[:, :0], importance=None)
    pieces = np.array_split(np.arange(brood.size), 4)
    return len(pickle.dumps((described, judged_on))) + sum(len(pickle.dumps(piece)) for piece in pieces)


PARTS = {
    "tasks": tasks,
    "policy": policy,
    "generation": generation,
    "lost nodes": lost_nodes,
    "lost drivers": lost_drivers,
}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all of them")
    os.environ.setdefault("RAY_DEDUP_LOGS", "1")
    for name in parser.parse_args().parts or PARTS:
        found = PARTS[name]()
        print(name, found, flush=True)
        if ray.is_initialized():
            ray.shutdown()
        saved: dict[str, Any] = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
        machines = saved.get("machines", {}) | {name: machine.describe() | {"ray": ray.__version__}}
        saved |= {name: found, "machines": machines}
        RESULT.write_text(json.dumps(saved, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
