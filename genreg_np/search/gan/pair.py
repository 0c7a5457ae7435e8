"""A generator and a discriminator that are trained against each other, step by step.

    noise z, classes c          ->  generator      ->  images x'
    images x or x', classes c   ->  discriminator  ->  one number each, high for images it takes to be real

In one step, the discriminator descends its loss on a batch of real and a batch of generated images, once or several
times; then the generators descend theirs, through it. P generators may learn in parallel from one discriminator, each
with its own loss: all their images pass through it together.

The discriminator's inputs may be transformed: scaled to -1 .. 1, shifted and mirrored, real and generated images alike,
so that it cannot memorise a small dataset (Zhao et al. 2020); noise may be added (Sonderby et al. 2017); and it may see
several images at a time (PacGAN: Lin et al. 2018). Gradients are transformed back accordingly.

Everything is a pure function of the state, its step and the seed. States live on the host; the backend does the
arithmetic on its device.

Shapes: P generators, Z noise, K requested classes (0: none), I pixels, N images of a batch, D genes of a network, E
statistics, M training images. Columns are images.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend
from genreg_np.backends.gradients import check_gradients, joined
from genreg_np.data.generated import channels_of
from genreg_np.errors import FitnessError
from genreg_np.layers.base import Array, Passing, array_module, on_host
from genreg_np.layers.composite import Stack
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Float32, Network
from genreg_np.search.gan.losses import LOSSES
from genreg_np.search.gan.rules import Rules, drawn, scale_of, shown
from genreg_np.strategies.base import first_genes
from genreg_np.strategies.epochs import rows_of
from genreg_np.streams import Purpose, Stream, normal_table, scale_words

ARRAYS = ("genes", "statistics", "moments")
WARMING = 10  # steps over which the window of the average grows at first
MOVES, INSTANCE = 2, 3  # purposes of draws for a pass, besides those of rules.py


@dataclass(frozen=True)
class Side:
    """The networks of one side: their genes (P, D), statistics (P, E) and moments (P, 2, D)."""

    genes: Float32
    statistics: Float32
    moments: Float32

    @classmethod
    def first(cls, network: Network, stream: Stream, count: int = 1) -> Side:
        """Return `count` equal, newly initialised networks."""
        genes = np.repeat(first_genes(network, 1.0, stream)[None], count, axis=0)
        statistics = np.repeat(network.first_statistics[None], count, axis=0)
        return cls(genes, statistics, np.zeros((count, 2, network.gene_count), np.float32))

    def only(self, place: int) -> Side:
        """Return copies of one of the networks in place of all."""
        return Side(*(np.repeat(getattr(self, name)[place : place + 1], len(self.genes), axis=0) for name in ARRAYS))


@dataclass(frozen=True)
class State:
    """What is kept between steps."""

    step: int
    generators: Side
    discriminator: Side
    average: Float32  # (P, D + E) of the generators' genes and statistics

    @property
    def answering(self) -> tuple[Float32, Float32]:
        """Genes (P, D) and statistics (P, E) of the generators for inference: the averages if they are kept."""
        genes = self.generators.genes.shape[1]
        return self.average[:, :genes], self.average[:, genes:]

    def is_finite(self) -> bool:
        """Return whether the sums of squared genes are finite; infinite moments show in the genes a step later."""
        return all(math.isfinite(np.vdot(side.genes, side.genes)) for side in (self.generators, self.discriminator))

    def copy(self) -> State:
        """Return a copy that later steps of this state do not change."""
        generators, discriminator = (
            Side(*(getattr(side, name).copy() for name in ARRAYS)) for side in (self.generators, self.discriminator)
        )
        return State(self.step, generators, discriminator, self.average.copy())


@dataclass(frozen=True)
class Context:
    """What steps need and do not change.

    Parameters
    ----------
    backend : Backend
    generator, discriminator : Network
    rules : Rules
    shape : tuple of int
        The shape of an image.
    images : (M, I) float32 of 0 .. 1
        On the backend's device.
    labels : (M,) int64
    first, last : int
        The steps between which learning rates follow their schedule.
    """

    backend: Backend
    generator: Network
    discriminator: Network
    rules: Rules
    shape: tuple[int, ...]
    images: Array = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    first: int = 0
    last: int = 0

    def __post_init__(self) -> None:
        check_gradients(self.generator)
        check_gradients(self.discriminator)
        object.__setattr__(self, "stacks", [self.backend.stack(net) for net in (self.generator, self.discriminator)])

    stacks: Sequence[Stack] = field(init=False, repr=False)

    def at(self, optimiser: Optimiser, step: int) -> Optimiser:
        """Return an optimiser with its learning rate at a step."""
        if not self.rules.falling:
            return optimiser
        left = 2 * (1 - (step - self.first) / max(1, self.last - self.first))
        return dataclasses.replace(optimiser, learning_rate=optimiser.learning_rate * min(1.0, left))


def start(context: Context, stream: Stream, beside: Stream) -> State:
    """Return a newly initialised pair; the discriminator has a random stream of its own."""
    generators = Side.first(context.generator, stream, len(context.rules.losses))
    average = np.concatenate([generators.genes, generators.statistics], axis=1)
    return State(0, generators, Side.first(context.discriminator, beside), average)


def step(state: State, context: Context, stream: Stream) -> State:
    """Do a step; the arrays of the given state are updated in place.

    Raises
    ------
    FitnessError
        If a weight is no longer finite: training cannot recover from that.
    """
    with context.backend.computing(), np.errstate(all="ignore"):  # divergence is detected from non-finite numbers
        found = _Step(state, context, stream).done()
        converges = found.is_finite()
    if not converges:
        raise FitnessError(f"step {found.step:,}: the pair diverged, its weights became infinite or NaN")
    return found


@dataclass(frozen=True)
class _Seen:
    """The discriminator's view of images, and the way back."""

    columns: Array
    back: Callable[[Array], Array]  # gradients by the view -> gradients (I, N) by the images


