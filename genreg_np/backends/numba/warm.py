"""What compiles the kernels: for each work the smallest examples that call them, by two processes at once.

Compiling is single-threaded and takes seconds; a second process compiles every other example into the cache
meanwhile, from which this one then loads. Where there is no cache, or no second processor, one does it all. The second
process ends with the first, however that ends: its stdin is a pipe that only the first holds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from genreg_np.backends.base import Backend, Batch, Brood, Perturbation, Told, Work
from genreg_np.backends.gradients import Descent
from genreg_np.backends.numba.kernels.jit import cache_folder
from genreg_np.backends.numba.pace import Pace, telling
from genreg_np.backends.numba.pairs import PairTiles, Tile
from genreg_np.backends.threads import usable_processors
from genreg_np.fitness import Score
from genreg_np.layers.groups import Gene
from genreg_np.layers.images import Deskew, Detectors, Standardise
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Network
from genreg_np.streams import Purpose

NETWORK = Network.build((2,), (2,), 2)
TWO, GENOMES = np.zeros((2, 2), np.float32), np.zeros((1, NETWORK.gene_count), np.float32)
BATCH = Batch(TWO, np.zeros(2, np.int64), np.ones(2), Score.LOG_PROBABILITY)
BROOD = Brood(NETWORK, 0, 0, GENOMES[:0], np.zeros((1, 2), np.int32), Gene.WEIGHT, 0.1, 0.1, 0, 0.5, 0.1)
DARK = np.zeros((1, 1), np.uint8)
UNITS = np.zeros((4, 2), np.float32)  # of both layers, for two images
TILE: Tile = (0, TWO, UNITS, UNITS, UNITS, UNITS)
START = (
    "from genreg_np.backends import create; from genreg_np.backends.numba.warm import compile_here; "
    "compile_here(create('numba', 1), sys.argv[2:])"
)


def _pairs(score: Score = Score.LOG_PROBABILITY) -> PairTiles:
    return PairTiles(NETWORK, GENOMES[0], dataclasses.replace(BATCH, score=score), Perturbation(1, 0.1, 0, 0))


def _inherited(backend: Backend) -> None:
    parents = np.zeros((2, 2), np.int32)  # more children than survivors: else inheriting would save nothing
    whole = dataclasses.replace(BROOD, survivors=GENOMES, parents=parents, gene=Gene.NONE, mutation_rate=0.0)
    backend.score(whole, BATCH)


def _images(backend: Backend) -> None:
    filters = np.zeros((1, 1, 1), np.int8)
    found = backend.levels((Deskew((1, 1)), Detectors((1, 1, 1), filters, 0, 1, 1, False, 1.0)), DARK)
    backend.standardise(Standardise.fit(found), found)


def _gradients(backend: Backend) -> None:
    descent = Descent(Network.build((2,), (2,), 2, "relu"), Optimiser("sgd", 0.1, 0.9), 2)
    backend.descend(descent, GENOMES, TWO, BATCH.labels, np.arange(2))


EXAMPLES: dict[str, Callable[[Backend], object]] = {  # the dearest first: every other one is the second process's
    "dense": lambda backend: backend.score(BROOD, BATCH),
    "inherited": _inherited,
    "gradients": _gradients,
    "scored pairs": lambda backend: _pairs(Score.REWARD_SAMPLED).compare(TILE),
    "images": _images,
    "open": lambda backend: _pairs().open(0),
    "compare": lambda backend: _pairs().compare(TILE),
    "fold": lambda backend: _pairs().fold(0, TILE, np.zeros((2, 1, 2), np.float32)),
    "logits": lambda backend: backend.logits(NETWORK, GENOMES[0], TWO),
    "rebuild": lambda backend: backend.rebuild(BROOD, np.zeros(1, np.int64)),
    "mutate": lambda backend: backend.mutate(GENOMES, 0, 0, Purpose.BASE_MUTATION, 0.1, 0.1, 0),
    "score": lambda backend: _pairs().score(0, TILE),
    "add": lambda backend: _pairs().add(0, 1),
}
NEEDED = {
    Work.BROODS: ("dense", "inherited", "logits", "rebuild", "mutate"),
    Work.PAIRS: ("open", "compare", "fold", "logits", "score", "add"),
    Work.SCORED_PAIRS: ("scored pairs",),
    Work.IMAGES: ("images", "logits"),
    Work.GRADIENTS: ("gradients", "logits"),
}


def warm_up(backend: Backend, works: Sequence[Work], compiled: bool, told: Told | None = None) -> None:
    """Call every kernel that some works need once; `compiled` says that all of them are in the cache, else it is told.

    What is told counts examples: the kernels they call are compiled together.
    """
    wanted = {name for work in works for name in NEEDED[work]}
    names = [name for name in EXAMPLES if name in wanted]
    shared = not compiled and cache_folder() is not None and usable_processors() > 1 and not hasattr(sys, "frozen")
    mine, theirs = (names[0::2], names[1::2]) if shared else (names, [])
    pace = Pace(mine, theirs)

    def do(some: Sequence[str]) -> None:
        for name in some:
            EXAMPLES[name](backend)
            pace.finish(name)

    with telling(pace, None if compiled else told):
        with _elsewhere(theirs, pace.finish) if theirs else contextlib.nullcontext():
            do(mine)
        pace.alone()
        do(theirs)


@contextlib.contextmanager
def _elsewhere(names: Sequence[str], finished: Callable[[str], None]) -> Iterator[None]:
    """Have examples compiled by another process while the block runs, and wait for it; a failure there is none here.

    `finished` is called from a thread with the name of each that is compiled.
    """
    # Found as this process finds its modules, and nothing of the folder it happens to stand in. A thread waits for the
    # end of stdin, which comes when this process is no more.
    code = (
        "import json, os, sys, threading; sys.path[:] = json.loads(sys.argv[1]); "
        f"threading.Thread(target=lambda: os.read(0, 1) or os._exit(1), daemon=True).start(); {START}"
    )
    try:
        other = subprocess.Popen(
            [sys.executable, "-P", "-c", code, json.dumps([path for path in sys.path if path]), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except (OSError, TypeError):  # no interpreter to start: an embedded one, for example
        yield
        return
    reader = threading.Thread(target=_read, args=(other, finished), daemon=True)
    reader.start()
    try:
        yield
        other.wait()
    finally:
        other.kill()
        other.wait()
        reader.join()  # what it wrote is read to its end
        for pipe in (other.stdin, other.stdout):
            assert pipe is not None
            pipe.close()


def _read(other: subprocess.Popen[str], finished: Callable[[str], None]) -> None:
    """Take what compile_here writes, a name a line; anything else there is nobody's name."""
    assert other.stdout is not None
    for line in other.stdout:
        finished(line.rstrip("\n"))


def compile_here(backend: Backend, names: Sequence[str]) -> None:
    """Compile examples into the cache, and write the name of each to stdout when that is done."""
    for name in names:
        EXAMPLES[name](backend)
        os.write(1, f"{name}\n".encode())
