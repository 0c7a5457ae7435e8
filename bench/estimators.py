"""scikit-learn estimators: the benefit of training on the metric itself, and how long fit and predict take.

    python bench/estimators.py metrics [TABLE ...] [--seeds 5]     ten minutes
    python bench/estimators.py speed

metrics   macro-F1, and the mean cost if missing a sample costs in proportion to the rarity of its class. Tables are
          weather as it is, and four of two classes, with rows of the rarer class removed until it is a tenth. 30 % of
          each class are test rows. The same network is trained in four ways: by likelihood; by likelihood with a bias
          per class tuned for the metric on all training rows (a threshold for two classes); with class weights; and on
          the metric itself. Also scikit-learn's boosting with class weights.
speed     seconds of a fit to breast cancer with compiled kernels, and of predicting 100,000 rows, compared with
          scikit-learn's MLPClassifier with as many units; medians.

One thread. Writes bench/results/estimators.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tomllib
import warnings
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pandas as pd
import tabular
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OrdinalEncoder

from genreg_np import GenregClassifier

HERE = Path(__file__).parent
RESULT = HERE / "results" / "estimators.json"
TABLES = ("weather", "german-credit", "tic-tac-toe", "breast-cancer", "credit")
RARE, TESTED = 0.1, 0.3
BIASES, ROUNDS = np.linspace(-3, 3, 61), 2  # biases tried per class, and passes over the classes
REPEATS = 7


def table(name: str, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table and its classes; of two classes the rarer is reduced to a tenth."""
    told = tomllib.loads((HERE / "tables.toml").read_text("utf-8"))[name]
    names, *rows = tabular.raw(told)
    frame = pd.DataFrame(rows, columns=names)
    labels = frame.pop(told.get("label", "class")).to_numpy(str)
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) == 2:
        rare = classes[counts.argmin()]
        own, wanted = np.flatnonzero(labels == rare), round(counts.max() * RARE / (1 - RARE))
        gone = np.random.default_rng(seed).permutation(own)[wanted:]
        kept = np.setdiff1d(np.arange(len(labels)), gone)
        frame, labels = frame.iloc[kept].reset_index(drop=True), labels[kept]
    frame = frame.mask(frame.isin(["", "?", "NA"])).infer_objects()
    for column in frame:
        if frame[column].astype(str).str.fullmatch(r"\d{4}[/-]\d\d[/-]\d\d").all():
            frame[column] = pd.to_datetime(frame[column])
    return frame, labels


def macro_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean F1 of the classes."""
    said = scores.argmax(axis=1)
    found = []
    for one in range(scores.shape[1]):
        both = np.sum((said == one) & (labels == one))
        found.append(2 * both / max(1, np.sum(said == one) + np.sum(labels == one)))
    return float(np.mean(found))


class Saved:
    """The negative mean cost of errors, if missing a sample costs in proportion to the rarity of its class."""

    def __init__(self, labels: np.ndarray) -> None:
        counts = np.bincount(labels)
        self.costs = len(labels) / (len(counts) * counts)

    def __call__(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """Return minus the mean cost."""
        return -float(np.mean(self.costs[labels] * (scores.argmax(axis=1) != labels)))


def tuned(metric: Any, labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return a bias for each class that maximises a metric, optimised class by class."""
    found, best = np.zeros(logits.shape[1]), metric(labels, logits)
    for _ in range(ROUNDS):
        for one in range(len(found)):
            for bias in BIASES:
                tried = found.copy()
                tried[one] = bias
                if (score := metric(labels, logits + tried)) > best:
                    found, best = tried, score
    return found