class _Step:
    """One step of a pair."""

    def __init__(self, state: State, context: Context, stream: Stream) -> None:
        self._context, self._rules, self._stream = context, context.rules, context.backend.stream(stream)
        self._state, self._there = state, context.backend.to_device
        self._maker, self._judge = context.stacks
        self._passes = state.step * (2 * self._rules.turns + 1)  # passes of the discriminator before the next one
        self._kept = self._there(state.discriminator.statistics)

    def done(self) -> State:
        """Return the state after the step."""
        state, rules, context = self._state, self._rules, self._context
        makers, statistics = state.generators, self._there(state.generators.statistics)
        arrays = context.generator.arrays_of(self._there(makers.genes), statistics)
        for turn in range(rules.turns):
            number = state.step * rules.turns + turn
            inputs, classes = drawn(rules, self._stream, number, rules.batch_size)
            images, needed = self._maker.forward(arrays, self._there(inputs), Passing(True, self._stream, number))
            generated = self._side_by_side(images)
            self._judge_learns(number, generated, np.tile(classes, len(rules.losses)))
        by_images = self._by_images(generated, np.tile(classes, len(rules.losses)))
        _, gradients = self._maker.backward(arrays, needed, by_images, wanted=False)
        _follow(context, makers, joined(gradients), context.at(rules.makes, state.step), state.step + 1)
        for side, kept in ((makers, statistics), (state.discriminator, self._kept)):
            side.statistics[...] = on_host(kept)
        self._averaged()
        return dataclasses.replace(state, step=state.step + 1)

    def _averaged(self) -> None:
        """Move the average towards the current generators."""
        state, makers = self._state, self._state.generators
        left = min(self._rules.average, (1 + state.step) / (WARMING + state.step))
        first = 0
        for own in (makers.genes, makers.statistics):
            average = state.average[:, first : first + own.shape[1]]
            if left:
                average += np.float32(1 - left) * (own - average)
            else:
                average[...] = own
            first += own.shape[1]

    def _judge_learns(self, number: int, generated: Array, classes: NDArray[np.int64]) -> None:
        """Do a step of the discriminator on a batch of real images and on generated ones (I, P N)."""
        context, loss = self._context, LOSSES[self._rules.losses[0]]
        rows, _ = rows_of(len(context.labels), self._rules.batch_size, self._stream, number)
        images = context.images[array_module(context.images).asarray(rows)].T
        arrays, found = self._arrays(), None
        for columns, wanted, is_real in ((images, context.labels[rows], True), (generated, classes, False)):
            values, needed, _ = self._passed(arrays, columns, wanted)
            by_values = loss.of_real(values, self._rules.smoothing) if is_real else loss.of_generated(values)
            gradients = self._judge.backward(arrays, needed, by_values, wanted=False)[1]
            if found is None:
                found = joined(gradients)  # a copy, as the next pass reuses the layers' memory
            else:
                for own, more in zip(context.discriminator.parameters_of(found), gradients, strict=True):
                    own += more
        judges = context.at(self._rules.judges, self._state.step)
        _follow(context, self._state.discriminator, found, judges, number + 1)

    def _by_images(self, generated: Array, classes: NDArray[np.int64]) -> Array:
        """Return the gradients (P, I, N) of the generators' losses with respect to their images (I, P N)."""
        arrays, names = self._arrays(), self._rules.losses
        values, needed, seen = self._passed(arrays, generated, classes)
        xp, each = array_module(values), values.shape[-1] // len(names)
        by_values = xp.concatenate(
            [LOSSES[name].of_making(values[..., p * each : (p + 1) * each]) for p, name in enumerate(names)], axis=-1
        )
        by_seen, _ = self._judge.backward(arrays, needed, by_values, wanted=True, learning=False)
        assert by_seen is not None
        by_images = seen.back(by_seen[0])
        return xp.ascontiguousarray(by_images.reshape(len(by_images), len(names), -1).swapaxes(0, 1))

    def _side_by_side(self, images: Array) -> Array:
        """Return images (P, I, N) of P generators as columns (I, P N); of one generator they are not copied."""
        return array_module(images).ascontiguousarray(images.swapaxes(0, 1)).reshape(images.shape[1], -1)

    def _arrays(self) -> Sequence[Array]:
        return self._context.discriminator.arrays_of(self._there(self._state.discriminator.genes), self._kept)

    def _passed(self, arrays: Sequence[Array], images: Array, classes: NDArray[np.int64]) -> tuple[Array, Any, _Seen]:
        """Return the discriminator's outputs for images (I, N), what its backward pass needs, and its view of them."""
        seen = self._seen(images, classes)
        passing = Passing(True, self._stream, self._passes, 1)
        self._passes += 1
        return *self._judge.forward(arrays, seen.columns, passing), seen

    def _seen(self, images: Array, classes: NDArray[np.int64]) -> _Seen:
        """Return images (I, N) as the discriminator sees them in this pass."""
        context, rules = self._context, self._rules
        sides, (moves, flip) = channels_of(context.shape), self._moves()
        columns = _moved(images.reshape(*sides, -1), moves, flip).reshape(images.shape)
        if rules.instance_noise:
            words = self._stream.words(Purpose.PAIR, self._passes, INSTANCE, columns.size)
            added = normal_table()[words >> np.uint32(16)].reshape(columns.shape) * np.float32(rules.instance_noise)
            columns = columns + self._there(added)
        columns = shown(rules, context.shape, context.discriminator.input_shape, columns, classes)
        if not context.discriminator.is_dense:  # products take rows of images as they are
            columns = array_module(columns).ascontiguousarray(columns)
        lines, scale = len(columns) // rules.pack, scale_of(rules)

        def back(gradient: Array) -> Array:
            parts = [gradient[place * lines : place * lines + len(images)] for place in range(rules.pack)]
            whole = array_module(images).concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
            by_maps = (whole * scale if scale != 1 else whole).reshape(*sides, -1)
            unflipped = by_maps[:, :, ::-1] if flip else by_maps
            return _moved(unflipped, (-moves[0], -moves[1]), False).reshape(images.shape)

        return _Seen(columns, back)

    def _moves(self) -> tuple[tuple[int, int], bool]:
        """Return the shift in pixels, down and to the right, and whether to mirror, for this pass."""
        shift = self._rules.shift
        if not shift and not self._rules.flip:
            return (0, 0), False
        words = self._stream.words(Purpose.PAIR, self._passes, MOVES, 3)
        down, right = (int(move) - shift for move in scale_words(words[:2], np.int64(2 * shift + 1)))
        return (down, right), self._rules.flip and bool(words[2] & 3 == 0)  # a quarter of the passes


def _moved(maps: Array, moves: tuple[int, int], flip: bool) -> Array:
    """Return maps (C, H, W, N) shifted down and to the right, padded with 0, and then mirrored if `flip`."""
    if any(moves):
        xp, (down, right) = array_module(maps), moves
        height, width = maps.shape[1:3]
        moved = xp.zeros_like(maps)
        moved[:, max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = maps[
            :, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
        ]
        maps = moved
    return maps[:, :, ::-1] if flip else maps


def _follow(context: Context, side: Side, gradients: Array, optimiser: Optimiser, number: int) -> None:
    """Do the number-th optimiser step of networks against their gradients (P, D), in place."""
    for genes, gradient, moments in zip(side.genes, on_host(gradients), side.moments, strict=True):
        context.backend.follow(optimiser, genes, gradient, moments, number, in_place=True)
