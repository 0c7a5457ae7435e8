"""Compiles the kernels that each work needs, by calling each with the smallest example, in two processes at once.

Compiling is single-threaded and takes seconds; meanwhile a second process compiles every other example into the
cache, from which this process then loads it. Without a cache or a second processor, one process does it all. The second
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

from genreg_np.backends.base import Backend, Batch, Brood, Told, Work
from genreg_np.backends.numba.broods import BroodTiles, Offspring, whole
from genreg_np.backends.numba.gradients import layer_table
from genreg_np.backends.numba.kernels import brood, descent, errors, maps, moving, mutants, perturb, tails
from genreg_np.backends.numba.kernels.jit import cache_folder
from genreg_np.backends.numba.kernels.network import PREDICTION, activate, multiply, multiply_turned
from genreg_np.backends.numba.pace import Pace, telling
from genreg_np.fitness import Score
from genreg_np.layers.images import Deskew, Detectors, Standardise
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Network
from genreg_np.settings import usable_processors
from genreg_np.streams import Purpose

NETWORK = Network.build((2,), (2,), 2)
TWO, GENOMES = np.zeros((2, 2), np.float32), np.zeros((1, NETWORK.gene_count), np.float32)
LABELS, SHARES, NONE, SEED = np.zeros(2, np.int64), np.ones(2), np.zeros(1, np.int64), np.uint64(0)
DARK, BITS, HALF = np.zeros((1, 1), np.uint8), np.zeros((1, 4), np.uint32), np.float32(0.5)
TASK, NET = (int(Score.LOG_PROBABILITY), HALF, HALF), (GENOMES[0], layer_table(NETWORK.dense))
BATCH = Batch(TWO, LABELS, SHARES, Score.LOG_PROBABILITY)
BROOD = Brood(
    network=NETWORK,
    seed=0,
    generation=0,
    survivors=GENOMES[:0],
    parents=np.zeros((1, 2), np.int32),
    mutation_rate=0.1,
    mutation_scale=0.1,
    weight_range=0.5,
    bias_range=0.1,
)
START = (
    "from genreg_np.backends import create; from genreg_np.backends.numba.warm import compile_here; "
    "compile_here(create('numba', 1), sys.argv[2:])"
)


def _genes() -> Offspring:
    return Offspring(dataclasses.replace(BROOD, survivors=GENOMES))


def _fill_first(backend: Backend) -> None:
    Offspring(BROOD).fill(GENOMES.copy(), NONE, (0, 1, 2), whole(2))


def _inherit(backend: Backend) -> None:
    _genes().inherit(GENOMES.copy(), NONE, (0, 1, 2), whole(2))


def _inherit_units(backend: Backend) -> None:
    genes = _genes()
    brood.inherit_units(TWO[None], TWO[None], 2, NONE, BITS, genes.family, 0)


def _add_mutated_inputs(backend: Backend) -> None:
    genes = _genes()
    brood.add_mutated_inputs(TWO[None], NONE, 0, 2, TWO, np.zeros(2, np.int32), (0, SEED), genes.tables)


def _judge(backend: Backend) -> None:
    BroodTiles(BROOD, BATCH).judge(TWO[None].copy(), NONE)


def _by_error(backend: Backend) -> None:
    errors.compare_by_error(TWO.copy(), TWO, TWO[None], TWO, TASK[0], NET, 0, 1)


def _detect(backend: Backend) -> None:
    backend.levels((Detectors((1, 1, 1), np.zeros((1, 1, 1), np.int8), 0, 1, 1, False, 1.0),), DARK)


def _descend(backend: Backend) -> None:
    genes, rates = GENOMES[0].copy(), np.zeros((1, 5), np.float32)
    descent.descend(genes, genes, genes, SHARES[0], NET[1], (TWO[None], LABELS[None], NONE), LABELS[None], rates)


def _gather_batches(backend: Backend) -> None:
    descent.gather(TWO[None].copy(), LABELS[None].copy(), NONE.copy(), TWO, LABELS[None], 0, 1)


def _by_score(backend: Backend) -> None:
    mutants.compare_by_score(TWO.copy(), TWO, TWO[None], LABELS, BITS[0], TASK, NET, 0, 1)


def _forward(backend: Backend) -> None:
    four = np.zeros((4, 2), np.float32)
    perturb.forward(TWO.copy(), four, four.copy(), np.zeros(4, np.float32), (TWO, LABELS, LABELS), NET)


def _mutate_units(backend: Backend) -> None:
    four, unbiased = np.zeros((4, 2), np.float32), np.zeros(4, np.float32)
    perturb.mutate_units(four, four.copy(), four.copy(), unbiased, NET[1], HALF, 0, 0, SEED)


def _credit(backend: Backend) -> None:
    credits, signs, layers = np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32), layer_table(NETWORK.dense)
    perturb.credit(credits, GENOMES[0].copy(), TWO[:, None].copy(), signs, layers, SHARES, HALF, 1, True)


ROW, TAP, PLACES, ONE_SHARE = (
    np.zeros(1024, np.float32),
    np.zeros(1, np.int64),
    np.zeros(256, np.uint8),
    np.ones(1, np.float32),
)
WEIGHTS = np.ones((1, 1, 1, 1), np.float32)
ONE_ROW = np.array([[0, 0, 0, 1]], np.int64)


def _convolve(backend: Backend) -> None:
    seen, shape = (ROW, TAP, ROW[:8].copy(), ONE_ROW, ONE_ROW), (1, 1, 16, 1)
    maps.convolve(ROW.copy(), PLACES, np.zeros((8, 1, 16), np.float32), *seen, ONE_SHARE, ONE_SHARE, TAP, shape, HALF)


def _unfinish(backend: Backend) -> None:
    shape, sums = (1, 1, 16, 1, 16, 1), np.zeros((1, 16), np.float32)
    maps.unfinish(ROW.copy(), sums, ROW.copy(), ROW, PLACES, ROW, TAP, ONE_ROW, TAP, shape, 16, 0, HALF)


def _sums_of(backend: Backend) -> None:
    maps.sums_of(np.zeros((1, 2), np.float32), ROW, 0, 16, 16, ONE_SHARE, ROW, 16, ONE_SHARE, (1, 16))


def _renormalise(backend: Backend) -> None:
    maps.renormalise(ROW.copy(), 0, 16, 16, ROW, 16, ONE_SHARE, ONE_SHARE, ONE_SHARE, (1, 16))


SPAN, CURVE, BYTES_16 = np.array([[0, 1]], np.int64), np.zeros((1, 3), np.float32), PLACES[:16].copy()
TAIL = (BYTES_16, np.zeros(16, np.int32), ROW[:32].copy(), ROW, ONE_SHARE, ONE_SHARE, ONE_SHARE, CURVE, HALF)
TAIL_NUMBERS, TAIL_SHAPE = (TAP[:0], ROW.copy(), ROW.copy()), (1, 1, 1, 16, 1, 0, 0)


def _finish_tail(backend: Backend) -> None:
    tails.finish(ROW.copy(), *TAIL, (SPAN, SPAN), *TAIL_NUMBERS, TAIL_SHAPE)


def _unfinish_tail(backend: Backend) -> None:
    sums, where = ROW[:96].copy(), (16, 16, 0)
    tails.unfinish(ROW.copy(), sums, ROW, *TAIL, (SPAN, SPAN, SPAN), *TAIL_NUMBERS, TAIL_SHAPE, where, True)


def _move_images(backend: Backend) -> None:
    image, pair = np.zeros((1, 1, 1, 1), np.float32), TWO[:1].copy()
    moving.move_images(image, image.copy(), pair, pair, pair, np.zeros((0, 2, 1, 1), np.float32), 0, 1)


# Kernels with the types of a run, none twice, the slowest first (pace.SECONDS): the second process takes every other.
EXAMPLES: dict[str, Callable[[Backend], object]] = {
    "descend": _descend,
    "detect": _detect,
    "compare by score": _by_score,
    "compare by error": _by_error,
    "unfinish a tail": _unfinish_tail,
    "finish a tail": _finish_tail,
    "forward": _forward,
    "total by score": lambda _: mutants.total_by_score(np.zeros(2), TWO, LABELS, SHARES, BITS[0], TASK),
    "add mutated inputs": _add_mutated_inputs,
    "mutate units": _mutate_units,
    "credit": _credit,
    "judge": _judge,
    "deskew": lambda backend: backend.levels((Deskew((1, 1)),), DARK),
    "convolve": _convolve,
    "inherit": _inherit,
    "total by log": lambda _: mutants.total_by_log(np.zeros(2), TWO, LABELS, SHARES),
    "mutate": lambda backend: backend.mutate(GENOMES, 0, 0, Purpose.BASE_MUTATION, 0.1, 0.1, 0),
    "compare by log": lambda _: mutants.compare_by_log(TWO.copy(), TWO, TWO[None], LABELS, 1),
    "unfinish": _unfinish,
    "move images": _move_images,
    "judge errors": lambda _: errors.judge_errors(np.zeros(1), np.zeros(1), TWO[None], TWO, SHARES, 5),
    "total by error": lambda _: errors.total_by_error(np.zeros(2), TWO, TWO, SHARES, 5),
    "spread pairs": lambda _: perturb.spread(TWO[None].copy(), TWO.copy(), TWO, TWO[0], TWO),
    "gather batches": _gather_batches,
    "first genes": _fill_first,
    "transpose first": lambda _: descent.transpose_first(GENOMES.copy(), GENOMES, 2, 2, 0, 1),
    "inherit units": _inherit_units,
    "sums of maps": _sums_of,
    "lane sums": lambda _: maps.lane_sums(WEIGHTS, ONE_SHARE.copy(), ROW, ROW.reshape(-1, 16)),
    "follow": lambda backend: backend.follow(Optimiser("sgd", 0.1, 0.9), GENOMES[0], GENOMES[0], GENOMES, 1),
    "activate": lambda _: activate(TWO.copy(), TWO[0], 0),
    "times derivative": lambda _: descent.times_derivative(TWO.copy(), TWO, TWO, 0),
    "add tiles": lambda _: perturb.add_tiles(GENOMES[0].copy(), GENOMES, 1, 0, 1),
    "multiply": lambda _: multiply(TWO[None], TWO[None], TWO[None].copy()),
    "multiply turned": lambda _: multiply_turned(TWO, TWO, TWO.copy()),
    "gather active": lambda _: brood.gather_active(TWO[None].copy(), GENOMES, 2, whole(2)),
    "weigh": lambda _: maps.weigh(ROW[:128].copy(), ROW, 16, 0, ROW, TAP, ONE_ROW, 1, 16),
    "finish": lambda _: maps.finish(
        ROW.copy(), PLACES, ROW, ONE_ROW, 16, ONE_SHARE, ONE_SHARE, TAP, (1, 1, 16, 1), HALF
    ),
    "renormalise": _renormalise,
    "correlate": lambda _: maps.correlate(ROW.copy(), 16, ROW, TAP, ROW[:8].copy(), ONE_ROW, ONE_ROW, 16),
    "spread": lambda _: maps.spread(np.zeros((1, 1, 1, 1, 16), np.float32), ROW[:16].reshape(1, 1, 1, 16), 0, 1),
    "pack": lambda _: maps.pack(np.zeros((1, 1, 8), np.float32), WEIGHTS, 0, 0, 1, False),
    "drop": lambda _: maps.drop(TWO.copy(), TWO, BITS, np.uint32(0), HALF),
    "draw words": lambda _: _genes().words(NONE, 0, 1, PREDICTION),
    "standardise": lambda backend: backend.standardise(Standardise.fit(DARK), DARK),
}
LOGITS = ("activate", "multiply", "multiply turned")
NEEDED = {
    Work.BROODS: (
        *("judge", "inherit", "add mutated inputs", "mutate", "first genes", "inherit units", "gather active"),
        *("draw words", *LOGITS),
    ),
    Work.PAIRS: (
        *("compare by log", "total by log", "mutate units", "spread pairs", "credit", "add tiles", "forward"),
        *LOGITS,
    ),
    Work.SCORED_PAIRS: ("compare by score", "total by score", "draw words"),
    Work.IMAGES: ("detect", "deskew", "standardise", *LOGITS),
    Work.GRADIENTS: ("descend", "gather batches", "transpose first", *LOGITS),
    Work.LOGITS: LOGITS,
    Work.MAPS: (
        *("unfinish", "convolve", "weigh", "correlate", "finish", "sums of maps", "renormalise", "spread"),
        *("lane sums", "pack", "draw words", "drop"),
    ),
    Work.MOVING: ("move images",),
    Work.FOLLOWING: ("follow", "times derivative"),
    Work.TAILS: ("finish a tail", "unfinish a tail"),
    Work.ERRORS: ("judge errors",),
    Work.ERROR_PAIRS: ("compare by error", "total by error"),
}


def warm_up(backend: Backend, works: Sequence[Work], compiled: bool, told: Told | None = None) -> None:
    """Call every kernel that these works need once; report progress unless they are in the cache (`compiled`).

    Progress counts examples: the kernels of one example are compiled together.
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
    """Compile examples in another process while the block runs, and wait for it; a failure there is ignored here.

    `finished` is called from a thread with the name of each example that is compiled.
    """
    # It finds modules as this process does, and none in the current folder. A thread waits for the end of stdin, which
    # comes when this process is gone.
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
        reader.join()  # read its output to the end
        for pipe in (other.stdin, other.stdout):
            assert pipe is not None
            pipe.close()


def _read(other: subprocess.Popen[str], finished: Callable[[str], None]) -> None:
    """Read what compile_here writes, one name per line; `finished` ignores any other line."""
    assert other.stdout is not None
    for line in other.stdout:
        finished(line.rstrip("\n"))


def compile_here(backend: Backend, names: Sequence[str]) -> None:
    """Compile examples into the cache; write the name of each to stdout when it is done."""
    for name in names:
        EXAMPLES[name](backend)
        os.write(1, f"{name}\n".encode())
