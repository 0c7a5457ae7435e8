"""Augmentation: images of a batch are shifted, rotated, distorted and relit each time they are used for training.

The steps for an image x of H x W pixels, in this order, with its own draws u from -1 .. 1:

    flip        left and right are exchanged, with a probability
    geometry    x'(p) = x(c + A (p - c - t) + d(p)), bilinear between pixels, 0 outside; c the centre, t whole pixels
                  A = shear^-1 scaling^-1 turn^-1: turned by u degrees, grown by 1 + u, rows pushed by u of their height
                  d = alpha times a field of u, one per pixel and direction, smoothed by a Gaussian (Simard et al. 2003)
    cut-out     a square around any pixel is set to 0 (DeVries & Taylor 2017)
    brightness  x (1 + u)
    noise       x + sigma z, z ~ N(0, 1) for each pixel

For whole shifts alone, pixels are copied, not interpolated. Everything is a function of the seed, the generation and an
image's place in its batch (streams.py, Purpose.AUGMENTATION). Values are not clipped: they may leave 0 .. 1.

Shapes: N images, C channels of H x W, float32.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.moving import moved
from genreg_np.errors import UsageError
from genreg_np.model import Float32, Network
from genreg_np.settings import Settings, option
from genreg_np.streams import Purpose, Stream, normal_table, scale_words, unit_floats

# An image's random words: what the first ones are used for, and the blocks where its fields begin.
SHIFT_Y, SHIFT_X, TURN, SCALE, SHEAR, FLIP, CUT_Y, CUT_X, LIGHT = range(9)
NEEDED = {"shift": SHIFT_X, "scaling": SCALE, "shear": SHEAR, "flip": FLIP, "cut_out": CUT_X, "brightness": LIGHT}
BEND_BLOCK, NOISE_BLOCK = 1 << 8, 1 << 24
BYTES_PER_BLOCK, HALVES_PER_BLOCK = 16, 8
Move = Callable[..., Float32]  # like backends.moving.moved


@dataclass(frozen=True)
class AugmentationOptions(Settings):
    """Settings of strategies with augmentation; each is off at 0."""

    shift: int = option(0, "largest random shift of training images, in pixels each way", low=0, high=100)
    rotation: float = option(0.0, "largest rotation in degrees, each way", low=0, high=180)
    scaling: float = option(0.0, "largest change of size, as a fraction, each way", low=0, high=0.9)
    shear: float = option(0.0, "largest shift of a row as a fraction of its height, each way", low=0, high=10)
    elastic: float = option(0.0, "strength of distortion: Simard's alpha, 34 for digits", low=0, high=10_000)
    elastic_sigma: float = option(4.0, "pixels over which distortions are smooth", above=0, high=100)
    flip: float = option(0.0, "probability that left and right are exchanged", low=0, high=1)
    cut_out: int = option(0, "side in pixels of a square that is blanked", low=0, high=1000)
    brightness: float = option(0.0, "largest change of brightness, as a fraction, each way", low=0, high=1)
    noise: float = option(0.0, "standard deviation of noise on pixels of 0 .. 1", low=0, high=10)

    @property
    def interpolated(self) -> bool:
        """Whether images move by other than whole pixels."""
        return any((self.rotation, self.scaling, self.shear, self.elastic))

    @property
    def augmenting(self) -> str:
        """The first setting that changes images, as "setting = value"; empty if none does."""
        names = "shift", "rotation", "scaling", "shear", "elastic", "flip", "cut_out", "brightness", "noise"
        return next((f"{name} = {getattr(self, name):g}" for name in names if getattr(self, name)), "")


def augmented_shape(network: Network, options: AugmentationOptions) -> tuple[int, int, int] | None:
    """Return C, H, W of the images that a network sees; None if there is no augmentation.

    Raises
    ------
    UsageError
        If the network does not see images.
    """
    if not options.augmenting:
        return None
    shape = network.input_shape
    if network.fixed or len(shape) not in (2, 3):
        sees = f"features of {network.feature_shape}" + (" that fixed layers made" if network.fixed else "")
        raise UsageError(f"{options.augmenting} changes images, but the network sees {sees}: leave it at 0")
    channels = shape[0] if len(shape) == 3 else 1
    return channels, shape[-2], shape[-1]


def augment(
    images: Float32, options: AugmentationOptions, stream: Stream, generation: int, move: Move = moved
) -> Float32:
    """Return the augmented images (N, C, H, W) of a generation's batch; the input is not changed.

    `move` is a backend's implementation of backends/moving.py.
    """
    count, _, height, width = images.shape
    last = (
        LIGHT if options.brightness else CUT_X if options.cut_out else FLIP if options.flip or options.shear else SCALE
    )
    words = _blocks(stream, generation, count, 0, 1 + last // 4).reshape(count, -1)
    if options.flip:
        flipped = unit_floats(words[:, FLIP]) < options.flip
        images = np.where(flipped[:, None, None, None], images[..., ::-1], images)
    moves = scale_words(words[:, [SHIFT_Y, SHIFT_X]], np.int64(2 * options.shift + 1)) - options.shift
    if options.interpolated:
        fields = random_fields(options, stream, generation, (count, height, width))
        bent = smoothed(fields, options) if options.elastic else None
        images = move(np.ascontiguousarray(images), moves, turned(words, options), bent)
    elif options.shift:
        images = shifted(images, moves, options.shift)
    if options.cut_out:
        middles = [scale_words(words[:, CUT_Y], np.int64(height)), scale_words(words[:, CUT_X], np.int64(width))]
        images = images * ~squares(middles, options.cut_out, (height, width))[:, None]
    if options.brightness:
        images = images * (1 + np.float32(options.brightness) * signed(words[:, LIGHT]))[:, None, None, None]
    if options.noise:
        images = images + np.float32(options.noise) * noise(stream, generation, images.shape)
    return np.ascontiguousarray(images)


def shifted(images: Float32, moves: NDArray[np.int64], most: int) -> Float32:
    """Return images shifted down and right by whole pixels (N, 2), each -most .. most; new pixels are 0."""
    count, channels, height, width = images.shape
    padded = np.zeros((count, channels, height + 2 * most, width + 2 * most), np.float32)
    padded[:, :, most : most + height, most : most + width] = images
    of_image, of_channel, of_row, of_pixel = padded.strides
    views = np.lib.stride_tricks.as_strided(
        padded,
        (count, 2 * most + 1, 2 * most + 1, channels, height, width),
        (of_image, of_row, of_pixel, of_channel, of_row, of_pixel),
    )
    found: Float32 = views[np.arange(count), most - moves[:, 0], most - moves[:, 1]]
    return found


def turned(words: NDArray[np.uint32], options: AugmentationOptions) -> NDArray[np.float64]:
    """Return each image's A (N, 2, 2), in coordinates (y, x) from the centre: it maps a pixel to its source."""
    angle = np.radians(options.rotation) * signed(words[:, TURN]).astype(np.float64)
    grown = 1 + options.scaling * signed(words[:, SCALE]).astype(np.float64)
    pushed = options.shear * signed(words[:, SHEAR]).astype(np.float64) if options.shear else np.zeros(len(words))
    cosine, sine = np.cos(angle) / grown, np.sin(angle) / grown
    rows = [cosine, sine, -sine - pushed * cosine, cosine - pushed * sine]
    return np.stack(rows, axis=1).reshape(-1, 2, 2)


