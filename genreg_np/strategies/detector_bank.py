"""Detector bank: features from filters made without gradients, and a head trained by node perturbation.

Fixed layers of the network, made once from the seed and the training images (layers/images.py has their equations):

    levels      pixels as whole numbers 0 .. 255
    deskew      grey images sheared upright and centred
    detectors   filters of all colours at once, rectified, pooled, square-rooted: one stage, of one size or several,
                two stages, or both side by side
    deviations  each response's distance from its mean, in addition to the responses (optional)
    standardise mean 0, deviation 1

Filters are random, learned from the images alone, or evolved (filters.py). The head, dense layers on these features, is
trained as in node_perturbation.py. Copies of the training images, rotated, stretched and shifted a little after the
deskew, make the head insensitive to remaining differences of this kind; so do mirrored copies if left and right have no
meaning.

Features are held as levels, a byte each, and converted to float32 batch by batch. Nothing here is saved: a resumed run
makes the same filters, warps and features again.

Shapes: N training images, C versions of each (`copies`, twice as many with `flip`), F features.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends import memory
from genreg_np.backends.base import Backend, Work
from genreg_np.backends.images import Warps, to_levels
from genreg_np.backends.memory import Plan
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.infer_images import MOST_WINDOW
from genreg_np.layers.images import Branches, Deskew, Detectors, Deviations, FixedLayer, Levels, Standardise, UInt8
from genreg_np.settings import option
from genreg_np.strategies import filters
from genreg_np.strategies.base import Strategy, plan_of
from genreg_np.strategies.epochs import draw_batch
from genreg_np.strategies.node_perturbation import (
    NodeContext,
    NodeOptions,
    NodePerturbation,
    NodeState,
)
from genreg_np.strategies.problem import HiddenLayers, Problem, as_classes, image_shape
from genreg_np.streams import Purpose, Stream

FIXED = "the network's fixed layers would change"
FIRST, SECOND = 1, 2  # numbers of the two stages, by which filters are drawn; the others are one-stage banks
SAMPLE = 4096  # training images used to scale levels and standardise features


@dataclass(frozen=True)
class BankOptions(NodeOptions):
    """Settings of a detector bank, besides those of its head."""

    filters: str = option("random", "where filters come from", choices=filters.SOURCES, fixed=FIXED)
    deskew: bool = option(True, "first shear grey images upright and centre them", fixed=FIXED)
    brightness: bool = option(False, "filters keep their mean, so they respond to brightness and colour", fixed=FIXED)
    detectors: int = option(24, "filters of the one-stage bank (0: none)", low=0, high=1024, fixed=FIXED)
    detector_size: int = option(5, "pixels of such a filter, each way", low=1, high=15, fixed=FIXED)
    more_sizes: tuple[int, ...] = option(
        (), "sizes of further filters, equally many of each if available", low=1, high=15, most=7, fixed=FIXED
    )
    window: int = option(8, "responses pooled into one, each way", low=1, high=22, fixed=FIXED)
    stride: int = option(5, "responses from one pool to the next", low=1, high=22, fixed=FIXED)
    grid: int = option(
        0, "half-overlapping pools each way, instead of window and stride (0: use these)", low=0, fixed=FIXED
    )
    first_detectors: int = option(
        0, "filters of the two-stage bank's first stage (0: none)", low=0, high=256, fixed=FIXED
    )
    first_size: int = option(7, "pixels of such a filter, each way", low=1, high=15, fixed=FIXED)
    first_window: int = option(2, "responses pooled into one, each way", low=1, high=22, fixed=FIXED)
    first_stride: int = option(2, "responses from one pool to the next", low=1, high=22, fixed=FIXED)
    second_detectors: int = option(8, "filters on every map of the first stage", low=1, high=256, fixed=FIXED)
    second_size: int = option(5, "pixels of such a filter, each way", low=1, high=15, fixed=FIXED)
    second_window: int = option(5, "responses pooled into one, each way", low=1, high=22, fixed=FIXED)
    second_stride: int = option(3, "responses from one pool to the next", low=1, high=22, fixed=FIXED)
    deviations: bool = option(
        False, "the head also sees each response's distance from its mean, on either side", fixed=FIXED
    )
    copies: int = option(1, "versions of each training image, the first unchanged", low=1, high=100, fixed=FIXED)
    rotation: float = option(0.1, "largest rotation of copies, in radians", low=0, high=3.2, fixed=FIXED)
    stretch: float = option(0.06, "largest stretch of copies each way, as a fraction", low=0, high=0.9, fixed=FIXED)
    translation: float = option(0.6, "largest shift of copies each way, in pixels", low=0, high=100, fixed=FIXED)
    flip: bool = option(False, "also use every version of a training image mirrored, left to right", fixed=FIXED)


@dataclass(frozen=True)
class BankProblem(Problem):
    """The problem of training a head on features held as levels."""

    levels: UInt8 = field(default_factory=lambda: np.empty((0, 0), np.uint8), repr=False)  # (C * N, F)


@dataclass(frozen=True)
class BankContext:
    """What a run computes once and never saves."""

    head: NodeContext  # its batch has no features: those of a generation are computed from `levels`
    levels: UInt8 = field(repr=False)  # (C * N, F)
    standardise: Standardise


class DetectorBank(Strategy[BankOptions, BankContext, NodeState]):
    """The strategy `detector-bank`."""

    name = "detector-bank"
    summary = (
        "pooled filters made without gradients, and a head by node perturbation: no backpropagation and no "
        "derivatives, but an estimate with a step size"
    )
    Options = BankOptions

    @staticmethod
    def works(options: BankOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return (*NodePerturbation.works(options, depth), Work.IMAGES)

    @classmethod
    def problem(
        cls, dataset: Dataset, hidden: HiddenLayers, options: BankOptions, stream: Stream, backend: Backend
    ) -> BankProblem:
        """Make the filters and the training features.

        Raises
        ------
        UsageError
            For inputs that are not images, or images smaller than a filter or pool; for copies without a deskew; for a
            deskew of colour images.
        """
        if options.copies > 1 and not options.deskew:
            raise UsageError(f"copies = {options.copies} needs the deskew: leave deskew = true, or copies = 1")
        shape = image_shape(dataset, cls.name, colours=True)
        if options.deskew and len(shape) == 3:
            raise UsageError(
                f"deskew is for grey images, but those of {dataset.name} are {shape}: use preset photos, "
                "or deskew = false, or --color grey"
            )
        pixels = to_levels(dataset.train.inputs, dataset.input_range)
        upright: tuple[FixedLayer, ...] = (Deskew((shape[0], shape[1])),) if options.deskew else ()
        images = backend.levels(upright, pixels)
        sample = slice(None, None, -(-len(images) // SAMPLE))
        maps = (1, *shape)[-3:]
        bank = build_bank(options, maps, images[sample], as_classes(dataset.train.labels)[sample], stream, backend)
        versions, width = options.copies * (1 + options.flip), bank[-1].outputs
        size = versions * len(images) * width
        _check(f"{versions * len(images):,} images x {width:,} features x 1 byte", size, backend)
        levels = np.empty((versions, len(images), width), np.uint8)
        levels[0] = backend.levels(bank, images)
        for version in range(1, versions):
            turned, copy = divmod(version, options.copies)
            source = mirrored(pixels, shape) if turned else pixels
            warps = draw_warps(options, stream, version, len(images)) if copy else None
            levels[version] = backend.levels(bank, backend.levels(upright, source, warps))
        standardise = Standardise.fit(levels[0][sample])
        layers = (Levels(math.prod(shape)), *upright, *bank, standardise)
        network = hidden.build(dataset, layers, seen=(width,))
        labels = np.concatenate([dataset.wanted("train")] * versions)
        return BankProblem(network, labels=labels, levels=levels.reshape(-1, width))

    @staticmethod
    def prepare(problem: Problem, options: BankOptions, backend: Backend) -> BankContext:
        """Collect what stays the same in all generations.

        Raises
        ------
        UsageError
            For the user's own network, whose features are not those of a bank.
        """
        if not isinstance(problem, BankProblem):
            raise UsageError(
                "detector-bank builds its own network for a dataset: leave network out, or choose another strategy"
            )
        standardise = problem.network.fixed[-1]
        assert isinstance(standardise, Standardise)
        none = np.empty((0, problem.levels.shape[1]), np.float32)
        head = NodePerturbation.prepare(dataclasses.replace(problem, features=none), options, backend)
        return BankContext(head, problem.levels, standardise)

    @staticmethod
    def plan(problem: Problem, options: BankOptions, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes."""
        what = f"{options.pairs} mirrored pairs per image and layer"
        levels = problem.levels if isinstance(problem, BankProblem) else None
        return plan_of(what, problem.network.gene_count, 6, levels)

    @staticmethod
    def start(context: BankContext, stream: Stream) -> NodeState:
        """Draw the head's first genes."""
        return NodePerturbation.start(context.head, stream)

    seeded = NodePerturbation.seeded
    champions = NodePerturbation.champions

    @staticmethod
    def step(state: NodeState, context: BankContext, stream: Stream) -> NodeState:
        """Draw a batch, compute its features, and take a step with the head."""
        drawn = draw_batch(context.head.batch, context.head.offsets, stream, state.generation)
        features = context.head.backend.standardise(context.standardise, context.levels[drawn.rows])
        batch = dataclasses.replace(drawn, features=features, rows=None)
        return NodePerturbation.step(state, dataclasses.replace(context.head, batch=batch), stream)


