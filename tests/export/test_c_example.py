"""The example beside exported C: it reads images and numbers, prints names of any script, refuses in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np.layers.description import parse
from genreg_np.layers.recurrent import Elman
from genreg_np.model import Dense, Model, Network
from tests import zoo
from tests.export.c_build import GCC, compiled, ran, write
from tests.helpers import model_of, one_line

NAMES = ["7", 'a "b"', "back\\slash", "??/ ??= ?", "naïve 日本 🙂", "two\nlines\t%d", "", "*/ //", "\u202e\x7f1"]


def test_class_names_come_through(tmp_path: Path) -> None:
    """Quotes, trigraphs, any script: the example prints the UTF-8 of the name."""
    network = Network.build((1,), (), len(NAMES))
    for number, name in enumerate(NAMES):
        genes = np.zeros(network.gene_count, np.float32)
        genes[len(NAMES) + number] = 1
        write(Model.build(network, genes, tuple(NAMES), None), tmp_path)
        compiled(GCC.need(), tmp_path, "model.c", "main.c", "-o", "example")
        assert ran(GCC, tmp_path, "example", given=b"0.5") == (0, f"{name}\n".encode(), "")


def example(model: Model, folder: Path) -> Path:
    """Compile a model with its example."""
    write(model, folder, "digits")
    compiled(GCC.need(), folder, "digits.c", "main.c", "-o", "example", "-lm")
    return folder


def test_the_example_reads_images(tmp_path: Path) -> None:
    """Raw bytes and PGM, from a file and from stdin, give the class that infer.py gives."""
    exhibit = zoo.exhibit_of("int8, relu")
    folder = example(exhibit.model, tmp_path)
    for image in exhibit.inputs[:4]:
        expected = (0, f"{exhibit.model.top(image, 1)[0][0][0]}\n".encode(), "")
        pixels = image.tobytes()
        (folder / "image").write_bytes(pixels)
        assert ran(GCC, folder, "example", "image") == ran(GCC, folder, "example", given=pixels) == expected
        for head in (b"P5 10 10 255\n", b"P5\n# 10 20\n10\t10 # x\n255 "):
            assert ran(GCC, folder, "example", given=head + pixels) == expected


def test_the_example_reads_colours(tmp_path: Path) -> None:
    """A model of colours takes them one after another, as the header says; a PPM file has them side by side."""
    network = Network((3, 4, 5), parse("conv 4 2 stride 2 / tanh / dense 3", (3, 4, 5)))
    folder = example(model := model_of(network), tmp_path)
    header = (folder / "digits.h").read_text()
    assert "60 numbers (3 x 4 x 5, channel after channel, each row by row), 0 .. 255" in header
    assert "#define DIGITS_CHANNELS 3\n#define DIGITS_HEIGHT 4\n#define DIGITS_WIDTH 5\n" in header
    images = np.random.default_rng(3).integers(0, 256, (12, 3, 4, 5), np.uint8)
    answers = [model.class_names[label] for label in model.predict(images)]
    assert len(set(answers)) > 1
    for image, answer in zip(images, answers, strict=True):
        side_by_side = b"P6 5 4 255\n" + image.transpose(1, 2, 0).tobytes()
        for given in (image.tobytes(), side_by_side):
            assert ran(GCC, folder, "example", given=given) == (0, f"{answer}\n".encode(), "")
    status, _, error = ran(GCC, folder, "example", given=b"P5 5 12 255\n" + bytes(60))
    assert (status, error.count("\n")) == (1, 1)
    assert "60 bytes, channel after channel, each row by row, or a PPM file (P6) of 5 x 4 pixels up to 255" in error


def test_the_example_of_one_channel_reads_images(tmp_path: Path) -> None:
    """Maps (1, H, W) are grey pictures, with the channel or without; two channels are bytes alone."""
    for channels, words in (
        (1, "12 bytes, or a PGM file (P5) of 4 x 3 pixels"),
        (2, "24 bytes, 0 .. 255, channel after"),
    ):
        shape = (channels, 3, 4)
        model = model_of(Network(shape, parse("conv 2 2 / dense 3", shape)))
        folder = example(model, tmp_path)
        image = np.arange(12 * channels, dtype=np.uint8).reshape(shape) * 10
        expected = (0, f"{model.top(image, 1)[0][0][0]}\n".encode(), "")
        for head in (b"", b"P5 4 3 255\n")[: 3 - channels]:
            assert ran(GCC, folder, "example", given=head + image.tobytes()) == expected
        assert words in ran(GCC, folder, "example", given=b"")[2]


def test_the_example_reads_numbers(tmp_path: Path) -> None:
    """Features as text; values are printed one a line."""
    model = zoo.exhibit_of("values, not classes").model
    status, printed, _ = ran(GCC, example(model, tmp_path), "example", given=b"1 0\n 0.0e3\n")
    assert status == 0
    assert np.allclose(np.float64(printed.split()), model.outputs(np.eye(3)[:1])[0], rtol=1e-6)


BAD: dict[str, tuple[str, bytes, str]] = {
    "short image": ("dense, relu", b"x" * 99, "stdin: needs 100 bytes, or a PGM file (P5) of 10 x 10 pixels up to 255"),
    "long image": ("dense, relu", b"x" * 101, "needs 100 bytes"),
    "nothing": ("dense, relu", b"", "needs 100 bytes"),
    "a large file": ("dense, relu", b"P5" * 9999, "needs 100 bytes"),
    "PGM of another size": ("dense, relu", b"P5 10 11 255\n" + b"x" * 110, "needs 100 bytes"),
    "PGM of another range": ("dense, relu", b"P5 10 10 15\n" + b"x" * 100, "needs 100 bytes"),
    "PGM cut short": ("dense, relu", b"P5 10 10 255\n" + b"x" * 99, "needs 100 bytes"),
    "PGM of a colour": ("dense, relu", b"P6 10 10 255\n" + b"x" * 300, "needs 100 bytes"),
    "too bright": ("raw values 0 to 16", b"\x11" * 16, "stdin: a value is not in 0 .. 16"),
    "too few numbers": ("values, not classes", b"1 2", "stdin: needs 3 numbers as text"),
    "too many numbers": ("values, not classes", b"1 2 3 4", "needs 3 numbers"),
    "words": ("values, not classes", b"1 2 three", "needs 3 numbers"),
    "NaN": ("values, not classes", b"1 2 nan", "stdin: a value is infinite or not a number"),
    "infinity": ("values, not classes", b"1 2 1e39", "a value is infinite or not a number"),
    "infinity for integers": ("int8, values", b"1 2 -inf", "a value is infinite or not a number"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_the_example_refuses_in_one_line(name: str, tmp_path: Path) -> None:
    """Nothing on stdout, what is wrong on stderr."""
    exhibit, text, words = BAD[name]
    status, printed, error = ran(GCC, example(zoo.exhibit_of(exhibit).model, tmp_path), "example", given=text)
    assert (status, printed) == (1, b"")
    assert words in one_line(error.removesuffix("\n"))


def test_a_file_may_have_the_name_of_the_option(tmp_path: Path) -> None:
    """By another path: --check alone runs the test."""
    exhibit = zoo.exhibit_of("int8, relu")
    folder = example(exhibit.model, tmp_path)
    (folder / "--check").write_bytes(exhibit.inputs[0].tobytes())
    expected = exhibit.model.top(exhibit.inputs[0], 1)[0][0][0]
    assert ran(GCC, folder, "example", "./--check") == (0, f"{expected}\n".encode(), "")
    assert ran(GCC, folder, "example", "--check") == (0, b"the test vector agrees\n", "")


def test_the_example_says_which_file_is_missing(tmp_path: Path) -> None:
    """A path that cannot be opened is named."""
    folder = example(zoo.exhibit_of("dense, relu").model, tmp_path)
    assert ran(GCC, folder, "example", "no such") == (1, b"", "no such: cannot be opened\n")


def test_the_example_of_wide_integers_reads_text(tmp_path: Path) -> None:
    """Whole numbers beyond a byte: the class of those in range, one line for others."""
    model = model_of(Network.build((2,), (), 3), input_range=(-300.0, 300.0))
    folder = example(model, tmp_path)
    expected = model.top(np.array([-300, 7]), 1)[0][0][0]
    assert ran(GCC, folder, "example", given=b"-300 7") == (0, f"{expected}\n".encode(), "")
    for text in (b"-301 7", b"1 2.5", b"1", b"1 2 3", b"99999999999999999999 1"):
        status, printed, error = ran(GCC, folder, "example", given=text)
        assert (status, printed, error) == (1, b"", "stdin: needs 2 whole numbers as text, -300 .. 300\n")


def test_rows_of_a_policy_that_remembers_are_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """One that is longer than there is room for is not two; empty lines are none."""
    network = Network((1,), (Elman(1, 2), Dense(2, 1)))
    folder = example(model_of(network, class_names=(), input_range=None), tmp_path)
    status, told, _ = ran(GCC, folder, "example", given=b"0.5\n\n  \n0.25\n")
    assert (status, len(told.splitlines())) == (0, 2)
    status, told, error = ran(GCC, folder, "example", given=b" " * 94 + b"12345\n")
    assert (status, told) == (1, b"")
    assert "row 1" in error