def random_fields(
    options: AugmentationOptions, stream: Stream, generation: int, shape: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Return a byte for each pixel and direction of images (N, H, W), (N, 2, H, W) uint8; none without distortion."""
    count, size = shape[0], 2 * math.prod(shape[1:])
    if not options.elastic:
        return np.empty(0, np.uint8)
    words = _blocks(stream, generation, count, BEND_BLOCK, -(-size // BYTES_PER_BLOCK))
    return words.astype("<u4").reshape(count, -1).view(np.uint8)[:, :size].reshape(count, 2, *shape[1:])


def smoothed(fields: NDArray[np.uint8], options: AugmentationOptions) -> Float32:
    """Return smooth displacements of each pixel's source, as y and x, from random bytes (N, 2, H, W)."""
    down, across = (gaussian(extent, options.elastic_sigma) for extent in fields.shape[2:])
    alone = fields * np.float32(2 / 255) - np.float32(1)
    found: Float32 = np.matmul(np.matmul(down, alone), across * np.float32(options.elastic))
    return found


@functools.lru_cache(maxsize=4)
def gaussian(extent: int, sigma: float) -> Float32:
    """Return a matrix (n, n) that smooths n values by a Gaussian of sum 1; values outside count as 0."""
    places = np.arange(extent)
    reach = np.arange(-math.ceil(6 * sigma), math.ceil(6 * sigma) + 1)
    total = np.exp(-((reach / sigma) ** 2) / 2).sum()
    matrix: Float32 = (np.exp(-(((places[:, None] - places) / sigma) ** 2) / 2) / total).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def squares(middles: list[NDArray[np.int64]], side: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels (N, H, W) lie in a square around a pixel of each image, rows and columns (N,)."""
    inside = []
    for middle, extent in zip(middles, shape, strict=True):
        away = np.arange(extent) - (middle[:, None] - side // 2)
        inside.append((away >= 0) & (away < side))
    found: NDArray[np.bool_] = inside[0][:, :, None] & inside[1][:, None, :]
    return found


def noise(stream: Stream, generation: int, shape: tuple[int, ...]) -> Float32:
    """Return standard normal deviates (N, ...) from the table."""
    size = math.prod(shape[1:])
    words = _blocks(stream, generation, shape[0], NOISE_BLOCK, -(-size // HALVES_PER_BLOCK))
    halves = words.astype("<u4").reshape(shape[0], -1).view("<u2")[:, :size]
    found: Float32 = normal_table()[halves].reshape(shape)
    return found


def signed(words: NDArray[np.uint32]) -> Float32:
    """Return words as numbers in -1 .. 1, float32."""
    return unit_floats(words) * np.float32(2) - np.float32(1)


def _blocks(stream: Stream, generation: int, images: int, first: int, count: int) -> NDArray[np.uint32]:
    """Return blocks of words for each image of a generation, (N, count, 4)."""
    return stream.blocks(Purpose.AUGMENTATION, generation, np.arange(images)[:, None], first + np.arange(count))
