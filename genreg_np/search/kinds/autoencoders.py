"""Autoencoders as individuals: an image is reduced to a short code and restored; with the optimiser that trains them.

    encoder     one to three blocks of convolutions, each of which halves the maps or keeps their size; a dense layer
                gives the code
    decoder     the same blocks in reverse: maps are doubled where they were halved; the last convolution gives pixels

Pixels are 0 .. 1 on both sides. The length of the code is both a gene and a cost: the search keeps the individuals that
none beats in both objectives. The winner's halves are saved as separate models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from genreg_np.errors import UsageError
from genreg_np.layers.dense import Dense
from genreg_np.model import Model, Network
from genreg_np.search.aims import REGISTRY as AIMS
from genreg_np.search.aims.base import Aim
from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Choice, Gene, Genome, Space
from genreg_np.search.kinds.base import ARCHITECTURE, changed
from genreg_np.search.kinds.classifiers import BLOCKS, OPTIMISERS, choices_of_block, norm_words, options_of
from genreg_np.search.kinds.networks import NetworkKind

CODE = (2, 4, 8, 16, 32, 64, 128)


def _block(number: int) -> Iterator[Gene]:
    """Yield the genes of a block of the encoder and of its mirror image in the decoder."""
    choice = choices_of_block(number)
    yield choice("filters", 8, 16, 24, 32, 48, 64, ordered=True)
    yield choice("kernel", 3, 5, ordered=True)
    yield choice("norm", "none", "batch", "instance", "group")
    yield choice("activation", "relu", "leaky-relu", "selu", "elu")
    yield choice("reduction", "stride 2", "max 2", "avg 2", "none")
    yield choice("enlargement", "upsample", "transposed")


SPACE = Space(
    (
        Choice("code", ARCHITECTURE, (), CODE, True),
        Choice("blocks", ARCHITECTURE, (), tuple(range(1, BLOCKS + 1)), True),
        *(gene for number in range(1, BLOCKS + 1) for gene in _block(number)),
        *(gene for gene in OPTIMISERS if gene.name != "label_smoothing"),
    )
)
DEFAULT: dict[str, Any] = {gene.name: gene.at(0.5) for gene in SPACE.genes} | {
    "code": 32, "blocks": 2, "optimiser": "adam", "rate": 0.003, "momentum": 0.9, "weight_decay": 0.0,
    "batch_size": 64, "schedule": "cosine",
    **{
        f"{name}_{number}": value
        for number in range(1, BLOCKS + 1)
        for name, value in {
            "filters": 8 * number, "kernel": 3, "norm": "none", "activation": "relu", "reduction": "stride 2",
            "enlargement": "upsample",
        }.items()
    },
}  # fmt: skip
BEGINNINGS: tuple[dict[str, Any], ...] = (  # changes to the default
    {},
    {"blocks": 1},
    {"blocks": 1, "reduction_1": "none"},
    {"code": 8},
    {"filters_1": 16, "filters_2": 32, "norm_1": "batch", "norm_2": "batch"},
    {"blocks": 3, "code": 16},
    {"blocks": 3, "code": 16} | {f"enlargement_{number}": "transposed" for number in range(1, BLOCKS + 1)},
)


class Autoencoders(NetworkKind):
    """Autoencoders."""

    name = "autoencoder"

    @property
    def aim(self) -> Aim:
        """The aim of reconstruction."""
        return AIMS["itself"]

    @staticmethod
    def space_of(config: SearchConfig) -> Space:
        """Return the genes; there are none for augmentation, and no classes.

        Raises
        ------
        UsageError
            For an augmentation.
        """
        if config.augmentation not in ("simple", "none"):
            raise UsageError(f"autoencoders learn images as they are: leave out augmentation = {config.augmentation!r}")
        return SPACE

    def words_of(self, genome: Genome) -> str:
        """Return the description of a genome's network."""
        channels, height, width = self.shape if len(self.shape) == 3 else (1, *self.shape)
        blocks = range(1, genome["blocks"] + 1)
        words = [word for number in blocks for word in _down(genome, number)]
        halvings = sum(genome[f"reduction_{number}"] != "none" for number in blocks)
        height, width = height // 2**halvings, width // 2**halvings
        last = genome[f"filters_{blocks[-1]}"]
        words += [f"dense {genome['code']}", f"dense {last * height * width}", f"reshape {last} {height} {width}"]
        words += [word for number in reversed(blocks) for word in _up(genome, number)]
        return " / ".join([*words, f"conv {channels} {genome['kernel_1']} same", "sigmoid"])

    def options_of(self, genome: Genome) -> dict[str, Any]:
        """Return a genome's optimiser as settings of the strategy `gradient`."""
        return options_of(genome)

    @property
    def plain(self) -> Genome:
        """The default genome."""
        return changed(DEFAULT, {}, self.space)

    def beginnings(self) -> list[Genome]:
        """Return hand-made genomes, as far as they are feasible."""
        return self.distinct([changed(DEFAULT, change, self.space) for change in BEGINNINGS])

    def fault_of(self, genome: Genome) -> str:
        """Return why a genome is not feasible; the output must also have the size of the input."""
        fault = super().fault_of(genome)
        if not fault and math.prod(self.individual_of(genome).network.shapes[-1]) != math.prod(self.shape):
            return "shapes that do not fit"
        return fault

    def misfit(self) -> str:
        """Return why no network fits such images, whose sides must be even; "" if one does."""
        if why := super().misfit():
            return why
        height, width = self.shape[-2:]
        if height % 2 or width % 2:
            even = f"{height + height % 2}x{width + width % 2}"
            return f"{height} x {width} pixels cannot be halved: give an even size, for pictures as --size {even}"
        return ""

    def pieces(self, model: Model) -> Mapping[str, Model]:
        """Return the encoder and the decoder as models of their own."""
        layers = model.network.layers
        place = next(place for place, layer in enumerate(layers) if isinstance(layer, Dense)) + 1
        encoder = Network(model.input_shape, layers[:place])
        decoder = Network(encoder.shapes[-1], layers[place:])
        cut = encoder.gene_count
        said, picture = {"part of": "an autoencoder", **model.training}, model.header.get("picture")
        encodes = Model.build(encoder, model.genes[:cut].copy(), (), model.input_range, said, (), picture)
        return {"encoder.npz": encodes, "decoder.npz": Model.build(decoder, model.genes[cut:].copy(), (), None, said)}


def _down(genome: Genome, number: int) -> Iterator[str]:
    reduction = genome[f"reduction_{number}"]
    stride = " stride 2" if reduction == "stride 2" else ""
    yield f"conv {genome[f'filters_{number}']} {genome[f'kernel_{number}']}{stride} same"
    yield from _after(genome, number)
    if reduction in ("max 2", "avg 2"):
        yield reduction


def _up(genome: Genome, number: int) -> Iterator[str]:
    filters, kernel = genome[f"filters_{max(1, number - 1)}"], genome[f"kernel_{number}"]
    is_halved = genome[f"reduction_{number}"] != "none"
    if is_halved and genome[f"enlargement_{number}"] == "transposed":
        yield f"transposed {filters} {kernel} stride 2 same"
    else:
        if is_halved:
            yield "upsample 2"
        yield f"conv {filters} {kernel} same"
    yield from _after(genome, number)


def _after(genome: Genome, number: int) -> Iterator[str]:
    yield from norm_words(genome[f"norm_{number}"])
    yield genome[f"activation_{number}"]
