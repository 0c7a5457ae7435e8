"""The script that a search hands over: plain scikit-learn and pandas, to be read, changed and run without this package.

    python pipeline.py                            fits, and measures by the rows that the search held out
    python pipeline.py NEW.csv PREDICTIONS.csv    fits to all rows, and predicts those of another table

It reads a table as data/table.py does, as far as that table needs it; the pipeline is the very one that the search
fitted (calls.py).
"""

from __future__ import annotations

import dataclasses
import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.data.columns import DATES, FLAGS, NUMBERS, WORDS
from genreg_np.infer_table import FLAGS as SAID
from genreg_np.infer_table import MISSING
from genreg_np.search.genes import Genome
from genreg_np.search.tabular.building import pipeline_of
from genreg_np.search.tabular.folds import HELD, strata
from genreg_np.search.tabular.rows import TEXT, Column, Rows
from genreg_np.search.tabular.scoring import Scoring

PARTS = {
    "year": "year",
    "month": "month",
    "day": "day",
    "weekday": "day_of_week",
    "hour": "hour + times.minute / 60 + times.second / 3600",
}  # of dates, as pandas calls them
NAMES = ("prediction", "predicted", "prediction of the pipeline")  # of the column of predictions: the first free one
ORDER = {"ymd": "yearfirst=True", "dmy": "dayfirst=True", "mdy": "dayfirst=False"}


@dataclass(frozen=True)
class Source:
    """Where a table comes from, and how it is held apart.

    Parameters
    ----------
    path : str
    separator : str
        The sign between fields.
    names : sequence of str
        Of all columns; none where the file's header has them.
    before : int
        Lines before the header, or before the first row where there is none.
    group, time : str, optional
        Columns by which rows are held apart.
    kind : (str, str)
        What the one that is given holds - numbers, dates or words -, and the order of a date's parts.
    seed : int
    """

    path: str
    separator: str
    names: Sequence[str]
    before: int
    group: str | None
    time: str | None
    kind: tuple[str, str]
    seed: int

    def beside(self, folder: Path) -> Source:
        """Return it as seen from a folder."""
        return dataclasses.replace(self, path=os.path.relpath(self.path, folder).replace(os.sep, "/"))


def script_of(genome: Genome, rows: Rows, source: Source, scoring: Scoring, said: Sequence[str]) -> str:
    """Return the program for a genome.

    Parameters
    ----------
    genome : mapping
        Of a pipeline of scikit-learn.
    rows : Rows
        The whole table.
    source : Source
    scoring : Scoring
    said : sequence of str
        What is known of it: lines for its head.
    """
    pipeline = pipeline_of(genome, rows.layout, rows.traits, scoring.by_probabilities)
    imports = pipeline.imports()
    imports.setdefault("sklearn.metrics", set()).add("get_scorer")
    split = _split(rows, source)
    if split.imports:
        imports.setdefault("sklearn.model_selection", set()).update(split.imports)
    sections = [
        _head(said),
        "import sys\nfrom pathlib import Path",
        "\n".join(["import numpy as np", "import pandas as pd", *_imports(imports)]),
        _constants(rows, source),
        _read(rows, source),
        f'def build():\n    """Return the pipeline, not fitted."""\n    return {pipeline.written(4)}',
        split.code,
        _main(rows, scoring),
        'if __name__ == "__main__":\n    main(*sys.argv[1:])',
    ]
    head, standard, third, constants, *functions = sections
    return "\n\n".join([head, standard, third, constants]) + "\n\n\n" + "\n\n\n".join(functions) + "\n"


