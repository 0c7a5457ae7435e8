"""The judge: a classifier of real images whose features are used to compare generated images with them.

It is trained by a fixed recipe, the same for all searches on the same images: a small convolutional network with fixed
settings and seed 0, on the images that generators learn from. No judge is shipped; it is saved beside a search and in
the user's cache, and identified by a digest of its file, because scores under two judges must not be compared.

Generated images are compared with real images that the judge has not learned from. How such real images compare among
themselves is the floor: lower values occur only by chance.

Shapes: N images, I pixels, F features, K classes, M training images, m of them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.errors import UsageError
from genreg_np.files import user_cache_dir
from genreg_np.infer import ModelError
from genreg_np.layers.description import parse
from genreg_np.model import Float32, Model, Network, load
from genreg_np.search.aims.itself import decibels
from genreg_np.search.gan import measures
from genreg_np.strategies.gradient import GradientDescent, GradientOptions
from genreg_np.strategies.problem import Problem
from genreg_np.streams import Stream

RECIPE = "1"  # change it with anything that alters the judge of the same images
FEATURES = 64
LARGE = 40  # pixels of a side from which it is halved once more
SAMPLES, MOST_EPOCHS, LEAST_EPOCHS = 200_000, 60, 2  # samples to learn from, within these numbers of epochs
LEAST_IMAGES, LEAST_REAL = 200, 50  # to learn from, and to compare generated images with
LEAST_DATA = 480  # of which a tenth is the smallest part: held_out.py and sharing.py
MOST_IMAGES = 5000  # judged at a time
CLASSED = 1000  # generated images at least whose classes are counted: as few as the real ones may lack a class
QUICK = 1000  # images whose nearest neighbours are searched
IDENTICAL = 3e-3  # distance of identical images, at most, relative to the length of features: rounding
NEAR = 0.25  # copies are nearer than this share of the usual distance to a training image
MOST_PIXELS = 10_000  # training images whose pixels are compared; features are compared with those of all


def words_of(shape: tuple[int, ...], classes: int) -> str:
    """Return the description of the judge's network for images of a shape."""
    block = "conv {} 3 same / relu / max 2 / "
    sizes = (16, 32, 32) if min(shape[-2:]) > LARGE else (16, 32)
    return "".join(block.format(filters) for filters in sizes) + f"dense {FEATURES} / relu / dense {classes}"


@dataclass(frozen=True)
class Judge:
    """A trained judge.

    Parameters
    ----------
    network : Network
    genes : (D,) float32
    """

    network: Network
    genes: Float32

    @classmethod
    def of(cls, model: Model) -> Judge:
        """Return the judge stored in a model."""
        return cls(model.network, model.genes)

    @functools.cached_property
    def _featured(self) -> Network:
        return Network(self.network.input_shape, self.network.layers[:-1])

    def features(self, images: Float32, backend: Backend) -> Float32:
        """Return the features (N, F) of images (N, I) in 0 .. 1."""
        own = self._featured
        found: Float32 = backend.to_host(backend.logits(own, self.genes[: own.gene_count], backend.to_device(images)))
        return found

    def seen(self, images: Float32, backend: Backend, labels: NDArray[np.int64] | None = None) -> Seen:
        """Return the judge's view of images (N, I) in 0 .. 1; real images have labels (N,)."""
        features = self.features(images, backend)
        weights, biases = self.network.parameters_of(self.genes)[-2:]
        with single_threaded_blas():
            return Seen(images, features, features @ weights.T + biases, labels)


@dataclass(frozen=True)
class Seen:
    """Images with a judge's features and logits for them."""

    images: Float32  # (N, I)
    features: Float32  # (N, F)
    logits: Float32  # (N, K)
    labels: NDArray[np.int64] | None = None  # (N,) of real images


