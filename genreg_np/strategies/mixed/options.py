"""Settings of mixed evolution."""

from __future__ import annotations

from dataclasses import dataclass

from genreg_np.errors import UsageError
from genreg_np.layers.groups import Gene
from genreg_np.layers.optimisers import MOMENTS, Optimiser
from genreg_np.settings import Settings, option

GENES = {"layer": Gene.LAYER, "block": Gene.BLOCK, "unit": Gene.UNIT, "weight": Gene.WEIGHT}
FITNESSES = ("accuracy", "diversity", "niches")


@dataclass(frozen=True)
class MixedOptions(Settings):
    """Settings of mixed evolution; the preset `seed-mixed` is the published notebook."""

    population_size: int = option(
        20, "networks that survive", low=2, high=1000, fixed="the shape of recorded similarities depends on it"
    )
    parts: tuple[int, ...] = option(
        (), "parallel parts of each hidden layer, as 1,2; empty: whole layers", low=1, fixed="the genes would change"
    )
    gene: str = option("block", "unit that crossover exchanges; block: 64 x 64 weights", choices=tuple(GENES))
    newcomers: float = option(
        0.1, "fresh random networks per generation, as a fraction of the rest, rounded down", low=0, high=10,
        fixed="the numbers of fresh networks depend on it",
    )  # fmt: skip
    epochs: int = option(
        1, "epochs of gradient descent per generation", low=1, high=10_000,
        fixed="epochs are counted from the first generation on",
    )  # fmt: skip
    batch_size: int = option(100, "images per step", low=1, high=1_000_000)
    optimiser: str = option("sgd", "gradient optimiser", choices=tuple(MOMENTS))
    learning_rate: float = option(0.01, "of the optimiser", above=0, high=1000)
    momentum: float = option(0.9, "of sgd, and of adam's first moment", low=0, high=0.999999)
    child_mutation_rate: float = option(0.0, "probability that a child's gene mutates", low=0, high=1)
    mutation_scale: float = option(0.01, "standard deviation of the noise added to a gene", low=0, high=1000)
    fitness: str = option(
        "accuracy",
        "diversity: accuracy and a bonus for being unlike the others; niches: the best of each niche come first",
        choices=FITNESSES,
    )
    diversity_weight: float = option(0.05, "bonus for a mean cosine distance of 1, as accuracy", low=0, high=1000)
    niche_similarity: float = option(0.7, "least mean cosine over layers of two networks in a niche", low=-1, high=1)
    selection: str = option(
        "validation", "the split by which parents are chosen", choices=("validation", "test"),
        fixed="accuracy recorded so far is on the other split",
    )  # fmt: skip
    training: str = option(
        "train", "all: also train on validation images", choices=("train", "all"),
        fixed="the training images would change",
    )  # fmt: skip
    order: str = option(
        "shuffled", "order of images in an epoch; fixed: as stored", choices=("shuffled", "fixed"),
        fixed="epochs so far had the other order",
    )  # fmt: skip
    first_parents: str = option(
        "best", "which half of the first networks has children", choices=("best", "unsorted"),
        fixed="they have already been chosen",
    )  # fmt: skip
    edges: str = option(
        "kept", "fresh: genes outside whole blocks are drawn again", choices=("kept", "fresh"),
        fixed="children so far were made the other way",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training == "all" and self.selection == "validation":
            raise UsageError(
                "training = all with selection = validation: parents would be chosen on training images; "
                "choose selection = test as well, as genreg-np mixed --paper does"
            )

    @property
    def spent(self) -> dict[str, str]:
        """Splits on which accuracy does not measure what was learned, each with the reason."""
        found = {"validation": "validation images were used for training"} if self.training == "all" else {}
        return found | ({"test": "parents were chosen by test accuracy"} if self.selection == "test" else {})

    @property
    def parent_count(self) -> int:
        """S, the number of networks with children: the better half, at least two."""
        return max(2, self.population_size // 2)

    @property
    def newcomer_count(self) -> int:
        """The number of fresh networks per generation, rounded down; 0.29 x 100 is 29 despite float arithmetic."""
        return int(round(self.newcomers * self.population_size, 6))

    @property
    def stepping(self) -> Optimiser:
        """The optimiser."""
        return Optimiser(self.optimiser, self.learning_rate, self.momentum)
