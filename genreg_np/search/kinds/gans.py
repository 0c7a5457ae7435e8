"""GANs as individuals: a generator and a discriminator, their losses, and the optimisers of both.

    generator       noise, then dense layers alone, or a dense layer and convolutions on maps that double in size until
                    they are as large as the image; pixels are 0 .. 1
    discriminator   dense layers alone, or convolutions that halve the maps; optionally weights of norm 1, dropout,
                    several images at a time, the deviation within a batch; the output is one number
    loss            the losses of both
    optimisers      one each, with its own rate; the batch size; the discriminator steps per generator step
    data            how the discriminator's inputs are shifted and mirrored

A hyperbolic tangent is a logistic function at twice the scale: if `output` is tanh, the discriminator sees pixels in
-1 .. 1, while the saved generator still gives 0 .. 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genreg_np.data.dataset import Dataset
from genreg_np.data.generated import Noise, channels_of
from genreg_np.errors import UsageError
from genreg_np.infer import ModelError
from genreg_np.layers.adversarial import MinibatchDeviation, SpectralNorm
from genreg_np.layers.base import Layer
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.description import parse, shown, words
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Float32, Model, Network, load
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import DIARY, JUDGE, SearchFolder
from genreg_np.search.gan.health import METRICS, at_the_end
from genreg_np.search.gan.judge import LEAST_DATA, LEAST_REAL, MOST_IMAGES, check_able, digest, is_judge, judge_for
from genreg_np.search.gan.losses import LOSSES
from genreg_np.search.gan.rules import Rules
from genreg_np.search.genes import Choice, Gene, Genome, Number, Space
from genreg_np.search.kinds.base import DATA, OPTIMISER, Individual, Kind, Preparing, changed
from genreg_np.search.lessons.base import Part
from genreg_np.search.lessons.gan import WORKS, GanLesson, reals_of, seen_of
from genreg_np.search.metrics import Goal

GENERATOR, DISCRIMINATOR, LOSS = "generator", "discriminator", "loss"  # blocks of genes, besides those of base.py
LEAST_SIDE, MOST_HALVINGS = 4, 3  # of the first maps of a convolutional generator
SGD_MOMENTUM = 0.9
CHILDREN = ("non-saturating", "minimax", "least-squares")  # losses of the three generators of E-GAN (Wang et al. 2019)


def _network(block: str, letter: str) -> Iterator[Gene]:
    """Yield the genes that both networks have separately."""
    of_dense, of_maps = (((block, (kind,)),) for kind in ("mlp", "conv"))
    yield Choice(block, block, (), ("mlp", "conv"))
    yield Choice(f"{letter}_layers", block, of_dense, (1, 2, 3), True)
    yield Choice(f"{letter}_width", block, of_dense, (64, 128, 256, 512), True)
    yield Choice(f"{letter}_filters", block, of_maps, (8, 16, 32, 64), True)
    yield Choice(f"{letter}_kernel", block, of_maps, (3, 5), True)
    yield Choice(f"{letter}_activation", block, (), ("relu", "leaky-relu", "selu"))


def _optimiser(letter: str) -> Iterator[Gene]:
    """Yield the genes of one network's optimiser."""
    name = f"{letter}_optimiser"
    yield Choice(name, OPTIMISER, (), ("adam", "rmsprop", "sgd"))
    yield Number(f"{letter}_rate", OPTIMISER, ((name, ("adam", "rmsprop")),), 5e-5, 4e-3, True)
    yield Number(f"{letter}_simple_rate", OPTIMISER, ((name, ("sgd",)),), 1e-3, 1e-1, True)
    yield Choice(f"{letter}_momentum", OPTIMISER, ((name, ("adam",)),), (0.0, 0.5, 0.9), True)


