"""Image classifiers as individuals: one to three blocks of convolutions, a head, and the optimiser that trains them.

    block       [conv F K, norm, activation] once or twice, a reduction, dropout
    head        the maps flattened, or their adaptive maximum or mean; a hidden layer, dropout; the classes
    optimiser   with its own learning rate, momentum if it has any, weight decay, schedule, batch size, smoothing
    data        how training images are changed: an augmentation policy

The search's `augmentation` determines the genes of a policy:

    simple      how far images are shifted and rotated (the default)
    joint       all augmentation of the strategy `gradient`: also scaling, shear, elastic deformation, flips, cut-outs,
                noise and brightness
    evolved     the same genes, in a population of their own (selections/paired.py)
    none        no genes

An individual's network is a description in words (layers/description.py), its optimiser settings of the strategy
`gradient`: whatever is found could have been written by hand. Epochs are not a gene: the ladder determines them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from genreg_np.search.aims import REGISTRY as AIMS
from genreg_np.search.aims.base import Aim
from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Choice, Gene, Genome, Number, Space
from genreg_np.search.kinds.base import ARCHITECTURE, DATA, OPTIMISER, changed
from genreg_np.search.kinds.networks import NetworkKind

BLOCKS = 3
GROUPS = 4  # of group-norm; divides every number of filters
ADAPTIVE = ("adam", "adamw", "rmsprop")
SIMPLE = ("sgd", "nesterov")
WHOLE = ("shift", "cut_out")  # settings that are whole numbers of pixels


def choices_of_block(number: int) -> Callable[..., Gene]:
    """Return choice(name, *values, ordered=False), which makes a gene of a block, expressed if the block exists."""
    when = () if number == 1 else (("blocks", tuple(range(number, BLOCKS + 1))),)

    def choice(name: str, *values: Any, ordered: bool = False) -> Gene:
        return Choice(f"{name}_{number}", ARCHITECTURE, when, values, ordered)

    return choice


def _block(number: int) -> Iterator[Gene]:
    """Yield the genes of a block of convolutions."""
    choice = choices_of_block(number)
    yield choice("filters", 8, 16, 24, 32, 48, 64, ordered=True)
    yield choice("kernel", 3, 5, ordered=True)
    yield choice("padding", "valid", "same")
    yield choice("convolutions", 1, 2, ordered=True)
    yield choice("norm", "none", "batch", "instance", "group")
    yield choice("activation", "relu", "leaky-relu", "prelu", "selu", "elu")
    yield choice("reduction", "max 2", "avg 2", "stride 2", "none")
    yield choice("dropout", 0.0, 0.1, 0.25, 0.4, ordered=True)


NETWORK = (
    Choice("blocks", ARCHITECTURE, (), (1, 2, 3), True),
    *(gene for number in range(1, BLOCKS + 1) for gene in _block(number)),
    Choice("head", ARCHITECTURE, (), ("flatten", "adaptive max", "adaptive avg")),
    Choice("head_size", ARCHITECTURE, (("head", ("adaptive max", "adaptive avg")),), (1, 2, 3, 4), True),
    Choice("hidden", ARCHITECTURE, (), (0, 32, 64, 128), True),
    Choice("hidden_dropout", ARCHITECTURE, (("hidden", (32, 64, 128)),), (0.0, 0.1, 0.25, 0.5), True),
)
OPTIMISERS = (
    Choice("optimiser", OPTIMISER, (), (*ADAPTIVE, *SIMPLE)),
    Number("rate", OPTIMISER, (("optimiser", ADAPTIVE),), 2e-4, 1e-2, True),
    Number("simple_rate", OPTIMISER, (("optimiser", SIMPLE),), 3e-3, 3e-1, True),
    Number("momentum", OPTIMISER, (("optimiser", (*SIMPLE, "rmsprop")),), 0.0, 0.97),
    Choice("weight_decay", OPTIMISER, (), (0.0, 1e-5, 1e-4, 1e-3, 1e-2), True),
    Choice("batch_size", OPTIMISER, (), (32, 64, 128, 256), True),
    Choice("schedule", OPTIMISER, (), ("constant", "cosine", "one-cycle")),
    Choice("label_smoothing", OPTIMISER, (), (0.0, 0.05, 0.1), True),
)
SIMPLE_POLICY = (
    Choice("shift", DATA, (), (0, 1, 2), True),
    Choice("rotation", DATA, (), (0, 5, 10, 15), True),
)
POLICY = (
    Choice("shift", DATA, (), (0, 1, 2, 3), True),
    Choice("rotation", DATA, (), (0, 5, 10, 15, 20), True),
    Choice("scaling", DATA, (), (0.0, 0.05, 0.1, 0.2), True),
    Choice("shear", DATA, (), (0.0, 0.1, 0.2), True),
    Choice("elastic", DATA, (), (0, 8, 16, 34), True),
    Choice("flip", DATA, (), (0.0, 0.5), True),
    Choice("cut_out", DATA, (), (0, 4, 8, 12), True),
    Choice("noise", DATA, (), (0.0, 0.05, 0.1), True),
    Choice("brightness", DATA, (), (0.0, 0.1, 0.2), True),
)
EMBEDDING = Choice("embedding", ARCHITECTURE, (), (8, 16, 32, 64), True)  # of prototypes, instead of label smoothing
POLICIES = {"simple": SIMPLE_POLICY, "joint": POLICY, "evolved": POLICY, "none": ()}
SPACES = {name: Space((*NETWORK, *OPTIMISERS, *policy)) for name, policy in POLICIES.items()}
PROTOTYPES = {name: Space((*NETWORK, EMBEDDING, *OPTIMISERS[:-1], *policy)) for name, policy in POLICIES.items()}
SPACE = SPACES["simple"]
DEFAULT: dict[str, Any] = {gene.name: gene.at(0.5) for gene in (*NETWORK, *OPTIMISERS)} | {
    "blocks": 2, "head": "flatten", "hidden": 0, "embedding": 16, "optimiser": "adam", "rate": 0.003, "momentum": 0.9,
    "weight_decay": 0.0, "batch_size": 64, "schedule": "cosine", "label_smoothing": 0.0,
    **{gene.name: gene.at(0.0) for gene in POLICY},
    **{
        f"{name}_{number}": value
        for number in range(1, BLOCKS + 1)
        for name, value in {
            "filters": 8 * number, "kernel": 3, "padding": "valid", "convolutions": 1, "norm": "none",
            "activation": "relu", "reduction": "max 2", "dropout": 0.0,
        }.items()
    },
}  # fmt: skip

_NORMALISED = {f"norm_{number}": "batch" for number in range(1, BLOCKS + 1)} | {"shift": 1}
_WIDE = _NORMALISED | {f"filters_{number}": 24 * number for number in range(1, BLOCKS)} | {"rotation": 10}
_DEEP = _WIDE | {"filters_1": 16, "filters_2": 32, "convolutions_1": 2, "convolutions_2": 2}
HANDMADE: tuple[dict[str, Any], ...] = (  # changes to the default: networks that one would try first
    _NORMALISED | {f"filters_{number}": 16 * number for number in range(1, BLOCKS)},
    _WIDE,
    _DEEP,
    _DEEP | {"rotation": 0},  # for what always stands upright
)


def words_of(genome: Genome, outputs: int) -> str:
    """Return the description of a genome's network with a number of outputs."""
    words = [word for number in range(1, genome["blocks"] + 1) for word in _words_of_block(genome, number)]
    if genome["head"] != "flatten":
        words.append(f"{genome['head']} {genome['head_size']}")
    if genome["hidden"]:
        words += [f"dense {genome['hidden']}", "relu", *_dropout(genome["hidden_dropout"])]
    return " / ".join([*words, f"dense {outputs}"])