@dataclass(frozen=True)
class Reals:
    """The real images that generated ones are compared with, and those that generators learn from."""

    held: Seen
    trained: Float32  # (M, F) features of all images that generators learn from
    pixels: Float32  # (m, I) some of these images
    shares: NDArray[np.float64]  # (K,) class shares among the held images
    within: Float32  # (N,) squared radii around the held images
    usual: float  # median distance of held images to their nearest training image, identical images left out
    near: float  # share of held images that are nearer than NEAR of that
    deviation: float  # standard deviation of a pixel over the held images, averaged over pixels

    @classmethod
    def of(cls, held: Seen, trained: Float32, pixels: Float32) -> Reals:
        """Compute what does not depend on the generated images."""
        with single_threaded_blas():
            return cls._of(held, trained, pixels)

    @classmethod
    def _of(cls, held: Seen, trained: Float32, pixels: Float32) -> Reals:
        classes = held.logits.shape[1]
        shares = np.bincount(held.logits.argmax(axis=1), minlength=classes) / len(held.logits)
        few = spread(len(held.features), QUICK)
        distances = np.sqrt(measures.nearest(held.features[few], trained))
        size = float(np.sqrt(np.square(held.features).sum(axis=1).mean()))
        apart = distances[distances > IDENTICAL * size]
        usual = float(np.median(apart)) if len(apart) else 1.0
        near = float((distances < NEAR * usual).mean())
        deviation = float(held.images.std(axis=0).mean()) or 1.0
        return cls(held, trained, pixels, shares, measures.radii(held.features), usual, near, deviation)

    def measured(self, generated: Seen) -> dict[str, float]:
        """Return all measures of generated images (measures.py): at least as many as there are held ones."""
        few = spread(len(generated.images), QUICK)  # requested classes may be in order
        with single_threaded_blas():
            distances = np.sqrt(measures.nearest(generated.features[few], self.trained))
            errors = measures.nearest(generated.images[few], self.pixels) / generated.images.shape[1]
            duplicates = measures.duplicated(generated.features[few], self.usual)
        return {
            **self.likened(generated),
            "copying": float(np.median(distances)) / self.usual,
            "copies": max(0.0, float((distances < NEAR * self.usual).mean()) - self.near),
            "copying-psnr": decibels(np.sqrt(np.median(errors))),
            "duplicates": duplicates,
        }

    def likened(self, generated: Seen) -> dict[str, float]:
        """Return the measures that do not look for copies: those of classes are of all images given.

        The others compare as many as there are held images, since they depend on the number of images.
        """
        compared = generated.features[: len(self.held.features)]
        with single_threaded_blas():
            coverage, density = measures.covered(self.held.features, self.within, compared)
            distance = measures.frechet(compared, self.held.features)
        classes = measures.of_classes(generated.logits, self.shares)
        return {"fcd": distance, "coverage": coverage, "density": density, **classes}


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Return the indices (n,) of `most` out of `count` images, spread evenly because classes may be stored apart."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def judge_for(
    images: Float32, labels: NDArray[np.int64], shape: tuple[int, ...], class_names: tuple[str, ...],
    backend: Backend, data: str,
) -> Model:  # fmt: skip
    """Return the judge for some images, from the user's cache or newly trained.

    Parameters
    ----------
    images : (M, I) float32
    labels : (M,) int64
    shape : tuple of int
        The shape of an image.
    class_names : tuple of str
    backend : Backend
    data : str
        A text that identifies the data.

    Raises
    ------
    UsageError
        If there are too few images to train a judge on.
    """
    if len(images) < LEAST_IMAGES:
        raise UsageError(
            f"{len(images):,} training images are too few for a judge of generated images: {LEAST_IMAGES} at least, "
            "besides those that are held out"
        )
    words = words_of(shape, len(class_names))
    network = Network(shape, parse(words, shape))
    key = hashlib.sha256(f"{RECIPE} {backend.name} {data} {words} {len(images)}".encode()).hexdigest()[:24]
    path = _cached(key)
    if path is not None:
        with contextlib.suppress(ModelError, UsageError):
            kept = load(path)
            if is_judge(kept, data, shape, class_names):
                return kept
    steps = int(np.clip(SAMPLES, LEAST_EPOCHS * len(images), MOST_EPOCHS * len(images))) // 64
    options = GradientOptions(batch_size=64, learning_rate=0.003, shift=1)
    context = GradientDescent.prepare(Problem(network, backend.to_device(images), labels, steps), options, backend)
    state, stream = GradientDescent.start(context, Stream(0)), Stream(0)
    while state.generation < steps:
        state = GradientDescent.step(state, context, stream)
    model = Model.build(
        network, state.genes, class_names, (0.0, 1.0), {"method": "judge", "recipe": RECIPE, "data": data}
    )
    if path is not None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            model.save(path)
    return model


def is_judge(model: Model, data: str, shape: tuple[int, ...], class_names: tuple[str, ...]) -> bool:
    """Return whether a model is the judge of such images, made by this recipe."""
    wanted = Network(shape, parse(words_of(shape, len(class_names)), shape)).header()
    told = {"method": "judge", "recipe": RECIPE, "data": data}
    return model.header["network"] == wanted and model.training == told


def digest(model: Model) -> str:
    """Return the digest that identifies a judge."""
    return hashlib.sha256(model.pack()).hexdigest()[:16]


def _cached(key: str) -> Path | None:
    """Return the path of a cached judge; None for a user without a home directory."""
    try:
        return user_cache_dir() / "judges" / f"{key}.npz"
    except RuntimeError:
        return None


def check_able(right: float, classes: int) -> None:
    """Refuse a judge that cannot tell the classes apart, since its opinion of images would mean nothing.

    Parameters
    ----------
    right : float
        The share of held-out images that it classifies correctly, the mean over classes.
    classes : int

    Raises
    ------
    UsageError
        If that is less than halfway from chance to 1.
    """
    if right < (1 + 1 / classes) / 2:
        raise UsageError(
            f"a judge trained on these images classifies only {100 * right:.0f} % of others correctly (mean over "
            f"{classes} classes): it cannot tell them apart, so it cannot judge generated images"
        )
