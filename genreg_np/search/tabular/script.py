"""The script that a search creates: plain scikit-learn and pandas, to be read, changed and run without this package.

    python pipeline.py                            fits, and measures on the rows that the search held out
    python pipeline.py NEW.csv PREDICTIONS.csv    fits to all rows, and predicts those of another table

It reads a table as data/table.py does, as far as that table requires; the pipeline is exactly the one that the search
fitted (calls.py).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.data.columns import DATES, FLAGS, NUMBERS, WORDS
from genreg_np.data.rows import PACKED_SUFFIXES
from genreg_np.infer_table import FLAGS as SAID
from genreg_np.infer_table import MISSING
from genreg_np.search.genes import Genome
from genreg_np.search.tabular.apart import CENTURIES, OFFSETS, Apart
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
}  # attributes of dates in pandas
NAMES = ("prediction", "predicted", "prediction of the pipeline")  # of the column of predictions: the first unused one
LONGEST = 108  # characters per line
OFFSET = r"(:\d\d(?:\.\d+)?) ?(?:Z|[+-]\d\d:?\d\d)$"  # of a time zone, after a time
CENTURY = '''def century(found):
    """Return a date with its two-digit year expanded to four digits: 70 is 1970, 69 is 2069."""
    return found[1] + ("19" if int(found[2]) >= 70 else "20") + found[2]'''
TWO_DIGITS = r"^((?:\d{1,2}\W+\w+|[^\W\d]+\W+\d{1,2})\W+)(\d\d)(?!\d)"
ORDER = {"ymd": "yearfirst=True", "dmy": "dayfirst=True", "mdy": "dayfirst=False"}


@dataclass(frozen=True)
class Header:
    """How a table begins.

    Parameters
    ----------
    is_there : bool
    before : int
        Lines before the header, or before the first row if there is none: comments and empty lines.
    is_comment : bool
        Whether the header begins with #.
    has_gaps : bool
        Whether a column has no name.
    has_lines : bool
        Whether the header may span several lines.
    """

    is_there: bool
    before: int
    is_comment: bool = False
    has_gaps: bool = False
    has_lines: bool = False


@dataclass(frozen=True)
class Source:
    """Where a table comes from, and how its rows are kept apart.

    Parameters
    ----------
    path : str
    separator : str
        The character between fields.
    names : sequence of str
        The names of all columns.
    header : Header
    group, time : str, optional
        Columns that keep rows apart.
    apart : Apart or None
        What the given one of them contains.
    seed : int
    """

    path: str
    separator: str
    names: Sequence[str]
    header: Header
    group: str | None
    time: str | None
    apart: Apart | None
    seed: int

    def beside(self, folder: Path) -> Source:
        """Return the source with its path relative to a folder."""
        return dataclasses.replace(
            self, path=os.path.relpath(os.path.realpath(self.path), os.path.realpath(folder)).replace(os.sep, "/")
        )


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
        *([CENTURY] if CENTURIES in _ways(rows, source) else []),
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
    lines = ["import itertools"] if _looks_for_comments(source) else []
    return [*lines, "import sys", *(["from functools import partial"] if "functools" in names else [])]


def _listed(name: str, values: Sequence[Any] | Mapping[str, str]) -> str:
    """Return code that assigns a list or a dict to a name."""
    items, (begin, end) = [_quoted(value) for value in values], "[]"
    if isinstance(values, Mapping):
        items, (begin, end) = [f"{_quoted(key)}: {_quoted(value)}" for key, value in values.items()], "{}"
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
    lines = [f"DATA = Path(__file__).resolve().parent / {_quoted(source.path)}", f"LABEL = {_quoted(rows.label)}"]
    if rows.class_names:
        lines.append(_listed("CLASSES", rows.class_names))
    if rows.spellings:
        lines.append(_listed("SPELLINGS", rows.spellings))
    if not source.header.is_there:
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


def _looks_for_comments(source: Source) -> bool:
    """Return whether the script counts comment lines at the top: other tables may have more, or none."""
    header = source.header
    return bool(header.before) and not header.is_comment and not source.path.endswith(PACKED_SUFFIXES)


def _ways(rows: Rows, source: Source) -> set[str]:
    """Return how dates are written that pandas would read differently."""
    apart = [] if source.apart is None or source.time is None else [source.apart.ways]
    return {way for ways in (*(column.ways for column in rows.columns), *apart) for way in ways}


def _dates(field: str, order: str, ways: Set[str]) -> str:
    """Return the expression that reads the dates of a field."""
    offsets = f'.str.replace(r"{OFFSET}", r"\\1", regex=True)' if OFFSETS in ways else ""
    centuries = f'.str.replace(r"{TWO_DIGITS}", century, regex=True)' if CENTURIES in ways else ""
    return f'pd.to_datetime({field}{offsets}{centuries}, format="mixed", {ORDER[order]})'


def _read(rows: Rows, source: Source) -> str:
    """Return the function that reads a table."""
    header, looks = source.header, _looks_for_comments(source)
    blanks = source.separator == " "
    how = [] if source.separator == "," else [r'sep=r"\s+"' if blanks else f"sep={_quoted(source.separator)}"]
    how += [] if header.is_there else ["header=None"]
    how += [f"skiprows={'before' if looks else header.before}"] if header.before else []
    how += ["dtype=str", "keep_default_na=False", *([] if blanks else ["skipinitialspace=True"])]
    lines = [
        "def read(path):",
        '    """Return the inputs, the table with blanks stripped and missing values as NaN, and the raw table."""',
    ]
    if looks:
        lines += [
            '    with open(path, encoding="utf-8-sig") as file:',
            '        comments = itertools.takewhile(lambda line: line.startswith("#") or not line.strip(), file)',
            "        before = sum(1 for _ in comments)",
        ]
    lines.append(f"    raw = pd.read_csv(path, {', '.join(how)})")
    if not header.is_there:
        lines.append(
            "    raw.columns = NAMES if raw.shape[1] == len(NAMES) else [name for name in NAMES if name != LABEL]"
        )
    if header.is_comment:
        lines.append('    raw.columns = raw.columns.str.replace(r"^[# ]+(?=[^# ])", "", regex=True)')
    if header.has_lines:
        lines.append('    raw.columns = raw.columns.str.replace(r"\\s*\\n\\s*", " ", regex=True)')
    if header.has_gaps:
        lines += [
            '    names = [f"column {k}" if name.startswith("Unnamed: ") else name for k, name in enumerate(raw, 1)]',
            "    raw.columns = names",
        ]
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
                lines.append(f"    times = {_dates(field, own['order'], column.ways)}.dt")
            lines.append(f"    inputs[{name}] = (times.{PARTS[column.part]}).astype(float)")
        elif own["kind"] == FLAGS:
            whole = '.str.replace(r"^([01])\\.0*$", r"\\1", regex=True)'
            lines.append(f"    inputs[{name}] = {field}.str.lower(){whole}.map(FLAGS)")
        elif own["kind"] == NUMBERS:
            lines += [] if plain == numbers and len(plain) > 1 else [f"    inputs[{name}] = pd.to_numeric({field})"]
        elif own["kind"] == WORDS:
            has_whole = any(word.lstrip("+-").isdigit() for word in own["words"])
            same = '.str.replace(r"^([+-]?[0-9]+)\\.0*$", r"\\1", regex=True)' if has_whole else ""
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
    """Return the function that holds out the same rows as the search, and its imports."""
    if source.time is not None:
        assert source.apart is not None
        field, apart = f"table[{_quoted(source.time)}]", source.apart
        if apart.kind == DATES:
            field = _dates(field, apart.described["order"], apart.ways)
        needed, lines = set(), [
            f"order = np.argsort({f'pd.to_numeric({field})' if apart.kind == NUMBERS else field}, kind=\"stable\")",
            "order = order.to_numpy()",
            f"first = len(labels) - max(1, round({HELD} * len(labels)))",
            "return order[:first], order[first:]",
        ]  # fmt: skip
    elif source.group is not None:
        field = f"table[{_quoted(source.group)}]"
        field = f"pd.to_numeric({field})" if source.apart is not None and source.apart.kind == NUMBERS else field
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
            alike = "strata = np.where(counts[labels] > 1, labels, counts.argmax())  # single rows join the most common"
            lines += ["counts = np.bincount(labels)", alike]
        by = f", stratify={'strata' if lone else 'labels'}" if by_class else ""
        how = f"test_size={HELD}, random_state=SEED{by}"
        lines.append(f"learned, held = train_test_split(np.arange(len(labels)), {how})")
        lines.append("return np.sort(learned), np.sort(held)")
    says = '    """Return the indices of rows to fit to, and of held-out rows."""'
    code = "\n".join(["def held_out(labels, table):", says, *(f"    {line}" for line in lines)])
    return _Split(needed, code)


def _main(rows: Rows, scoring: Scoring) -> str:
    lines = [
        'def main(new=None, out="predictions.csv"):',
        '    """Fit, then measure or predict."""',
        "    inputs, table, _ = read(DATA)",
        "    known = table[LABEL].notna()",
        "    inputs, table = inputs[known].reset_index(drop=True), table[known].reset_index(drop=True)",
    ]
    if rows.class_names:
        spelled = ".map(lambda label: SPELLINGS.get(label, label))" if rows.spellings else ""
        lines.append(f"    labels = table[LABEL]{spelled}.map(CLASSES.index).to_numpy()")
    else:
        lines.append("    labels = pd.to_numeric(table[LABEL]).to_numpy(float)")
    sign = "-" if scoring.name.startswith("neg_") else ""
    lines += [
        "    if new is None:",
        "        learned, held = held_out(labels, table)",
        "        pipeline = build().fit(inputs.iloc[learned], labels[learned])",
        f"        score = {sign}get_scorer({_quoted(scoring.name)})(pipeline, inputs.iloc[held], labels[held])",
        f'        print(f"{scoring.words} on {{len(held)}} unseen rows: {{score:.4f}}")',
        "        return",
        "    pipeline = build().fit(inputs, labels)",
        "    inputs, _, raw = read(new)",
        "    predicted = pipeline.predict(inputs)",
        f"    name = next(name for name in {NAMES!r} if name not in raw)".replace("'", '"'),
        f"    raw[name] = {'[CLASSES[k] for k in predicted]' if rows.class_names else 'predicted'}",
        "    raw.to_csv(out, index=False)",
        '    print(f"{len(raw)} predictions in {out}")',
    ]
    return "\n".join(lines)
