"""Rows of a table in C, ONNX and a page: raw fields in, what Python predicts out, on every row."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.export import files_of
from genreg_np.export.quantise import quantise
from genreg_np.infer import ModelError
from genreg_np.infer_table import Fields, inputs_of, is_missing, number_of, read_rows
from genreg_np.layers.table import Columns
from genreg_np.model import Model, Network
from tests.export.conftest import Visit
from tests.helpers import PATIENCE
from tests.test_infer_table import COLUMNS, ROWS, row_model

MODEL = row_model()
MORE = [
    ["Dream", "12.25", "no", "3.3.2011"],
    ["dream", "-0.5", "t", "30.12.1999"],
    ["Biscoe", "", "", ""],
    ["?", "1e-3", "F", "1.1.2000"],
]
RAW = [*ROWS[:3], *MORE]  # of the last of ROWS the space around a word is Python's to take away
NUMBERS = read_rows(COLUMNS, RAW)
EXPECTED = MODEL.outputs(NUMBERS)


TEXTS = (
    *("3", "3.0", "3.", "3.00", "+3", "-2.0", "-2", "30", "3.5", "abc", "ab", "abcd", "ABC", "abc.0", ".0", "."),
    *("", "NA", "na", "n/a", "?", "-", "NULL", "None", "nan", "NaN", "<NA>", "NaT", "nah", "#N/A"),
    *("yes", "YES", "Yes", "no", "f", "T", "1", "0", "7", "1e2", "12.5"),
    *("1.", "1.0", "1.00", "1.000000", "0.0", "+1", "-0", "01", "1e0", "1.0000000001", "3.000", "3.000000"),
    *("0x10", "0X1p3", "0b1", "inf", "-inf", "Infinity", "-nan", "nan(1)", "1e", "1e+", "e5", "1e5.0", "1_0", "1,5"),
    *("--1", "+-1", "1..2", "1.2.3", "1f", "3.4e38", "3.41e38", "1e400", "-1e400", "1e-400", "0e999", "1E-5", "1e+05"),
)
USUAL = {  # spellings by the column of KINDS
    "words": ("3", "3.0", "3.", "3.000000", "-2.0", "abc", "other", "", "NA", "na", "NaN", "None", "NULL", "?", "-"),
    "flags": ("yes", "NO", "True", "f", "T", "1", "0", "1.0", "0.0", "1.", "1.00", "0.000000", "", "NA", "NaN", "nan"),
}
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
KINDS = [
    {"name": "words", "kind": "words", "words": ["-2", "3", "abc"]},
    {"name": "rare", "kind": "words", "words": []},
    {"name": "flags", "kind": "flags"},
    {"name": "numbers", "kind": "numbers"},
]


def of_kinds() -> Model:
    """Return a model of a column of each kind."""
    values = np.zeros((4, 4), np.float32)
    columns = Columns.fit(KINDS, values)
    network = Network.build((4,), (), 2, "tanh", (columns,))
    names = tuple(str(column["name"]) for column in KINDS)
    return Model.build(
        network, np.ones(network.gene_count, np.float32), ("a", "b"), None, feature_names=names, columns=KINDS
    )


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_every_text_is_the_same_in_c(tmp_path: Path) -> None:
    """Words that are whole numbers, all ways to say nothing, what is no word, no flag and no number."""
    for name, content in files_of(of_kinds(), "c").items():
        (tmp_path / name).write_bytes(content)
    printed = "".join(
        f'printf("%g %d\\n", (double)model_field({place}, "{text}"), model_is_missing("{text}"));\n'
        for place in range(len(KINDS))
        for text in TEXTS
    )
    (tmp_path / "driver.c").write_text(f'#include "model.h"\n#include <stdio.h>\nint main(void) {{\n{printed}}}\n')
    subprocess.run(["gcc", *STRICT, "model.c", "driver.c", "-o", "driver", "-lm"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "driver"], capture_output=True, text=True, check=True, timeout=PATIENCE)
    lines = iter(done.stdout.splitlines())
    for column in KINDS:
        read = Fields(column)
        for text in TEXTS:
            value, missing = next(lines).split()
            try:
                (expected,) = read(text)
            except ModelError:
                expected = math.nan
            assert float(value) == pytest.approx(expected, nan_ok=True), (column["name"], text)
            assert bool(int(missing)) is is_missing(text), text


NUMBER_DRIVER = """
#include "model.h"
#include <locale.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
    char line[256], half[8];
    if (argc > 1 && setlocale(LC_ALL, argv[1]) == NULL)
        return 2;
    while (fgets(line, sizeof line, stdin)) {
        unsigned bits;
        line[strcspn(line, "\\n")] = 0;
        const float value = model_field(3, line);
        memcpy(&bits, &value, sizeof bits);
        printf("%08x\\n", bits);
    }
    sprintf(half, "%.1f", 0.5);
    return argc > 1 && half[1] != ',';
}
"""


def numbers_in_c(folder: Path, texts: list[str], *options: str, **environment: str) -> np.ndarray:
    """Return what C makes of texts in the column of numbers, (n,) float32."""
    for name, content in files_of(of_kinds(), "c").items():
        (folder / name).write_bytes(content)
    (folder / "driver.c").write_text(NUMBER_DRIVER)
    subprocess.run(["gcc", *STRICT, "model.c", "driver.c", "-o", "driver", "-lm"], cwd=folder, check=True)
    done = subprocess.run(
        [folder / "driver", *options],
        input="\n".join(texts) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
        env={"PATH": "", **environment},
    )
    return np.array([int(line, 16) for line in done.stdout.split()], np.uint32).view(np.float32)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_numbers_are_the_same_in_c_to_the_bit(tmp_path: Path) -> None:
    """Up to fifteen digits, and powers of ten that a double holds; others to the last bit or the one before."""
    draw = random.Random(0)
    texts = ["0.1", "16777217", "-0.3", "123456.789012345", "5e-1", ".000001"]
    for _ in range(400):
        digits = str(draw.randrange(10 ** draw.randint(1, 15)))
        point = draw.randint(0, len(digits))
        texts.append(f"{draw.choice(['', '-', '+'])}{digits[:point]}.{digits[point:]}e{draw.randint(-7, 20)}")
    longer = [f"{draw.random() * 10.0 ** draw.randint(-44, 38):.17g}" for _ in range(300)]
    found = numbers_in_c(tmp_path, texts + longer)
    expected = np.array([number_of(text) for text in texts + longer]).astype(np.float32)
    assert found[: len(texts)].tobytes() == expected[: len(texts)].tobytes()
    apart = np.abs(found.view(np.int32).astype(np.int64) - expected.view(np.int32))
    assert apart.max() <= 1


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_numbers_in_c_have_a_point_in_every_locale(tmp_path: Path) -> None:
    """Also in a program that has set one in which a comma is printed."""
    if shutil.which("localedef") is None:
        pytest.skip("needs localedef")
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], check=False)
    if made.returncode:
        pytest.skip("needs the description of the locale de_DE")
    found = numbers_in_c(tmp_path, ["1.5", "-2.25e1", "1,5"], "de_DE.UTF-8", LOCPATH=str(tmp_path))
    np.testing.assert_array_equal(found, np.float32([1.5, -22.5, np.nan]))


def test_onnx_knows_the_usual_spellings() -> None:
    """Also those in which programs write whole numbers and flags; what it cannot know is on the page on exports."""
    onnxruntime = pytest.importorskip("onnxruntime")
    model = of_kinds()
    session = onnxruntime.InferenceSession(files_of(model, "onnx")["model.onnx"])
    for name, texts in USUAL.items():
        place = [column["name"] for column in KINDS].index(name)
        rows = [[text if k == place else "0" for k in range(len(KINDS))] for text in texts]
        feed = {
            str(column["name"]): np.array(
                [row[k] for row in rows], np.float32 if column["kind"] == "numbers" else object
            )[:, None]
            for k, column in enumerate(KINDS)
        }
        np.testing.assert_allclose(session.run(["logits"], feed)[0], model.outputs(rows), rtol=1e-6)


def test_an_output_of_onnx_is_no_columns_name() -> None:
    """Or the graph would have the name twice."""
    columns = [{"name": "logits", "kind": "words", "words": ["x"]}]
    network = Network.build((1,), (), 2, "tanh", (Columns.fit(columns, np.zeros((4, 1), np.float32)),))
    genes = np.ones(network.gene_count, np.float32)
    model = Model.build(network, genes, ("a", "b"), None, feature_names=("logits",), columns=columns)
    with pytest.raises(UsageError, match="an input is called 'logits'"):
        files_of(model, "onnx")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_program_in_c_reads_a_raw_row(tmp_path: Path) -> None:
    """By field, with dates as their parts; words and flags by their text; missing ones empty."""
    for name, content in files_of(MODEL, "c").items():
        (tmp_path / name).write_bytes(content)
    driver = """