def build_bank(
    options: BankOptions,
    shape: tuple[int, ...],
    images: UInt8,
    labels: NDArray[np.int64],
    stream: Stream,
    backend: Backend,
) -> tuple[FixedLayer, ...]:
    """Make the bank that the options describe.

    `images` (n, C * H * W), already deskewed, are used to learn filters and to scale them; `shape` is (C, H, W).

    Raises
    ------
    UsageError
        If there is no detector, or an image is too small for one.
    """
    stacks: list[tuple[FixedLayer, ...]] = []
    sizes = (options.detector_size, *options.more_sizes) if options.detectors else ()
    for size, number in zip(sizes, (0, *range(SECOND + 1, SECOND + 1 + len(options.more_sizes))), strict=False):
        there = filters.available(options.filters, options.detectors, shape[0] * size * size)
        count = max(1, there) if number else options.detectors  # too many of the first size are an error
        pools = (count, size, options.window, options.stride)
        stacks.append((_stage(options, shape, images, labels, pools, stream, number, backend),))
    if options.first_detectors:
        pools = (options.first_detectors, options.first_size, options.first_window, options.first_stride)
        first = _stage(options, shape, images, labels, pools, stream, FIRST, backend)
        maps = backend.levels((first,), images)
        pools = (options.second_detectors, options.second_size, options.second_window, options.second_stride)
        second = _stage(options, (first.maps, *first.grid), maps, labels, pools, stream, SECOND, backend)
        stacks.append((first, second))
    if not stacks:
        raise UsageError("detectors = 0 and first_detectors = 0: a detector bank needs one of them")
    bank: tuple[FixedLayer, ...] = stacks[0] if len(stacks) == 1 else (Branches(tuple(stacks)),)
    return (*bank, Deviations.fit(backend.levels(bank, images))) if options.deviations else bank