def _head(said: Sequence[str]) -> str:
    lines = [
        *said,
        "",
        "    python pipeline.py                            fit, and measure by the rows that were held out",
        "    python pipeline.py NEW.csv PREDICTIONS.csv    fit to all rows, and predict those of another table",
        "",
        "Needs scikit-learn and pandas.",
    ]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}\n"""'


def _imports(names: Mapping[str, set[str]]) -> list[str]:
    plain = {module: some for module, some in names.items() if module != "functools"}
    lines = [f"from {module} import {', '.join(sorted(some))}" for module, some in sorted(plain.items())]
    return [*(["from functools import partial"] if "functools" in names else []), *lines]


def _listed(name: str, values: Sequence[Any]) -> str:
    """Return a line, or lines, that give a name to a list."""
    text = ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
    if len(text) < 100:
        return f"{name} = [{text}]"
    wrapped = textwrap.fill(text, 108, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    return f"{name} = [\n{wrapped},\n]"


def _constants(rows: Rows, source: Source) -> str:
    kinds = {kind: [one.name for one in rows.columns if one.kind == kind] for kind in (NUMBERS, WORDS, TEXT)}
    lines = [f"DATA = Path(__file__).resolve().parent / {_quoted(source.path)}", f"LABEL = {_quoted(rows.label)}"]
    if rows.class_names:
        lines.append(_listed("CLASSES", rows.class_names))
    if source.names:
        lines.append(_listed("NAMES", source.names))
    for name, kind in (("NUMBERS", NUMBERS), ("WORDS", WORDS), ("TEXTS", TEXT)):
        if kinds[kind]:
            lines.append(_listed(name, kinds[kind]))
    lines.append(_listed("MISSING", sorted(MISSING)))
    if any(_is(one, FLAGS) for one in rows.columns):
        lines.append(f"FLAGS = {json.dumps({**SAID, '1': 1.0, '0': 0.0})}")
    lines.append(f"SEED = {source.seed}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is(column: Column, kind: str) -> bool:
    return bool(column.source["kind"] == kind)


def _read(rows: Rows, source: Source) -> str:
    """Return the function that reads a table."""
    how = [f"sep={_quoted(source.separator)}"] if source.separator != "," else []
    how += ["header=None"] if source.names else []
    how += [f"skiprows={source.before}"] if source.before else []
    how += ["dtype=str", "keep_default_na=False", "skipinitialspace=True"]
    lines = [
        "def read(path):",
        '    """Return the inputs of a table, a column each, the table without blanks and gaps, and as it came."""',
        f"    raw = pd.read_csv(path, {', '.join(how)})",
    ]
    if source.names:
        lines.append(
            "    raw.columns = NAMES if raw.shape[1] == len(NAMES) else [name for name in NAMES if name != LABEL]"
        )
    lines += [
        "    raw.columns = raw.columns.str.strip()",
        '    table = raw.apply(lambda column: column.str.replace(r"\\s*\\n\\s*", " ", regex=True).str.strip())',
        "    table = table.mask(table.apply(lambda column: column.str.lower().isin(MISSING)))",
        "    inputs = {}",
    ]
    numbers = [column.name for column in rows.columns if column.kind == NUMBERS]
    plain = [column.name for column in rows.columns if _is(column, NUMBERS)]
    if plain == numbers and len(plain) > 1:
        lines += ["    for name in NUMBERS:", "        inputs[name] = pd.to_numeric(table[name])"]
    done: set[str] = set()
    for column in rows.columns:
        name, own = _quoted(column.name), column.source
        field = f"table[{_quoted(own['name'])}]"
        if own["kind"] == DATES:
            if own["name"] not in done:
                done.add(own["name"])
                lines.append(f'    times = pd.to_datetime({field}, format="mixed", {ORDER[own["order"]]}).dt')
            lines.append(f"    inputs[{name}] = (times.{PARTS[column.part]}).astype(float)")
        elif own["kind"] == FLAGS:
            lines.append(f"    inputs[{name}] = {field}.str.lower().map(FLAGS)")
        elif own["kind"] == NUMBERS:
            lines += [] if plain == numbers and len(plain) > 1 else [f"    inputs[{name}] = pd.to_numeric({field})"]
        elif own["kind"] == WORDS:
            whole = any(word.lstrip("+-").isdigit() for word in own["words"])
            same = '.str.replace(r"^([+-]?[0-9]+)\\.0*$", r"\\1", regex=True)' if whole else ""
            lines.append(f"    inputs[{name}] = {field}{same}")
        else:
            lines.append(f'    inputs[{name}] = {field}.fillna("")')
    if rows.layout.words:
        lines.append("    for name in WORDS:")
        lines.append("        inputs[name] = inputs[name].astype(object).where(inputs[name].notna(), np.nan)")
    lines.append("    return pd.DataFrame(inputs), table, raw")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Split:
    imports: set[str]
    code: str


def _split(rows: Rows, source: Source) -> _Split:
    """Return the function that holds rows out as the search did, and what it imports."""
    if source.time is not None:
        kind, order = source.kind
        dates = f'pd.to_datetime({{}}, format="mixed", {ORDER[order]})' if kind == DATES else ""
        read = {NUMBERS: "pd.to_numeric({})", DATES: dates}.get(kind, "{}")
        needed, lines = set(), [
            f"order = np.argsort({read.format(f'table[{_quoted(source.time)}]')}, kind=\"stable\").to_numpy()",
            f"first = len(labels) - max(1, round({HELD} * len(labels)))",
            "return order[:first], order[first:]",
        ]  # fmt: skip
    elif source.group is not None:
        field = f"table[{_quoted(source.group)}]"
        field = f"pd.to_numeric({field})" if source.kind[0] == NUMBERS else field
        needed, lines = {"GroupShuffleSplit"}, [
            f"groups = {field}.factorize(use_na_sentinel=False)[0]",
            f"split = GroupShuffleSplit(1, test_size={HELD}, random_state=SEED)",
            "learned, held = next(split.split(labels, groups=groups))",
            "return np.sort(learned), np.sort(held)",
        ]  # fmt: skip
    else:
        by_class = strata(rows) is not None
        lone = by_class and bool((np.bincount(rows.labels) == 1).any())
        needed, lines = {"train_test_split"}, []
        if lone:
            alike = "strata = np.where(counts[labels] > 1, labels, counts.argmax())  # lone rows as the commonest"
            lines += ["counts = np.bincount(labels)", alike]
        by = f", stratify={'strata' if lone else 'labels'}" if by_class else ""
        how = f"test_size={HELD}, random_state=SEED{by}"
        lines.append(f"learned, held = train_test_split(np.arange(len(labels)), {how})")
        lines.append("return np.sort(learned), np.sort(held)")
    says = '    """Return which rows are learned from, and which are measured by."""'
    code = "\n".join(["def held_out(labels, table):", says, *(f"    {line}" for line in lines)])
    return _Split(needed, code)


def _main(rows: Rows, scoring: Scoring) -> str:
    lines = [
        'def main(new=None, out="predictions.csv"):',
        '    """Fit, and measure or predict."""',
        "    inputs, table, _ = read(DATA)",
        "    known = table[LABEL].notna()",
        "    inputs, table = inputs[known].reset_index(drop=True), table[known].reset_index(drop=True)",
    ]
    if rows.class_names and all(_is_number(name) for name in rows.class_names):
        lines += [
            "    numbers = [float(name) for name in CLASSES]",
            "    labels = pd.to_numeric(table[LABEL]).map(numbers.index).to_numpy()",
        ]
    elif rows.class_names:
        lines.append("    labels = table[LABEL].map(CLASSES.index).to_numpy()")
    else:
        lines.append("    labels = pd.to_numeric(table[LABEL]).to_numpy(float)")
    sign = "-" if scoring.name.startswith("neg_") else ""
    predictions = next(name for name in NAMES if name not in {column.source["name"] for column in rows.columns})
    lines += [
        "    if new is None:",
        "        learned, held = held_out(labels, table)",
        "        pipeline = build().fit(inputs.iloc[learned], labels[learned])",
        f"        score = {sign}get_scorer({_quoted(scoring.name)})(pipeline, inputs.iloc[held], labels[held])",
        f'        print(f"{scoring.words} of {{len(held)}} rows that it has not seen: {{score:.4f}}")',
        "        return",
        "    pipeline = build().fit(inputs, labels)",
        "    inputs, _, raw = read(new)",
        "    predicted = pipeline.predict(inputs)",
        f"    raw[{_quoted(predictions)}] = {'[CLASSES[k] for k in predicted]' if rows.class_names else 'predicted'}",
        "    raw.to_csv(out, index=False)",
        '    print(f"{len(raw)} predictions in {out}")',
    ]
    return "\n".join(lines)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