NOISE = (
    Choice("noise_size", GENERATOR, (), (8, 16, 32, 64, 100), True),
    Choice("noise", GENERATOR, (), ("normal", "uniform", "truncated")),
    Number("spread", GENERATOR, (("noise", ("normal",)),), 0.5, 1.5),
    Number("cut", GENERATOR, (("noise", ("truncated",)),), 1.0, 2.0),
)
NETWORKS = (
    *NOISE,
    *_network(GENERATOR, "g"),
    Choice("g_convolutions", GENERATOR, (("generator", ("conv",)),), (0, 1), True),
    Choice("g_norm", GENERATOR, (), ("none", "batch", "layer")),
    Choice("output", GENERATOR, (), ("sigmoid", "tanh")),
    *_network(DISCRIMINATOR, "d"),
    Choice("d_hidden", DISCRIMINATOR, (("discriminator", ("conv",)),), (0, 64, 128), True),
    Choice("d_dropout", DISCRIMINATOR, (), (0.0, 0.1, 0.2, 0.3, 0.4), True),
    Choice("pack", DISCRIMINATOR, (), (1, 2), True),
    Choice("deviation", DISCRIMINATOR, (), (False, True)),
)
WHICH = Choice("loss", LOSS, (), ("non-saturating", "least-squares", "hinge", "wasserstein"))
OF_LOSS = (
    Choice("spectral", DISCRIMINATOR, (("loss", ("non-saturating", "least-squares", "hinge")),), (False, True)),
    Choice("smoothing", LOSS, (("loss", ("non-saturating", "least-squares")),), (0.0, 0.1), True),
)
LEARNING = (
    Choice("instance_noise", LOSS, (), (0.0, 0.05, 0.1), True),
    *_optimiser("g"),
    *_optimiser("d"),
    Choice("turns", OPTIMISER, (), (1, 2), True),
    Choice("batch_size", OPTIMISER, (), (32, 64, 128), True),
    Choice("schedule", OPTIMISER, (), ("constant", "falling")),
    Choice("average", OPTIMISER, (), (0.0, 0.99, 0.999), True),
    Choice("shift", DATA, (), (0, 1, 2), True),
    Choice("flip", DATA, (), (False, True)),
)
MUTATING = 1  # genes: most healthy pairs stop being healthy when several change
PIPELINE = Space((*NETWORKS, WHICH, *OF_LOSS, *LEARNING), MUTATING)
TOGETHER = ("pack", "deviation")  # genes of a discriminator that sees several images at a time
BY_CHILDREN = Space(  # for --mode losses: three generators share a discriminator with one loss
    (
        *(gene for gene in NETWORKS if gene.name not in TOGETHER),
        *(dataclasses.replace(gene, when=()) for gene in OF_LOSS),
        *LEARNING,
    ),
    MUTATING,
)
SPACES = {"pipeline": PIPELINE, "losses": BY_CHILDREN}
DEFAULT: dict[str, Any] = {gene.name: gene.at(0.5) for gene in PIPELINE.genes} | {
    "noise_size": 16, "noise": "truncated", "spread": 1.0, "cut": 1.5,
    "generator": "conv", "g_layers": 2, "g_width": 256, "g_filters": 32, "g_kernel": 3, "g_activation": "relu",
    "g_convolutions": 1, "g_norm": "batch", "output": "sigmoid",
    "discriminator": "conv", "d_layers": 2, "d_width": 256, "d_filters": 16, "d_kernel": 5,
    "d_activation": "leaky-relu", "d_hidden": 64, "d_dropout": 0.2, "pack": 1, "deviation": True,
    "loss": "non-saturating", "spectral": False, "smoothing": 0.1, "instance_noise": 0.0,
    "g_optimiser": "adam", "g_rate": 0.002, "g_simple_rate": 0.01, "g_momentum": 0.5,
    "d_optimiser": "adam", "d_rate": 0.001, "d_simple_rate": 0.01, "d_momentum": 0.5,
    "turns": 1, "batch_size": 32, "schedule": "falling", "average": 0.999, "shift": 0, "flip": False,
}  # fmt: skip
BEGINNINGS: tuple[dict[str, Any], ...] = (  # changes to the default
    {},
    {"g_rate": 0.004, "d_rate": 0.002},
    {"loss": "least-squares", "smoothing": 0.0},
    {"loss": "hinge", "spectral": True, "d_rate": 0.002},
    {"g_filters": 16, "g_kernel": 5},
    {"g_activation": "leaky-relu", "d_dropout": 0.3, "noise_size": 8},
    {"generator": "mlp", "discriminator": "mlp", "d_dropout": 0.4, "d_rate": 0.0005, "batch_size": 64},
)


