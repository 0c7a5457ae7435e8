"""The genes of pipelines: the preparation of columns, and the model with its settings.

Ranges are those in common use; building.py says what a gene does. A gene that a model does not use is not expressed, so
a search of some models has no more genes than they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.search.genes import Choice, Gene, Genome, Number, Space

FEATURES, MODEL = "features", "model"  # blocks of genes
SVM, BOOSTING, NETWORK, LINEAR, FOREST, NEIGHBOURS = "svm", "boosting", "network", "linear", "forest", "neighbours"
MODELS = (LINEAR, SVM, BOOSTING, FOREST, NEIGHBOURS, NETWORK)
SCALED = (LINEAR, SVM, NEIGHBOURS)  # models that depend on the scale of numbers
FITTED = (LINEAR, SVM, BOOSTING, FOREST, NEIGHBOURS)  # models of scikit-learn
SHARES = ("percentile-f", "percentile-mutual")  # of the inputs, ranked by how much each tells about the label
MOST_ALL = 4  # columns from which on selecting a share of them is worthwhile
MOST_ROWS = 10_000  # for kernels between all pairs of rows
BALANCED = (LINEAR, SVM, BOOSTING, FOREST)  # models that can weight classes equally


def models_of(text: str) -> tuple[str, ...]:
    """Return the models named by "svm,boosting"; all of them for "".

    Raises
    ------
    UsageError
        For an unknown model, or a text such as "," that names none.
    """
    named = [name.strip() for name in text.split(",") if name.strip()]
    for name in named:
        if name not in MODELS:
            raise UsageError(f"--models: there is no model {name!r}{did_you_mean(name, MODELS)}")
    if text and not named:
        raise UsageError(f"--models: {text!r} names no model: name some of {', '.join(MODELS)}")
    return tuple(name for name in MODELS if name in named) or MODELS


@dataclass(frozen=True)
class Traits:
    """The traits of a table that determine the genes."""

    classes: bool  # whether classes are predicted, not numbers
    rows: int
    missing: bool = False  # whether numbers are missing
    words: bool = False  # whether there are columns of words
    texts: bool = False
    columns: int = MOST_ALL  # inputs before words are encoded

    @classmethod
    def read(cls, text: str) -> Traits:
        """Return the traits that `text` wrote."""
        words = text.split()
        rows = next((int(word.partition("=")[2]) for word in words if word.startswith("rows=")), 0)
        columns = next((int(word.partition("=")[2]) for word in words if word.startswith("columns=")), MOST_ALL)
        return cls("classes" in words, rows, "missing" in words, "words" in words, "texts" in words, columns)

    @property
    def text(self) -> str:
        """The traits as text for a configuration."""
        names = [name for name in ("classes", "missing", "words", "texts") if getattr(self, name)]
        return " ".join([*names, f"rows={self.rows}", f"columns={self.columns}"])

    @property
    def many(self) -> bool:
        """Whether there are too many rows for a support vector machine on all of them."""
        return self.rows > MOST_ROWS


def space_of(models: Sequence[str], traits: Traits) -> Space:
    """Return the genes for some models and a table."""

    def of(*names: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (("model", names),)

    fitted, scaled = of(*FITTED), of(*SCALED)
    selected = (*fitted, ("select", SHARES))
    kernels = (*of(SVM), ("kernel", ("rbf", "poly", "sigmoid")))
    genes: list[Gene] = [
        Choice("model", MODEL, (), tuple(models)),
        Choice("scale", FEATURES, scaled, ("none", "standard", "minmax", "robust", "quantile-normal")),
        Choice("select", FEATURES, fitted, ("none", *(SHARES if traits.columns >= MOST_ALL else ()), "pca")),
        Number("percentile", FEATURES, selected, 5.0, 100.0),
        Number("variance", FEATURES, (*fitted, ("select", ("pca",))), 0.8, 0.99),
    ]
    if traits.missing:  # boosting handles missing values itself
        genes.append(Choice("fill", FEATURES, of(LINEAR, SVM, FOREST, NEIGHBOURS), ("median", "mean", "most_frequent")))
    if traits.words:
        genes += [
            Choice("encode", FEATURES, of(BOOSTING, FOREST), ("one-hot", "ordinal")),
            Choice("rare", FEATURES, fitted, (1, 2, 5, 10), ordered=True),
        ]
    if traits.texts:
        genes += [
            Choice("terms", FEATURES, fitted, (200, 500, 1000, 2000, 5000), ordered=True),
            Choice("pairs", FEATURES, fitted, (False, True)),
        ]
    genes += [
        Choice("kernel", MODEL, of(SVM), ("rbf", "linear", "poly", "sigmoid")),
        Number("cost", MODEL, of(SVM), 1e-2, 1e3, log=True),
        Choice("width", MODEL, kernels, ("scale", "own")),
        Number("gamma", MODEL, (*kernels, ("width", ("own",))), 1e-4, 1e1, log=True),
        Choice("degree", MODEL, (*of(SVM), ("kernel", ("poly",))), (2, 3, 4), ordered=True),
        Number("shift", MODEL, (*of(SVM), ("kernel", ("poly", "sigmoid"))), -1.0, 1.0),
        Number("rate", MODEL, of(BOOSTING), 0.01, 0.5, log=True),
        Number("rounds", MODEL, of(BOOSTING), 30, 500, log=True),
        Number("leaves", MODEL, of(BOOSTING), 4, 127, log=True),
        Number("least_in_leaf", MODEL, of(BOOSTING, FOREST), 1, 100, log=True),
        Number("l2", MODEL, of(BOOSTING), 1e-6, 1e1, log=True),
        Number("share_of_columns", MODEL, of(BOOSTING, FOREST), 0.1, 1.0),
        Choice("stops_early", MODEL, of(BOOSTING), (False, True)),
        Number("trees", MODEL, of(FOREST), 50, 400, log=True),
        Number("strength", MODEL, of(LINEAR), 1e-3, 1e3, log=True),
        Number("neighbours", MODEL, of(NEIGHBOURS), 1, min(50, max(2, traits.rows // 4)), log=True),
        Choice("nearer_count_more", MODEL, of(NEIGHBOURS), (False, True)),
        Choice("distance", MODEL, of(NEIGHBOURS), (1, 2)),
        Choice("units", MODEL, of(NETWORK), (8, 16, 32, 64), ordered=True),
        Choice("strategy", MODEL, of(NETWORK), ("node-perturbation", "evolution-strategy")),
        Number("generations", MODEL, of(NETWORK), 300, 3000, log=True),
        Number("decay", MODEL, of(NETWORK), 1e-4, 0.1, log=True),
    ]
    if traits.many:
        genes.append(Choice("components", MODEL, kernels, (50, 100, 200, 300), ordered=True))
    if traits.classes:
        genes.append(Choice("balanced", MODEL, of(*BALANCED), (False, True)))
    else:
        genes.append(Number("tube", MODEL, of(SVM), 1e-3, 1.0, log=True))
    able = [gene for gene in genes if gene.name == "model" or set(dict(gene.when)["model"]) & set(models)]
    return Space(tuple(able))


PLAIN: dict[str, Any] = {  # the libraries' defaults, or usual choices where there are none
    "fill": "median", "scale": "standard", "select": "none", "percentile": 50.0, "variance": 0.95, "encode": "one-hot",
    "rare": 1, "terms": 1000, "pairs": False, "kernel": "rbf", "cost": 1.0, "width": "scale", "gamma": 0.1, "degree": 3,
    "shift": 0.0, "components": 100, "rate": 0.1, "rounds": 100, "leaves": 31, "least_in_leaf": 20, "l2": 1e-6,
    "share_of_columns": 1.0, "stops_early": False, "trees": 100, "strength": 1.0, "neighbours": 5,
    "nearer_count_more": False, "distance": 2, "units": 32, "strategy": "node-perturbation", "generations": 2000,
    "decay": 0.01, "balanced": False, "tube": 0.1,
}  # fmt: skip
OF_FOREST = {"least_in_leaf": 1, "share_of_columns": 0.35}  # usually sqrt(columns) for classes: about a third


def plain(model: str, space: Space, **changes: Any) -> Genome:
    """Return the usual genome of a model, with some changes."""
    usual = {**PLAIN, **(OF_FOREST if model == FOREST else {}), "model": model, **changes}
    return {gene.name: _within(gene, usual[gene.name]) for gene in space.genes}


def _within(gene: Gene, value: Any) -> Any:
    """Return a value clipped to what a gene can have."""
    return gene.checked(min(max(value, gene.low), gene.high) if isinstance(gene, Number) else value)


def beginnings(space: Space) -> list[tuple[Genome, str]]:
    """Return the first pipelines of a search: the usual one of each model, and others that often do well."""
    models = next(gene.values for gene in space.genes if isinstance(gene, Choice) and gene.name == "model")
    found = [(plain(model, space), f"usual {model}") for model in models]
    if SVM in models:
        found.append((plain(SVM, space, cost=10.0), "made by hand"))
    if BOOSTING in models:
        found.append((plain(BOOSTING, space, rate=0.05, rounds=200, leaves=15), "made by hand"))
    return found