def _stage(
    options: BankOptions,
    shape: tuple[int, ...],
    images: UInt8,
    labels: NDArray[np.int64],
    pools: tuple[int, int, int, int],
    stream: Stream,
    number: int,
    backend: Backend,
) -> Detectors:
    """Return detectors for images (n, C * H * W), scaled so that one pool in a thousand reaches the highest level.

    Filters see all colours at once; those of a second stage see each map of the first stage separately.
    """
    count, size, window, stride = pools
    side = min(shape[1:]) + 2 * (size // 2) - size + 1
    if options.grid and number not in (FIRST, SECOND):
        window, stride = half_over(side, options.grid)
    if min(shape[1:]) < size or side < window:
        raise UsageError(
            f"images of {shape[1]} x {shape[2]} pixels are too small for filters of {size} x {size} pooled over "
            f"{window} x {window}: choose smaller ones, or node-perturbation"
        )
    seen = 1 if number == SECOND else shape[0]
    maps, classes = images.reshape(-1, seen, *shape[1:]), np.repeat(labels, shape[0] // seen)
    taps = filters.make(options.filters, maps, classes, count, size, stream, number, options.brightness)
    gain = float(np.float32(255 / math.sqrt(window * window * 32767)))  # for the largest possible sum
    stage = Detectors((shape[0], shape[1], shape[2]), taps, size // 2, window, stride, number != SECOND, gain)
    _check(f"{len(images):,} images x {stage.outputs:,} features x 1 byte", len(images) * stage.outputs, backend)
    sums = backend.levels((stage,), images[: SAMPLE // 4])
    top = float(np.quantile(sums, 0.999)) + 1
    return dataclasses.replace(stage, gain=float(np.float32(gain * 255 / top)))


def half_over(side: int, grid: int) -> tuple[int, int]:
    """Return window and stride of `grid` pools, each overlapping the next by half, along `side` responses.

    If windows would be larger than allowed, there are more of them.
    """
    window = min(MOST_WINDOW, -(-2 * side // (grid + 1)), side)
    return window, min(window, max(1, (side - window) // max(1, grid - 1)))


def mirrored(pixels: UInt8, shape: tuple[int, ...]) -> UInt8:
    """Return images (N, H * W), or (N, C * H * W), with left and right exchanged."""
    return np.ascontiguousarray(pixels.reshape(-1, *shape)[..., ::-1]).reshape(pixels.shape)


def _check(formula: str, size: int, backend: Backend) -> None:
    memory.check(
        Plan("features", formula, size), backend.memory(), "choose fewer detectors or copies, or larger strides"
    )


def draw_warps(options: BankOptions, stream: Stream, copy: int, images: int) -> Warps:
    """Return the warp of each image of a copy, (N, 6) float64: uniform draws of stretch, rotation and shift."""
    draws: NDArray[np.float64] = 2 * stream.uniform(Purpose.WARPS, copy, 0, 5 * images).reshape(5, images) - 1
    angle, across, down = options.rotation * draws[0], 1 + options.stretch * draws[1], 1 + options.stretch * draws[2]
    cosine, sine = np.cos(angle), np.sin(angle)
    moved = options.translation * draws[3:]
    return np.stack([cosine * across, -sine * across, sine * down, cosine * down, *moved], axis=1)