class Gans(Kind):
    """GANs."""

    name = "gan"
    works = WORKS
    file = "generator.npz"
    is_validated_by_folds = False
    is_first_saved = False
    longest = 6
    retrained = "train"  # never images that it is judged on
    policy = (OPTIMISER, DATA)

    def __init__(self, config: SearchConfig, shape: tuple[int, ...], class_names: Sequence[str]) -> None:
        super().__init__(config, shape, class_names)
        self.judge, self.judged_by = "", ""  # the judge's file and its digest, once prepared
        self.held = Part("", "")  # the real images that checkpoints are judged against
        self.compared = MOST_IMAGES  # real and generated images that are compared at a time, at most
        self.diary = ""  # the file that records checkpoints as they come

    @staticmethod
    def space_of(config: SearchConfig) -> Space:
        """Return the genes.

        Raises
        ------
        UsageError
            For an augmentation that generators do not support.
        """
        if config.augmentation == "joint":
            raise UsageError("for generators, augmentation must be simple, evolved or none: shifts and mirror images")
        space = SPACES[config.mode]
        return space.only([block for block in space.blocks if block != DATA or config.augmentation != "none"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of individuals."""
        return (*METRICS, "agreement") if self.config.conditional else METRICS

    @property
    def tie(self) -> str:
        """The metric that breaks ties: lower is better."""
        return "fcd"

    @property
    def asked(self) -> int:
        """How many classes can be requested of generators; 0 for none."""
        return len(self.class_names) if self.config.conditional else 0

    def individual_of(self, genome: Genome) -> Individual:
        """Return what a genome stands for; raises UsageError if its layers do not fit together."""
        return Individual(self.generator_of(genome), {}, beside=(self.discriminator_of(genome),))

    def generator_of(self, genome: Genome) -> Network:
        """Return a genome's generator."""
        channels, height, width = channels_of(self.shape)
        norm = [] if genome["g_norm"] == "none" else [f"{genome['g_norm']}-norm"]
        after = [*norm, genome["g_activation"]]
        if genome["generator"] == "mlp":
            line = [f"dense {genome['g_width']}", *after] * genome["g_layers"]
            line += [f"dense {channels * height * width}", "sigmoid"]
            if channels > 1:
                line.append(f"reshape {channels} {height} {width}")
        else:
            halvings = halvings_of(height, width)
            filters, kernel = genome["g_filters"], genome["g_kernel"]
            rows, columns = height >> halvings, width >> halvings
            line = [f"dense {filters * rows * columns}", *after, f"reshape {filters} {rows} {columns}"]
            if genome["g_convolutions"]:
                line += [f"conv {filters} {kernel} same", *after]
            for doubling in range(1, halvings):
                line += ["upsample 2", f"conv {filters >> doubling} {kernel} same", *after]
            line += [*(["upsample 2"] if halvings else []), f"conv {channels} 5 same", "sigmoid"]
        fed = (genome["noise_size"] + self.asked,)
        return Network(fed, parse(" / ".join(line), fed))

    def discriminator_of(self, genome: Genome) -> Network:
        """Return a genome's discriminator."""
        channels, height, width = channels_of(self.shape)
        pack = genome.get("pack", 1)
        drop = [f"dropout {genome['d_dropout']:g}"] if genome["d_dropout"] else []
        after = [genome["d_activation"], *drop]
        if genome["discriminator"] == "mlp":
            seen: tuple[int, ...] = (pack * (channels * height * width + self.asked),)
            line = [f"dense {genome['d_width']}", *after] * genome["d_layers"]
        else:
            seen = pack * (channels + self.asked), height, width
            line = []
            for halving in range(max(1, halvings_of(height, width))):
                line += [f"conv {genome['d_filters'] << min(halving, 1)} {genome['d_kernel']} stride 2 same", *after]
            line += [f"dense {genome['d_hidden']}", *after] if genome["d_hidden"] else []
        layers = parse(" / ".join(line), seen)
        if genome.get("deviation"):
            layers = (*layers, MinibatchDeviation(Network(seen, layers).shapes[-1]))
        layers = (*layers, *parse("dense 1", Network(seen, layers).shapes[-1]))
        if genome["spectral"] or genome.get("loss") == "wasserstein":
            layers = tuple(_of_norm_1(layer) for layer in layers)
        return Network(seen, layers)

    def rules_of(self, genome: Genome) -> Rules:
        """Return the settings by which a genome's pair learns."""
        kind = genome["noise"]
        spread = genome["cut"] if kind == "truncated" else genome["spread"] if kind == "normal" else 1.0
        losses = CHILDREN if self.config.mode == "losses" else (genome["loss"],)
        return Rules(
            Noise(genome["noise_size"], kind, spread), losses, _optimiser_of(genome, "g"), _optimiser_of(genome, "d"),
            genome["batch_size"], genome["turns"], genome["average"], genome["output"] == "tanh", genome.get("pack", 1),
            genome["smoothing"] if LOSSES[losses[0]].smooths else 0.0, genome["instance_noise"], genome.get("shift", 0),
            genome.get("flip", False), self.asked, genome["schedule"] == "falling",
        )  # fmt: skip

    def lesson(self, genome: Genome, individual: Individual, folds: int, **told: Any) -> GanLesson:
        """Return a lesson of an individual, judged on parts."""
        generator, (discriminator,) = individual.network, individual.beside
        return GanLesson(
            generator=generator, discriminator=discriminator, rules=self.rules_of(genome), judge=self.judge,
            judged_by=self.judged_by, held=self.held, compared=self.compared, diary=self.diary,
            input_shape=self.shape, class_names=self.class_names, **told,
        )  # fmt: skip

    def answering(self, genome: Genome) -> str:
        """Return the description of the generator."""
        return words(self.generator_of(genome).layers)

    def prepared(self, parts: Mapping[str, Part], folder: SearchFolder, told: Preparing) -> dict[str, Any]:
        """Train the judge, or load it from the folder; report its accuracy and the floor.

        Raises
        ------
        UsageError
            If there are too few images for a judge, or it cannot learn them.
        """
        told.on_phase("judging")
        backend, path = told.backend(), folder.path / JUDGE
        images, labels = parts["train"].read()
        sizes = {name: len(parts[name].read()[1]) for name in ("search", "select", "test")}
        for name, called in (("search", "validation split"), ("select", "part of the training split for selection")):
            if sizes[name] < LEAST_REAL:
                raise UsageError(
                    f"{sizes[name]} images are too few to compare generated ones with: the {called} needs "
                    f"{LEAST_REAL} at least, so give more images: about {LEAST_DATA} where they are split here"
                )
        if not (tests := self.judged_at_the_end(sizes["test"])[1:]):
            told.on_remark(
                f"{sizes['test']} test images are too few to compare generated ones with ({LEAST_REAL} at least): "
                "there are no test measures, and all measures are those that selection looked at"
            )
        self.compared = min(MOST_IMAGES, sizes["search"], sizes["select"])
        _, origin = folder.read_config()
        try:
            model = load(path)
            if not is_judge(model, told.data, self.shape, self.class_names):
                raise ModelError("of other images")
        except ModelError:
            model = judge_for(images, labels, self.shape, self.class_names, backend, told.data)
            folder.save(JUDGE, model)
        self.judge, self.judged_by, self.held = str(path.resolve()), digest(model), parts["search"]
        if origin.get("judge", self.judged_by) != self.judged_by:
            raise UsageError(
                f"{path}: is judge {self.judged_by}, but the search began with {origin['judge']}, and scores of two "
                "judges cannot be compared: restore the file, or choose another --out"
            )
        folder.write_config(self.config, origin | {"judge": self.judged_by})
        self.diary = str((folder.path / DIARY).resolve())
        judge = self.judge, self.judged_by
        reals = reals_of(*judge, self.held, parts["train"], self.compared, backend)
        predicted, known = reals.held.logits.argmax(axis=1), reals.held.labels
        assert known is not None
        right = float(np.mean([(predicted[known == label] == label).mean() for label in np.unique(known)]))
        check_able(right, len(self.class_names))
        count = min([self.compared, *(sizes[name] for name in tests)])  # as many as the generator is measured by
        floor = reals_of(*judge, self.held, parts["train"], count, backend).measured(
            seen_of(*judge, parts["select"], count, backend)
        )
        told.on_remark(
            f"judge {self.judged_by}: {100 * right:.1f} % of {len(reals.held.images):,} images right; real images "
            f"compared with one another have fcd {floor['fcd']:.2f}, coverage {floor['coverage']:.2f}"
        )
        return {"judge": self.judged_by, "judge_accuracy": right, "floor": floor}

    def judged_at_the_end(self, test_images: int) -> tuple[str, ...]:
        """Return the parts that the winner's trainings are judged on; the search split decides which one is saved."""
        return ("search", "test") if test_images >= LEAST_REAL else ("search",)

    def best_of(self, finals: Sequence[Mapping[str, Mapping[str, float]]]) -> int:
        """Return which of the winner's trainings is saved: that which breaks the fewest rules, then the best.

        What is saved is the state of one checkpoint, so that is what counts, on the search split, not its course.
        """
        goal = Goal.of(self.config.metric, self.config.weights, self.class_names, self.metrics)

        def merit(place: int) -> tuple[float, float]:
            measures = finals[place]["search"]
            return -measures["violations"], goal.score({**measures, "fitness": at_the_end(measures)}, 0, 0)

        return max(range(len(finals)), key=merit)

    def model(self, network: Network, genes: Float32, dataset: Dataset, training: Mapping[str, Any]) -> Model:
        """Return a generator, a model that turns noise into an image."""
        return Model.build(network, genes, (), None, {**training, "judge": self.judged_by})

    @property
    def plain(self) -> Genome:
        """The default genome."""
        return changed(DEFAULT, {}, self.space)

    def beginnings(self) -> list[Genome]:
        """Return the default, similar genomes, and one of dense layers alone, as far as they are feasible."""
        if self.misfit():
            return []
        return self.distinct([changed(DEFAULT, change, self.space) for change in BEGINNINGS])

    def misfit(self) -> str:
        """Return why no pair fits such images; "" if one does."""
        if len(self.shape) not in (2, 3):
            return ""
        if channels_of(self.shape)[0] not in (1, 3):
            return f"{self.shape[0]} channels: generators support 1 (grey) or 3 (colour)"
        if min(self.shape[-2:]) < LEAST_SIDE:
            return f"{shown(self.shape)} pixels are too few: {LEAST_SIDE} x {LEAST_SIDE} at least"
        return ""


def halvings_of(height: int, width: int) -> int:
    """Return how often the sides of an image are halved to get a generator's first maps."""
    found = 0
    while found < MOST_HALVINGS and not (height % 2 or width % 2) and min(height, width) // 2 >= LEAST_SIDE:
        height, width, found = height // 2, width // 2, found + 1
    return found


def _optimiser_of(genome: Genome, letter: str) -> Optimiser:
    """Return the optimiser of one network."""
    name = genome[f"{letter}_optimiser"]
    rate = genome[f"{letter}_simple_rate" if name == "sgd" else f"{letter}_rate"]
    return Optimiser(name, rate, genome[f"{letter}_momentum"] if name == "adam" else SGD_MOMENTUM)


def _of_norm_1(layer: Layer) -> Layer:
    """Return a layer with its weights scaled to norm 1, if it has any."""
    return SpectralNorm(layer) if isinstance(layer, (Dense, Convolution)) else layer