def _words_of_block(genome: Genome, number: int) -> Iterator[str]:
    own = {name: genome[f"{name}_{number}"] for name in ("filters", "kernel", "padding", "convolutions", "norm")}
    reduction = genome[f"reduction_{number}"]
    for convolution in range(1, own["convolutions"] + 1):
        last = convolution == own["convolutions"]
        stride = " stride 2" if last and reduction == "stride 2" else ""
        yield f"conv {own['filters']} {own['kernel']}{stride}{' same' if own['padding'] == 'same' else ''}"
        yield from norm_words(own["norm"])
        yield genome[f"activation_{number}"]
    if reduction in ("max 2", "avg 2"):
        yield reduction
    yield from _dropout(genome[f"dropout_{number}"])


def norm_words(norm: str) -> list[str]:
    """Return the description of a normalisation layer; empty for none."""
    return [] if norm == "none" else [f"{norm}-norm" + (f" {GROUPS}" if norm == "group" else "")]


def _dropout(rate: float) -> list[str]:
    return [f"dropout {rate:g}"] if rate else []


def options_of(genome: Genome) -> dict[str, Any]:
    """Return a genome's optimiser and data as settings of the strategy `gradient`."""
    optimiser, simple = genome["optimiser"], genome["optimiser"] in SIMPLE
    options = {
        name: genome[name] for name in ("weight_decay", "batch_size", "schedule", "label_smoothing") if name in genome
    }
    options |= {"optimiser": optimiser, "learning_rate": genome["simple_rate" if simple else "rate"]}
    if simple or optimiser == "rmsprop":
        options["momentum"] = genome["momentum"]
        if optimiser == "rmsprop" and genome["momentum"]:
            options["optimiser"] = "rmsprop-momentum"
    policy = {gene.name: genome[gene.name] for gene in POLICY if gene.name in genome}
    return options | {name: value if name in WHOLE else float(value) for name, value in policy.items()}


