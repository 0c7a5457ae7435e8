"""The script that a search creates: plain scikit-learn and pandas, to be read, changed and run without this package.

    python pipeline.py                            fits, and measures on the rows that the search held out
    python pipeline.py NEW.csv PREDICTIONS.csv    fits to all rows, and predicts those of another table

It reads a table as data/table.py does, as far as that table requires; the pipeline is exactly the one that the search
fitted (calls.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genreg_np.data.columns import DATES, FLAGS, NUMBERS, WORDS
from genreg_np.infer_table import FLAGS as SAID
from genreg_np.infer_table import MISSING
from genreg_np.search.genes import Genome
from genreg_np.search.tabular.building import pipeline_of
from genreg_np.search.tabular.folds import HELD, strata
from genreg_np.search.tabular.rows import TEXT, Rows
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.script_reading import (
    Source,
    dates_in,
    helpers,
    is_of,
    looks_for_comments,
    needed,
    quoted,
    reader,
)

NAMES = ("prediction", "predicted", "prediction of the pipeline")  # of the column of predictions: the first unused one
LONGEST = 108  # characters per line
START = """if __name__ == "__main__":
    if {"-h", "--help"} & {*sys.argv}:
        print(__doc__.strip())
    elif len(sys.argv) > 3:
        sys.exit("usage: python pipeline.py [NEW.csv [PREDICTIONS.csv]]")
    else:
        main(*sys.argv[1:])"""


def script_of(genome: Genome, rows: Rows, source: Source, scoring: Scoring, said: Sequence[str]) -> str:
    """Return the program for a genome.

    Parameters
    ----------
    genome : mapping
        Of a scikit-learn pipeline.
    rows : Rows
        The whole table.
    source : Source
    scoring : Scoring
    said : sequence of str
        Lines for the program's docstring.
    """
    pipeline = pipeline_of(genome, rows.layout, rows.traits, scoring.by_probabilities)
    imports = pipeline.imports()
    imports.setdefault("sklearn.metrics", set()).add("get_scorer")
    split = _split(rows, source)
    if split.imports:
        imports.setdefault("sklearn.model_selection", set()).update(split.imports)
    sections = [
        _head(said),
        "\n".join([*_standard(imports, source), "from pathlib import Path"]),
        "\n".join(["import numpy as np", "import pandas as pd", *_imports(imports)]),
        _constants(rows, source),
        *helpers(rows, source),
        reader(rows, source),
        f'def build():\n    """Return the pipeline, not fitted."""\n    return {pipeline.written(4)}',
        split.code,
        _main(rows, source, scoring),
        START,
    ]
    head, standard, third, constants, *functions = sections
    return "\n\n".join([head, standard, third, constants]) + "\n\n\n" + "\n\n\n".join(functions) + "\n"


def _head(said: Sequence[str]) -> str:
    lines = [
        *said,
        "",
        "    python pipeline.py                            fit, and measure on the held-out rows",
        "    python pipeline.py NEW.csv PREDICTIONS.csv    fit to all rows, and predict those of another table",
        "",
        "Needs scikit-learn and pandas.",
    ]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}\n"""'


def _imports(names: Mapping[str, set[str]]) -> list[str]:
    plain = {module: some for module, some in names.items() if module != "functools"}
    return [f"from {module} import {', '.join(sorted(some))}" for module, some in sorted(plain.items())]


def _standard(names: Mapping[str, set[str]], source: Source) -> list[str]:
    """Return the imports from the standard library, except Path."""
    lines = ["import csv"] if source.separator == " " else []
    lines += ["import itertools"] if looks_for_comments(source) else []
    return [*lines, "import sys", *(["from functools import partial"] if "functools" in names else [])]


def _listed(name: str, values: Sequence[Any] | Mapping[str, str]) -> str:
    """Return code that assigns a list or a dict to a name."""
    items, (begin, end) = [quoted(value) for value in values], "[]"
    if isinstance(values, Mapping):
        items, (begin, end) = [f"{quoted(key)}: {quoted(value)}" for key, value in values.items()], "{}"
    if len(text := ", ".join(items)) < 100:
        return f"{name} = {begin}{text}{end}"
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) > LONGEST:
            lines.append("")
        lines[-1] += f" {item}," if lines[-1] else f"    {item},"
    return "\n".join([f"{name} = {begin}", *lines, end])


def _constants(rows: Rows, source: Source) -> str:
    kinds = {kind: [one.name for one in rows.columns if one.kind == kind] for kind in (NUMBERS, WORDS, TEXT)}
    lines = [f"DATA = Path(__file__).resolve().parent / {quoted(source.path)}", f"LABEL = {quoted(rows.label)}"]
    lines.append(f"SEPARATOR = {quoted(source.separator)}")
    if rows.class_names:
        lines.append(_listed("CLASSES", rows.class_names))
    if rows.spellings:
        lines.append(_listed("SPELLINGS", rows.spellings))
    if not source.header.is_there:
        lines.append(_listed("NAMES", source.names))
    for name, kind in (("NUMBERS", NUMBERS), ("WORDS", WORDS), ("TEXTS", TEXT)):
        if kinds[kind]:
            lines.append(_listed(name, kinds[kind]))
    lines += [f"COLUMNS = {needed(rows)}", _listed("MISSING", sorted(MISSING))]
    if any(is_of(one, FLAGS) for one in rows.columns):
        lines.append(f"FLAGS = {json.dumps({text: int(value) for text, value in SAID.items()})}")
    lines.append(f"SEED = {source.seed}")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Split:
    imports: set[str]
    code: str


