"""The settings of a search, and the defaults that depend on its time budget."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.search.ladder import RUNGS, Ladder
from genreg_np.search.pareto import OF_GENES, SECOND
from genreg_np.search.selections import REGISTRY
from genreg_np.settings import Settings, option

TINY, TINY_FOLDS, TINY_EPOCHS = 500, 5, (10, 30, 90)  # images; the folds and epochs for fewer
KINDS = ("classifier", "autoencoder", "gan", "table")  # kinds.REGISTRY
MOST = 1e9  # epochs, or seconds
MOST_FOLDS = 100
AUGMENTATIONS = ("simple", "joint", "evolved", "none")
HEADS = ("classes", "prototypes")
MODES = ("pipeline", "losses")
OF_ONE_KIND = {"head": "classifier", "mode": "gan", "conditional": "gan", "models": "table", "traits": "table"}


@dataclass(frozen=True)
class Limits:
    """The limits on an individual's size; None for no limit."""

    layers: int | None = None  # layers with weights: convolutional and dense
    parameters: int | None = 100_000
    macs: int | None = 4_000_000  # multiply-adds per image


@dataclass(frozen=True)
class SearchConfig(Settings):
    """Settings of a search of any kind; 0 means no limit, or a default set by the budget."""

    kind: str = option("classifier", "the kind of individual", choices=KINDS)
    metric: str = option("accuracy", "the metric that drives selection")
    selection: str = option("steady", "how parents are selected", choices=tuple(REGISTRY))
    population: int = option(24, "number of individuals", low=1, high=100_000)
    generations: int = option(0, "children to breed, in populations; 0: as many as the budget allows", low=0)
    begin: str = option("hand-made", "what the first individuals are", choices=("hand-made", "random"))
    genome: str = option("", "the very first individual, in the format of winner.toml")
    augmentation: str = option("simple", "which genes change training images", choices=AUGMENTATIONS)
    head: str = option("classes", "how an individual predicts classes", choices=HEADS)
    mode: str = option("pipeline", "for GANs: the loss is a gene, or three losses compete", choices=MODES)
    conditional: bool = option(False, "whether generators take a class")
    models: str = option("", "for tables: the models to try, such as svm,boosting; empty: all")
    traits: str = option("", "for tables: the traits that determine the genes")
    weights: str = option("", "a weighted sum of metrics and costs to select by instead")
    second: str = option("", "a cost to minimise as well")
    max_epochs: float = option(0.0, "most times that an individual sees an image in the search", low=0, high=MOST)
    max_layers: int = option(0, "convolutions and dense layers, at most", low=0)
    max_parameters: int = option(100_000, "weights and biases, at most", low=0)
    max_macs: int = option(0, "multiply-adds per image, at most", low=0)
    max_seconds: float = option(0.0, "seconds that an individual may take at a rung", low=0, high=MOST)
    folds: int = option(
        0, "folds of cross-validation; 0: five for fewer than 500 images, else none", low=0, high=MOST_FOLDS
    )
    repeats: int = option(2, "repeats of cross-validation, each with different folds", low=1, high=100)
    final_epochs: int = option(0, "epochs of the winner's final training, at most; 0: by the highest rung", low=0)
    final_seeds: int = option(2, "how many times the winner is trained from scratch", low=1, high=1000)
    rungs: tuple[int, ...] = option((), "samples to learn from at each rung", low=1)
    seed: int = option(0, "the seed of all random numbers", low=0, high=2**64 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (*SECOND, *(OF_GENES if self.kind == "autoencoder" else ()))
        if self.second and self.second not in known:
            said = f"second = {self.second!r} must be one of {', '.join(known)}"
            raise UsageError(said + did_you_mean(self.second, known))
        if self.second and self.weights:
            raise UsageError("--second and --weights are two ways to weigh costs: give one of them")
        for item in dataclasses.fields(self):
            kind, value = OF_ONE_KIND.get(item.name, self.kind), getattr(self, item.name)
            if value != item.default and kind != self.kind:
                said = f"{item.name} = {value!r} is of kind = {kind!r} alone, not {self.kind!r}"
                raise UsageError(f"{said}: leave it out")
        if any(more <= fewer for fewer, more in itertools.pairwise(self.rungs)):
            raise UsageError(f"rungs = {self.rungs} must grow: each has more samples than the one before")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "search") -> SearchConfig:
        """Build from names and values.

        Raises
        ------
        UsageError
            For an unknown name, suggesting the nearest known one, or for a bad value.
        """
        known = {item.name for item in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise UsageError(f"{where}: there is no setting {name!r}" + did_you_mean(name, known))
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        """Return names and plain values, as `from_dict` takes them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @property
    def limits(self) -> Limits:
        """The limits on an individual's size."""
        return Limits(self.max_layers or None, self.max_parameters or None, self.max_macs or None)

    def ladder(self, images: int, by_epochs: bool = False) -> Ladder:
        """Return the ladder for the number of images that a network learns from; without rungs, perhaps by epochs."""
        usual = tuple(epochs * images for epochs in TINY_EPOCHS) if by_epochs else RUNGS
        return Ladder.for_data(images, self.max_epochs or None, self.rungs or usual)

    @staticmethod
    def is_tiny(images: int) -> bool:
        """Return whether so many non-test images leave nothing to hold out."""
        return images < TINY

    def folds_for(self, images: int) -> int:
        """Return the number of cross-validation folds for a number of non-test images; 0 for none."""
        if self.folds:
            return self.folds if self.folds > 1 else 0
        return TINY_FOLDS if self.is_tiny(images) else 0

    @property
    def children(self) -> int | None:
        """How many individuals are bred; None if the budget decides."""
        return self.population * self.generations if self.generations else None


@dataclass(frozen=True)
class Plan:
    """Defaults for unset settings under a budget of up to `seconds`."""

    seconds: float
    settings: dict[str, Any]


PLANS = (
    Plan(90.0, {"repeats": 1, "max_macs": 700_000, "final_epochs": 8, "rungs": (8_000, 24_000, 50_000)}),
    Plan(450.0, {"max_macs": 2_500_000, "final_epochs": 16, "rungs": RUNGS}),
    Plan(float("inf"), {"max_macs": 4_000_000, "final_epochs": 30, "rungs": (*RUNGS, 450_000)}),
)
GAN_PLANS = (
    Plan(450.0, {"population": 10, "max_macs": 4_000_000, "rungs": (8_000, 24_000, 72_000)}),
    Plan(float("inf"), {"population": 12, "max_macs": 4_000_000, "rungs": (16_000, 48_000, 150_000, 450_000)}),
)
DEFAULT_SECONDS = 300.0  # for a search given neither a budget nor generations


def settings_for(budget: float | None, kind: str = "classifier") -> dict[str, Any]:
    """Return the default settings for a budget in seconds (None: five minutes) and a kind of search."""
    seconds = DEFAULT_SECONDS if budget is None else budget
    return next(plan.settings for plan in (GAN_PLANS if kind == "gan" else PLANS) if seconds <= plan.seconds)