class Classifiers(NetworkKind):
    """Image classifiers."""

    name = "classifier"

    @property
    def aim(self) -> Aim:
        """The aim of classification, by logits or by class prototypes."""
        return AIMS["prototypes" if self._has_prototypes else "classes"]

    @property
    def _has_prototypes(self) -> bool:
        return any(gene.name == "embedding" for gene in self.space.genes)

    @staticmethod
    def space_of(config: SearchConfig) -> Space:
        """Return the genes for the configured head and augmentation."""
        return (PROTOTYPES if config.head == "prototypes" else SPACES)[config.augmentation]

    def words_of(self, genome: Genome) -> str:
        """Return the description of a genome's network."""
        return words_of(genome, genome["embedding"] if self._has_prototypes else len(self.class_names))

    def options_of(self, genome: Genome) -> dict[str, Any]:
        """Return a genome's optimiser and data as settings of the strategy `gradient`."""
        return options_of(genome)

    def added(self, genome: Genome) -> int:
        """Return the size of the layer that prototypes are converted to."""
        return len(self.class_names) * (genome["embedding"] + 1) if self._has_prototypes else 0

    def answering(self, genome: Genome) -> str:
        """Return the description of the network, with the layer that prototypes are converted to."""
        return self.words_of(genome) + (f" / dense {len(self.class_names)}" if self._has_prototypes else "")

    @property
    def plain(self) -> Genome:
        """The default genome."""
        return changed(DEFAULT, {}, self.space)

    def beginnings(self) -> list[Genome]:
        """Return the default, or a variant of it that fits, and larger networks as far as the limits allow."""
        same = {f"padding_{number}": "same" for number in range(1, BLOCKS + 1)}
        smaller = {"blocks": 1, "head": "adaptive avg", "head_size": 2, "reduction_1": "none"}
        tried: tuple[dict[str, Any], ...] = (
            {},
            same,
            same | {"blocks": 1},
            same | smaller,
            same | smaller | {"reduction_1": "stride 2"},
        )
        genomes = (changed(DEFAULT, change, self.space) for change in tried)
        default = next((genome for genome in genomes if not self.fault_of(genome)), None)
        if default is None:
            return []
        return self.distinct([default, *(changed(default, change, self.space) for change in HANDMADE)])
