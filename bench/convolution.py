"""A training step of small convolutional networks, compared with PyTorch's step of the same network, in turn.

    python bench/convolution.py --peers .venv-peers/bin/python [--layers]

One step: forward, loss, backward, Adam; 64 images of 28 x 28, one thread. PyTorch runs in a process of that Python
(bench/peers/convolution_torch.py), in both of its memory layouts; a round times ours and both of its, and ratios are
taken within a round. Also measured: two networks on two threads compared with one after the other, and the time to
compile the kernels with an empty cache. Writes bench/results/convolution.json. With --layers, networks of other layers
are measured, which are also compared with relu and max pooling in the same round:
bench/results/convolution-layers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def two(first: int, second: int, size: int, between: str) -> str:
    """Return a network of two convolutions with the same layers after each, and a dense layer."""
    return f"conv {first} {size} / {between} / conv {second} {size} / {between} / dense 10"


PLAIN, NORMAL = "relu / max 2", "batch-norm / relu / max 2"
NETWORKS = {
    "3x3, 16 and 32 filters": two(16, 32, 3, PLAIN),
    "3x3, 16 and 32 filters, batch norm": two(16, 32, 3, NORMAL),
    "3x3, 8 and 16 filters": two(8, 16, 3, PLAIN),
    "3x3, 8 and 16 filters, batch norm": two(8, 16, 3, NORMAL),
    "3x3, 32 and 64 filters": two(32, 64, 3, PLAIN),
    "3x3, 32 and 64 filters, batch norm": two(32, 64, 3, NORMAL),
    "5x5, 16 and 32 filters": two(16, 32, 5, PLAIN),
    "5x5, 16 and 32 filters, batch norm": two(16, 32, 5, NORMAL),
}
LAYERS = {  # layers that an architecture search may place after the first network's convolutions
    between: two(16, 32, 3, between)
    for between in (
        *("instance-norm / relu / max 2", "group-norm 4 / relu / max 2", "batch-norm / elu / max 2"),
        *("leaky-relu / max 2", "prelu / max 2", "selu / max 2", "elu / max 2", "relu / avg 2", "selu / avg 2"),
        *("relu / max 2 / dropout 0.25", "elu"),
    )
} | {
    "stride 2 / relu": "conv 16 3 stride 2 / relu / conv 32 3 stride 2 / relu / dense 10",
    "instance-norm / relu between 3x3 and 5x5": (
        "conv 32 3 / instance-norm / relu / conv 16 5 / relu / max 2 / dense 10"
    ),
    "adaptive avg 2 at the end": "conv 16 3 / relu / max 2 / conv 32 3 / relu / adaptive avg 2 / dense 10",
    "dense 128 / relu / dropout 0.4 at the end": (
        "conv 16 3 / relu / max 2 / conv 32 3 / relu / max 2 / dense 128 / relu / dropout 0.4 / dense 10"
    ),
}
IMAGES, STEPS = 64, 8  # images per batch; steps per timing
LAYOUTS = ("contiguous", "channels last")


class Ours:
    """A network that is trained on one batch."""

    def __init__(self, words: str) -> None:
        import numpy as np

        from genreg_np.backends import create
        from genreg_np.layers.base import Passing
        from genreg_np.layers.description import parse
        from genreg_np.layers.loss import negative_log_likelihood
        from genreg_np.layers.optimisers import Optimiser
        from genreg_np.model import Network
        from genreg_np.strategies.base import first_genes
        from genreg_np.streams import Stream

        network = Network((28, 28), tuple(parse(words, (28, 28))))
        rng = np.random.default_rng(0)
        self._images = rng.random((IMAGES, 784), dtype=np.float32)
        self._labels = rng.integers(0, 10, IMAGES)
        self._genes, self._statistics = first_genes(network, 2**0.5, Stream(0)), network.first_statistics
        self._moments = np.zeros((2, network.gene_count), np.float32)
        backend = create("numba", 1)
        self._learner = backend.learner(network, negative_log_likelihood)
        self._passing, self._follow, self._optimiser = Passing, backend.follow, Optimiser("adam", 0.001, 0.9)
        self._done = 0

    def step(self) -> None:
        """Do a step."""
        training = self._passing(True, step=self._done)
        found = self._learner.gradient(self._genes, self._statistics, self._images, self._labels, training)
        self._done += 1
        self._genes, self._moments = self._follow(
            self._optimiser, self._genes, found.gradient, self._moments, self._done, None, 0.0
        )
        self._statistics = found.statistics

    def milliseconds(self) -> float:
        """Return the time of a step."""
        begun = time.perf_counter()
        for _ in range(STEPS):
            self.step()
        return 1000 * (time.perf_counter() - begun) / STEPS


class Peer:
    """PyTorch in a process of its own."""

    def __init__(self, python: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        command = [python, str(HERE / "peers" / "convolution_torch.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def milliseconds(self, network: str, layout: str) -> float:
        """Return PyTorch's time of a step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([network, layout, IMAGES, STEPS]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def compare(name: str, words: str, peer: Peer, rounds: int, plain: Ours | None = None) -> dict[str, Any]:
    """Time both in turn, and the plain network of the same size if given; the first round is not counted."""
    network, found = Ours(words), []
    for _ in range(rounds + 1):
        turn = {layout: peer.milliseconds(words, layout) for layout in LAYOUTS} | {"ours": network.milliseconds()}
        found.append(turn | ({"plain": plain.milliseconds()} if plain else {}))
    found = found[1:]
    medians = {kind: round(statistics.median(turn[kind] for turn in found), 3) for kind in found[0]}
    ratios = {"times_as_fast": [min(turn[layout] for layout in LAYOUTS) / turn["ours"] for turn in found]}
    if plain:
        ratios["times_the_plain"] = [turn["ours"] / turn["plain"] for turn in found]
    times = {kind: round(statistics.median(values), 2) for kind, values in ratios.items()}
    print(f"{name}: {medians}, {times}", flush=True)
    return {"network": name, "milliseconds": medians, **times, "rounds": len(found)}


