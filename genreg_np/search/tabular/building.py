"""Turns a genome into a description of a scikit-learn pipeline: an object for the search, a program for the user.

    columns    numbers are imputed and scaled, words one-hot or ordinal, text weighted by its terms (TF-IDF)
    select     the share of inputs that individually tell most about the label, or principal components
    model      with its settings

Everything is fitted together, so nothing is learned from rows that a fold is scored on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.search.genes import Genome
from genreg_np.search.tabular.calls import Call, Name, Ref, call
from genreg_np.search.tabular.space import BOOSTING, FOREST, LINEAR, NEIGHBOURS, SVM, Traits
from genreg_np.search.tabular.together import TOGETHER, members_of

MOST_WORDS = 64  # of a column, that get an input each
SCALERS: dict[str, Call] = {
    "standard": call("sklearn.preprocessing:StandardScaler"),
    "minmax": call("sklearn.preprocessing:MinMaxScaler"),
    "robust": call("sklearn.preprocessing:RobustScaler"),
    "quantile-normal": call(
        "sklearn.preprocessing:QuantileTransformer", n_quantiles=100, output_distribution="normal", random_state=0
    ),
}


@dataclass(frozen=True)
class Layout:
    """The places of a table's columns, by kind."""

    numbers: Sequence[int]
    words: Sequence[int]
    texts: Sequence[int]


def pipeline_of(genome: Genome, layout: Layout, traits: Traits, probabilities: bool = False) -> Call:
    """Return the pipeline that a genome stands for.

    Parameters
    ----------
    genome : mapping
        All genes of a space for this table.
    layout : Layout
    traits : Traits
    probabilities : bool
        Whether the metric needs probabilities: then models without them are calibrated.
    """
    if genome["model"] == TOGETHER:
        return _together(genome, layout, traits)
    steps: list[Any] = [("columns", _columns(genome, layout, traits))]
    if genome["select"] != "none":
        steps.append(("select", _selection(genome, traits)))
    if traits.many and genome["model"] == SVM and genome["kernel"] != "linear":
        steps.append(("kernel", _nystroem(genome)))
    steps.append(("model", _model(genome, traits, probabilities)))
    return call("sklearn.pipeline:Pipeline", steps)


def _together(genome: Genome, layout: Layout, traits: Traits) -> Call:
    """Return an ensemble of pipelines whose probabilities or numbers are averaged."""
    members = [(one["model"], pipeline_of(one, layout, traits, probabilities=True)) for one in members_of(genome)]
    if traits.classes:
        return call("sklearn.ensemble:VotingClassifier", members, voting="soft")
    return call("sklearn.ensemble:VotingRegressor", members)


def _columns(genome: Genome, layout: Layout, traits: Traits) -> Call:
    parts: list[Any] = []
    model = genome["model"]
    if layout.numbers:
        numbers: list[Any] = []
        if model != BOOSTING or genome["select"] != "none":
            strategy = genome.get("fill", "median")
            numbers.append(call("sklearn.impute:SimpleImputer", strategy=strategy, add_indicator=traits.missing))
        if model in (LINEAR, SVM, NEIGHBOURS) and genome["scale"] != "none":
            numbers.append(SCALERS[genome["scale"]])
        steps = (
            call("sklearn.pipeline:make_pipeline", *numbers) if len(numbers) > 1 else (numbers or ["passthrough"])[0]
        )
        parts.append(("numbers", steps, Name("NUMBERS", list(layout.numbers))))
    if layout.words:
        parts.append(("words", _encoder(genome), Name("WORDS", list(layout.words))))
    for place, column in enumerate(layout.texts):
        terms = call(
            "sklearn.feature_extraction.text:TfidfVectorizer",
            max_features=genome["terms"], ngram_range=(1, 2 if genome["pairs"] else 1), sublinear_tf=True,
        )  # fmt: skip
        parts.append((f"text {place + 1}", terms, Name(f"TEXTS[{place}]", column)))
    dense = not layout.texts or model == BOOSTING or genome["select"] == "pca"
    return call("sklearn.compose:ColumnTransformer", parts, sparse_threshold=0.0 if dense else 1.0)


def _encoder(genome: Genome) -> Call:
    named = {"min_frequency": genome["rare"]} if genome["rare"] > 1 else {}
    if genome["model"] in (BOOSTING, FOREST) and genome["encode"] == "ordinal":
        return call(
            "sklearn.preprocessing:OrdinalEncoder",
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1, **named,
        )  # fmt: skip
    return call(
        "sklearn.preprocessing:OneHotEncoder",
        handle_unknown="infrequent_if_exist", max_categories=MOST_WORDS, sparse_output=False, **named,
    )  # fmt: skip