def _split(rows: Rows, source: Source) -> _Split:
    """Return the function that holds out the same rows as the search, and its imports."""
    if source.time is not None:
        assert source.apart is not None
        field, apart = f"table[{quoted(source.time)}]", source.apart
        imports, lines = set[str](), []
        if apart.kind == DATES:
            read, field = dates_in("DATA", field, apart.described["order"], apart)
            lines.append(f"days = {read}")
        lines += [
            f'order = np.argsort({f"numbers(DATA, {field})" if apart.kind == NUMBERS else field}, kind="stable")',
            "order = order.to_numpy()",
            f"first = len(labels) - max(1, round({HELD} * len(labels)))",
            "return order[:first], order[first:]",
        ]
    elif source.group is not None:
        field = f"table[{quoted(source.group)}]"
        field = f"numbers(DATA, {field})" if source.apart is not None and source.apart.kind == NUMBERS else field
        imports, lines = {"GroupShuffleSplit"}, [
            f"groups = {field}.factorize(use_na_sentinel=False)[0]",
            f"split = GroupShuffleSplit(1, test_size={HELD}, random_state=SEED)",
            "learned, held = next(split.split(labels, groups=groups))",
            "return np.sort(learned), np.sort(held)",
        ]  # fmt: skip
    else:
        by_class = strata(rows) is not None
        lone = by_class and bool((np.bincount(rows.labels) == 1).any())
        imports, lines = {"train_test_split"}, []
        if lone:
            alike = "strata = np.where(counts[labels] > 1, labels, counts.argmax())  # single rows join the most common"
            lines += ["counts = np.bincount(labels)", alike]
        by = f", stratify={'strata' if lone else 'labels'}" if by_class else ""
        how = f"test_size={HELD}, random_state=SEED{by}"
        lines.append(f"learned, held = train_test_split(np.arange(len(labels)), {how})")
        lines.append("return np.sort(learned), np.sort(held)")
    says = '    """Return the indices of rows to fit to, and of held-out rows."""'
    code = "\n".join(["def held_out(labels, table):", says, *(f"    {line}" for line in lines)])
    return _Split(imports, code)


def _main(rows: Rows, source: Source, scoring: Scoring) -> str:
    also = ", ".join(["LABEL", *(quoted(name) for name in (source.group, source.time) if name is not None)])
    lines = [
        'def main(new=None, out="predictions.csv"):',
        '    """Fit, then measure or predict."""',
        f"    inputs, table, _ = read(DATA, [*COLUMNS, {also}])",
        "    known = table[LABEL].notna()",
        "    inputs, table = inputs[known], table[known]",
    ]
    if rows.class_names:
        spelled = ".map(lambda label: SPELLINGS.get(label, label))" if rows.spellings else ""
        lines += [
            f"    labels = table[LABEL]{spelled}.map({{name: k for k, name in enumerate(CLASSES)}})",
            '    labels = checked(DATA, table[LABEL], labels, "one of CLASSES").to_numpy()',
        ]
    else:
        lines.append("    labels = numbers(DATA, table[LABEL]).to_numpy(float)")
    sign = "-" if scoring.name.startswith("neg_") else ""
    how = ["sep=SEPARATOR", "index=False"]
    how += [] if source.header.is_there else ["header=False"]
    how += ["quoting=csv.QUOTE_ALL"] if source.separator == " " else []  # or an empty field would be lost
    lines += [
        "    if new is None:",
        "        learned, held = held_out(labels, table)",
        "        pipeline = build().fit(inputs.iloc[learned], labels[learned])",
        f"        score = {sign}get_scorer({quoted(scoring.name)})(pipeline, inputs.iloc[held], labels[held])",
        f'        print(f"{scoring.words} on {{len(held)}} unseen rows: {{score:.4f}}")',
        "        return",
        "    others, _, raw = read(new)",
        "    used = [path for path in (new, DATA, __file__) if Path(path).exists()]",
        "    if Path(out).exists() and any(Path(out).samefile(path) for path in used):",
        '        sys.exit(f"{out}: is read here, and would be lost: name another file")',
        "    predicted = build().fit(inputs, labels).predict(others)",
        f"    name = next(name for name in {NAMES!r} if name not in raw)".replace("'", '"'),
        f"    raw[name] = {'[CLASSES[k] for k in predicted]' if rows.class_names else 'predicted'}",
        "    try:",
        f"        raw.to_csv(out, {', '.join(how)})",
        "    except OSError as error:",
        '        sys.exit(f"{out}: {error.strerror or error}: name another file")',
        """    print(f"{len(raw)} prediction{'s' * (len(raw) != 1)} in {out}")""",
    ]
    return "\n".join(lines)