#include "model.h"
#include <stdio.h>
#include <string.h>
int main(void) {
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        float features[MODEL_INPUTS], logits[MODEL_CLASSES];
        char *field = line;
        line[strcspn(line, "\\n")] = 0;
        for (int i = 0; i < MODEL_INPUTS; i++) {
            char *end = field + strcspn(field, ",");
            const int last = *end == 0;
            *end = 0;
            features[i] = model_field(i, field);
            field = last ? end : end + 1;
        }
        if (model_logits(features, logits) != 0) return 1;
        for (int k = 0; k < MODEL_CLASSES; k++) printf("%.9g ", (double)logits[k]);
        printf("%d\\n", model_predict(features));
    }
    return 0;
}
"""
    (tmp_path / "driver.c").write_text(driver)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror"]
    for program, source in (("driver", "driver.c"), ("main", "main.c")):
        command = ["gcc", *flags, "model.c", source, "-o", program, "-lm"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=PATIENCE)
    lines = []
    for row, numbers in zip(RAW, NUMBERS, strict=True):
        parts = ["" if math.isnan(value) else f"{value:g}" for value in numbers[3:]]
        lines.append(",".join([*row[:3], *parts]))
    done = subprocess.run(
        [tmp_path / "driver"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    found = np.array([list(map(float, line.split())) for line in done.stdout.splitlines()])
    np.testing.assert_allclose(found[:, :-1], EXPECTED, rtol=0, atol=2e-5 * np.abs(EXPECTED).max())
    assert found[:, -1].astype(int).tolist() == EXPECTED.argmax(axis=1).tolist()
    one = subprocess.run([tmp_path / "main"], input=lines[0], capture_output=True, text=True, timeout=PATIENCE)
    assert one.stdout.strip() == MODEL.class_names[int(EXPECTED[0].argmax())]
    assert subprocess.run([tmp_path / "main", "--check"], timeout=PATIENCE, check=False).returncode == 0
    wrong = subprocess.run(
        [tmp_path / "main"], input="Dream,x,yes,1,2", capture_output=True, text=True, timeout=PATIENCE
    )
    assert wrong.returncode == 1
    assert "needs a row of 5 fields" in wrong.stderr
    assert (
        "in the order of the inputs, in quotes if they have a comma (a date is 2 fields: month, weekday)"
        in wrong.stderr
    )


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_words_with_commas_are_read_in_quotes(tmp_path: Path) -> None:
    """As in a CSV file, in which "" stands for a quote; a quote that is not closed is no row."""
    words = ["Bonn", "New York, NY", 'the "Big", one']
    described = [{"name": "city", "kind": "words", "words": words}, {"name": "size", "kind": "numbers"}]
    columns = Columns.fit(described, np.array([[0, 1], [1, 2], [2, 3], [3, 4]] * 3, np.float32))
    network = Network.build((2,), (), 4, "tanh", (columns,))
    genes = np.random.default_rng(3).normal(size=network.gene_count).astype(np.float32)
    model = Model.build(network, genes, tuple("abcd"), None, feature_names=("city", "size"), columns=described)
    for name, content in files_of(model, "c").items():
        (tmp_path / name).write_bytes(content)
    subprocess.run(["gcc", *STRICT, "model.c", "main.c", "-o", "main", "-lm"], cwd=tmp_path, check=True)

    def answer(line: str) -> str:
        done = subprocess.run([tmp_path / "main"], input=line, capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()

    lines = {'Bonn,"0"': "Bonn", '"Bonn",0': "Bonn", '"New York, NY",0': words[1], '"the ""Big"", one",0': words[2]}
    expected = [model.class_names[int(model.predict([[word, "0"]])[0])] for word in lines.values()]
    assert len(set(expected)) > 2
    assert [answer(line) for line in lines] == expected
    for line in ('"New York, NY,2', '"Bonn"x,2', "New York, NY,2", '"Bonn,2"', '"Bonn"'):
        assert "needs a row of 2 fields" in answer(line)


def test_onnx_has_an_input_for_each_column() -> None:
    """Text of words and flags, floats of all others; NaN and empty fields are missing."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(files_of(MODEL, "onnx")["model.onnx"])
    feed: dict[str, np.ndarray] = {}
    place = 0
    for number, column in enumerate(COLUMNS):
        for name in inputs_of(column):
            texts = np.array([row[number] for row in RAW], object)[:, None]
            feed[name] = texts if column["kind"] in ("words", "flags") else NUMBERS[:, place : place + 1]
            place += 1
    assert {one.name for one in session.get_inputs()} == set(feed)
    logits, labels = session.run(["logits", "label"], feed)
    np.testing.assert_allclose(logits, EXPECTED, rtol=0, atol=2e-5 * np.abs(EXPECTED).max())
    assert labels.tolist() == EXPECTED.argmax(axis=1).tolist()