def boosting_of(inputs: pd.DataFrame, labels: np.ndarray, tested: pd.DataFrame, seed: int) -> np.ndarray:
    """Return boosting's probabilities for the tested rows, with class weights; words as ordinals, dates as parts."""
    dates = [name for name in inputs if inputs[name].dtype.kind == "M"]
    others = inputs.columns.drop(dates)
    numbers = [name for name in others if pd.to_numeric(inputs[name], errors="coerce").notna().mean() > 0.5]
    words = [name for name in others if name not in numbers]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    if words:
        encoder.fit(inputs[words].astype(str))

    def plain(some: pd.DataFrame) -> np.ndarray:
        parts = [some[numbers].apply(pd.to_numeric, errors="coerce").to_numpy(float)]
        parts += [np.stack([some[name].dt.year, some[name].dt.month, some[name].dt.day], axis=1) for name in dates]
        return np.hstack([*parts, *([encoder.transform(some[words].astype(str))] if words else [])])

    model = HistGradientBoostingClassifier(class_weight="balanced", random_state=seed)
    found: np.ndarray = model.fit(plain(inputs), labels).predict_proba(plain(tested))
    return found


def compared(name: str, seed: int) -> dict[str, Any]:
    """Return what the methods reach by both metrics on unseen rows."""
    frame, labels = table(name, seed)
    places = np.unique(labels, return_inverse=True)[1]
    inputs, tested, known, wanted = train_test_split(
        frame, places, test_size=TESTED, stratify=places, random_state=seed
    )
    line: dict[str, Any] = {"seed": seed, "rows": len(labels), "rarest": int(np.bincount(places).min())}
    learned = {weight or "none": GenregClassifier(class_weight=weight, random_state=seed).fit(inputs, known)
               for weight in (None, "balanced")}  # fmt: skip
    logits = {
        when: np.log(learned["none"].predict_proba(some) + 1e-12) for when, some in (("in", inputs), ("out", tested))
    }
    boosted = boosting_of(inputs, known, tested, seed)
    for called, metric in (("macro-F1", macro_f1), ("cost", Saved(known))):
        began = time.perf_counter()
        followed = GenregClassifier(fitness=metric, random_state=seed).fit(inputs, known)
        seconds = time.perf_counter() - began
        line[called] = {
            "on the metric": metric(wanted, followed.predict_proba(tested)),
            "likelihood": metric(wanted, logits["out"]),
            "likelihood, tuned": metric(wanted, logits["out"] + tuned(metric, known, logits["in"])),
            "class weights": metric(wanted, learned["balanced"].predict_proba(tested)),
            "boosting, class weights": metric(wanted, boosted),
            "seconds": seconds,
        }  # fmt: skip
    assert macro_f1(wanted, logits["out"]) == f1_score(wanted, logits["out"].argmax(axis=1), average="macro")
    return line


def speed() -> dict[str, float]:
    """Return the seconds of fits and predictions."""
    inputs, labels = load_breast_cancer(return_X_y=True)
    GenregClassifier(max_iter=50, random_state=0).fit(inputs, labels)  # compiles kernels
    many = np.repeat(inputs, 176, axis=0)[:100_000]
    fits, ours, theirs = [], [], []
    peer = MLPClassifier((32,), random_state=0).fit(inputs, labels)
    for seed in range(REPEATS):
        began = time.perf_counter()
        found = GenregClassifier(random_state=seed).fit(inputs, labels)
        fits.append(time.perf_counter() - began)
        for one, times in ((found, ours), (peer, theirs)):
            began = time.perf_counter()
            one.predict(many)
            times.append(time.perf_counter() - began)
    return {
        "fit": statistics.median(fits), "predict": statistics.median(ours),
        "MLPClassifier, predict": statistics.median(theirs),
    }  # fmt: skip


def main() -> None:
    """Measure, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("metrics", "speed"))
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    result: dict[str, Any] = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    result["machine"] = machine.describe()
    if arguments.what == "speed":
        result["speed"] = speed()
        print(result["speed"])
        RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        return
    for name in arguments.tables or TABLES:
        lines = [compared(name, seed) for seed in range(arguments.seeds)]
        result.setdefault("metrics", {})[name] = lines
        for metric in ("macro-F1", "cost"):
            means = {way: statistics.mean(line[metric][way] for line in lines) for way in lines[0][metric]}
            print(name, metric, {way: round(mean, 3) for way, mean in means.items()}, flush=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