def side_by_side(name: str, rounds: int) -> dict[str, Any]:
    """Time two networks, one after the other and on two threads at once."""
    networks, ratios = [Ours(NETWORKS[name]) for _ in range(2)], []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        for network in networks:
            network.milliseconds()
        alone = time.perf_counter() - begun
        threads = [threading.Thread(target=network.milliseconds) for network in networks]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ratios.append(alone / (time.perf_counter() - begun))
    times = round(statistics.median(ratios[1:]), 2)
    print(f"{name}, two on two threads: {times} times as fast as one after the other", flush=True)
    return {"network": name, "times_as_fast": times, "rounds": rounds}


def compiling(works: str) -> float:
    """Return the seconds until a first network with such works can be trained, from an empty cache, on all cores."""
    code = (
        "import sys, time; from genreg_np.backends import create; from genreg_np.backends.base import Work; "
        "begun = time.perf_counter(); create('numba').warm_up([Work[name] for name in sys.argv[1:]]); "
        "print(time.perf_counter() - begun)"
    )
    with tempfile.TemporaryDirectory() as cache:
        os.chmod(cache, 0o700)
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        done = subprocess.run(
            [sys.executable, "-c", code, *works.split()], capture_output=True, text=True, check=True, env=environment
        )
    return float(done.stdout)


def main() -> None:
    """Measure, and write the results."""
    import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="the Python that has PyTorch")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--layers", action="store_true", help="other layers than those of the first table")
    options = parser.parse_args()
    peer, found = Peer(options.peers), dict[str, Any]()
    if options.layers:
        plain = Ours(two(16, 32, 3, PLAIN))
        found["compile_seconds"] = round(compiling("LOGITS FOLLOWING MAPS TAILS"), 1)
        found["steps"] = [compare(name, words, peer, options.rounds, plain) for name, words in LAYERS.items()]
    else:
        found["compile_seconds"] = round(compiling("LOGITS FOLLOWING MAPS"), 1)
        found["steps"] = [compare(name, words, peer, options.rounds) for name, words in NETWORKS.items()]
        found["side_by_side"] = side_by_side("3x3, 16 and 32 filters", options.rounds)
    found["machine"] = machine.describe()
    found["machine"]["peer"] = (
        "torch "
        + subprocess.run(
            [options.peers, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    path = HERE / "results" / ("convolution-layers.json" if options.layers else "convolution.json")
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]  # settings that force BLAS kernels; NumPy is imported later
    main()