def test_a_page_has_a_field_for_each_column(visit: Visit) -> None:
    """Choices of words, yes and no; numbers and dates; an empty field is missing. What is typed is answered."""
    browser = visit(MODEL)
    rows = json.dumps(NUMBERS.tolist())
    found = np.array(browser.run(f"{rows}.map((row) => Array.from(network.outputs(network.prepare(row))))"))
    np.testing.assert_allclose(found, EXPECTED, rtol=0, atol=2e-6 * np.abs(EXPECTED).max())
    kinds = browser.run("Array.from(document.querySelectorAll('#fields select, #fields input')).map((f) => f.type)")
    assert kinds == ["select-one", "number", "select-one", "date"]
    typed = """
    const fields = Array.from(document.querySelectorAll('#fields select, #fields input'));
    [['1'], ['39.5'], ['1'], ['2007-12-24']].forEach(([value], index) => { fields[index].value = value; });
    element('fields').dispatchEvent(new Event('input'));
    """
    browser.run(f"{{{typed}}} 0")
    assert browser.text("#best") == MODEL.class_names[int(EXPECTED[0].argmax())]
    browser.run("document.querySelectorAll('#fields input')[0].value = ''; 0")
    browser.run("element('fields').dispatchEvent(new Event('input')); 0")
    assert browser.text("#notice") == ""


def test_python_alone_predicts_from_a_raw_row(tmp_path: Path) -> None:
    """infer.py with infer_table.py at its end."""
    for name, content in files_of(MODEL, "python").items():
        (tmp_path / name).write_bytes(content)
    code = f"import infer; print(infer.load('model.npz').predict({RAW!r}).tolist())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=PATIENCE,
        env={"PATH": ""},
    )  # fmt: skip
    assert json.loads(done.stdout) == EXPECTED.argmax(axis=1).tolist()


def test_integers_take_no_rows() -> None:
    with pytest.raises(UsageError, match="columns"):
        quantise(MODEL, NUMBERS)


def test_the_header_says_what_each_number_stands_for() -> None:
    """Places of words, yes and no; of a date which day a week begins with, and how an hour and a half is written."""
    header = files_of(MODEL, "c")["model.h"].decode("ascii")
    for column in COLUMNS:
        for part in column.get("parts", ()):
            said = {"weekday": ": 0 Monday .. 6 Sunday", "hour": ": 14.5 is 14:30"}.get(part, "")
            assert f'"{column["name"]} {part}"{said}\n' in header
    assert ": 1 yes, 0 no\n" in header