def _selection(genome: Genome, traits: Traits) -> Call:
    if genome["select"] == "pca":
        return call("sklearn.decomposition:PCA", n_components=genome["variance"], svd_solver="full")
    kind = "classif" if traits.classes else "regression"
    function: Any = Ref(f"sklearn.feature_selection:f_{kind}")
    if genome["select"] == "percentile-mutual":
        function = call("functools:partial", Ref(f"sklearn.feature_selection:mutual_info_{kind}"), random_state=0)
    return call("sklearn.feature_selection:SelectPercentile", function, percentile=_whole(genome["percentile"]))


def _kernel(genome: Genome, own: float | None) -> dict[str, Any]:
    """Return the settings of a kernel; `own` is its default width: "scale", or None."""
    kernel = genome["kernel"]
    found: dict[str, Any] = {"kernel": kernel}
    if kernel != "linear":
        found["gamma"] = genome["gamma"] if genome["width"] == "own" else own
    if kernel == "poly":
        found["degree"] = genome["degree"]
    if kernel in ("poly", "sigmoid"):
        found["coef0"] = genome["shift"]
    return found


def _nystroem(genome: Genome) -> Call:
    settings = _kernel(genome, None)
    return call("sklearn.kernel_approximation:Nystroem", n_components=genome["components"], random_state=0, **settings)


def _model(genome: Genome, traits: Traits, probabilities: bool) -> Call:
    weighted = {"class_weight": "balanced"} if traits.classes and genome.get("balanced") else {}
    made = {
        SVM: _svm, BOOSTING: _boosting, LINEAR: _linear, FOREST: _forest, NEIGHBOURS: _neighbours,
    }[genome["model"]](genome, traits, weighted)  # fmt: skip
    if genome["model"] == SVM and traits.classes and probabilities:
        return call("sklearn.calibration:CalibratedClassifierCV", made, ensemble=False)
    if genome["model"] == SVM and not traits.classes:
        scaler = SCALERS["standard"]
        return call("sklearn.compose:TransformedTargetRegressor", regressor=made, transformer=scaler)
    return made


def _svm(genome: Genome, traits: Traits, weighted: dict[str, Any]) -> Call:
    if traits.many:
        named = {"C": genome["cost"], "max_iter": 5000, "random_state": 0}
        if traits.classes:
            return call("sklearn.svm:LinearSVC", **named, **weighted)
        return call("sklearn.svm:LinearSVR", epsilon=genome["tube"], **named)
    settings = {"C": genome["cost"], **_kernel(genome, "scale"), "cache_size": 500}  # type: ignore[arg-type]
    if traits.classes:
        return call("sklearn.svm:SVC", **settings, **weighted)
    return call("sklearn.svm:SVR", epsilon=genome["tube"], **settings)


def _boosting(genome: Genome, traits: Traits, weighted: dict[str, Any]) -> Call:
    what = "Classifier" if traits.classes else "Regressor"
    share = {} if genome["share_of_columns"] == 1 else {"max_features": genome["share_of_columns"]}
    return call(
        f"sklearn.ensemble:HistGradientBoosting{what}",
        learning_rate=genome["rate"], max_iter=_whole(genome["rounds"]), max_leaf_nodes=_whole(genome["leaves"]),
        min_samples_leaf=_whole(genome["least_in_leaf"]), l2_regularization=genome["l2"], **share,
        early_stopping=genome["stops_early"], random_state=0, **weighted,
    )  # fmt: skip


def _linear(genome: Genome, traits: Traits, weighted: dict[str, Any]) -> Call:
    if traits.classes:
        return call("sklearn.linear_model:LogisticRegression", C=genome["strength"], max_iter=2000, **weighted)
    return call("sklearn.linear_model:Ridge", alpha=float(f"{1 / genome['strength']:.3g}"))


def _forest(genome: Genome, traits: Traits, weighted: dict[str, Any]) -> Call:
    what = "Classifier" if traits.classes else "Regressor"
    return call(
        f"sklearn.ensemble:RandomForest{what}",
        n_estimators=_whole(genome["trees"]), min_samples_leaf=_whole(genome["least_in_leaf"]),
        max_features=genome["share_of_columns"], random_state=0, **weighted,
    )  # fmt: skip


def _neighbours(genome: Genome, traits: Traits, weighted: dict[str, Any]) -> Call:
    what = "Classifier" if traits.classes else "Regressor"
    weights = "distance" if genome["nearer_count_more"] else "uniform"
    return call(
        f"sklearn.neighbors:KNeighbors{what}", n_neighbors=_whole(genome["neighbours"]), weights=weights,
        p=genome["distance"],
    )  # fmt: skip


def _whole(value: float) -> int:
    return round(value)
