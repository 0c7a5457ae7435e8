"""What the programs that search pipelines share: their arguments and data, and the scoring of their predictions."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, r2_score

BEGAN = time.perf_counter()


def read() -> tuple[argparse.Namespace, Any, Any, Any]:
    """Return arguments, rows to learn from, rows to predict, and the labels of the former.

    Words become pandas categories, which these programs accept; a date becomes its day as a number.
    """
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    for name in ("train", "test", "label", "task"):
        parser.add_argument(name)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args()
    train, test = pd.read_csv(asked.train), pd.read_csv(asked.test)
    labels = train.pop(asked.label)
    asked.wanted = test.pop(asked.label)
    for name in train.columns:
        if pd.api.types.is_numeric_dtype(train[name]):
            continue
        dates = pd.to_datetime(train[name], errors="coerce", format="ISO8601")
        if dates.notna().mean() > 0.9:
            for frame in (train, test):
                own = pd.to_datetime(frame[name], errors="coerce", format="ISO8601")
                frame[name] = (own - pd.Timestamp("2000-01-01")) / pd.Timedelta("1D")
            continue
        kinds = pd.CategoricalDtype(sorted(train[name].dropna().astype(str).unique()))
        for frame in (train, test):
            frame[name] = frame[name].astype("object").where(frame[name].isna(), frame[name].astype(str)).astype(kinds)
    return asked, train, test, labels


def answered(asked: argparse.Namespace, predicted: Any, what: str) -> None:
    """Print the score of the predictions, and the total time."""
    if asked.task == "classes":
        score = accuracy_score(asked.wanted.astype(str), np.asarray(predicted).astype(str))
    else:
        score = r2_score(asked.wanted, np.asarray(predicted, float))
    seconds = time.perf_counter() - BEGAN
    print(json.dumps({"seed": asked.seed, "score": float(score), "seconds": seconds, "found": what}))
