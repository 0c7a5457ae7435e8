"""Exported C in memory: no state, weights in read-only sections, stack and flash no more than the header says."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from genreg_np.export import files_of
from genreg_np.export.quantise import quantise
from genreg_np.layers.description import parse
from genreg_np.layers.images import Detectors, Levels, Standardise
from genreg_np.model import Model, Network
from tests import zoo
from tests.export import mnist
from tests.export.c_build import CLANG, CORTEX_M3, GCC, WARNINGS, Tools, compiled, predictions, ran, write
from tests.helpers import model_of

EXHIBITS = ["dense, deep", "two stages", "genreg-2", "standardised features", "maps, two stages", "layer of residual"]
EXHIBITS += ["int8, deep", "int8, raw values 0 to 16", "int8, maps, two stages", "int8, maps, stacks in stacks"]
EXHIBITS += ["int8, two stages"]


def large() -> Model:
    """Return a model that needs more room than a stack should give."""
    rng = np.random.default_rng(0)
    filters = rng.integers(-9, 10, (40, 3, 3)).astype(np.int8)
    bank = Detectors((1, 20, 20), filters, 1, 4, 2, True, 0.4)
    scale = Standardise(*rng.normal(size=(2, bank.outputs)).astype(np.float32))
    return model_of(Network.build((20, 20), (), 3, fixed=(Levels(400), bank, scale)))


def stages(images: np.ndarray) -> Model:
    """Return two stages of convolution in 8-bit integers, untrained."""
    layers = parse("conv 16 3 / relu / max 2 / conv 32 3 / relu / max 2 / dense 10", (28, 28))
    return quantise(model_of(Network((28, 28), tuple(layers)), class_names=tuple("0123456789")), images)


def needed(header: str, what: str) -> int:
    """Return the bytes that a header states."""
    return int(re.search(rf"\* {what} +(?:at most )?([\d,]+) bytes", header)[1].replace(",", ""))  # type: ignore[index]


def stack_used(folder: Path, name: str = "model") -> int:
    """Return what the functions of a compiled file take of the stack, all of them together."""
    lines = (folder / f"{name}.su").read_text().splitlines()
    assert all(line.endswith("static") for line in lines), "a size that is not known"
    return sum(int(line.split("\t")[1]) for line in lines)


OPTIMISED = ("large", "genreg-2", "maps, two stages", "int8, maps, stacks in stacks")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        pytest.param(
            name, option, marks=[pytest.mark.soak] * (option == "-O2" or (option == "-O3" and name not in OPTIMISED))
        )
        for name in (*EXHIBITS, "large")
        for option in ("-Os", "-O2", "-O3")
    ],
)
def test_the_stack_is_as_large_as_stated(name: str, option: str, tmp_path: Path) -> None:
    """All functions together take no more than the header says, on this machine and on a microcontroller."""
    header = write(large() if name == "large" else zoo.exhibit_of(name).model, tmp_path)
    for tools in (GCC, CLANG, CORTEX_M3):
        if shutil.which(tools.compiler[0]):
            target = [argument for argument in tools.compiler[1:] if argument.startswith("-m")]
            compiled(Tools((tools.compiler[0], *target), ""), tmp_path, option, "-fstack-usage", "-c", "model.c")
            assert 0 < stack_used(tmp_path) <= needed(header, "Stack")


@pytest.mark.parametrize("name", EXHIBITS)
def test_weights_are_read_only_and_nothing_is_kept(name: str, tmp_path: Path) -> None:
    """No symbol lies in writable memory, and only the functions of the header can be seen."""
    write(zoo.exhibit_of(name).model, tmp_path)
    compiled(GCC.need(), tmp_path, "-O2", "-fno-pie", "-c", "model.c")
    listed = subprocess.run(["nm", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-2:] for line in listed.splitlines()]
    assert {kind for kind, _ in symbols} <= set("tTrRU")
    assert any(kind == "r" for kind, _ in symbols)
    seen = {name for kind, name in symbols if kind.isupper() and kind != "U"}
    declared = set(re.findall(r"(model_\w+)[(\[]", (tmp_path / "model.h").read_text()))
    assert seen == declared
    assert not {"malloc", "free", "calloc"} & {name for _, name in symbols}


@pytest.mark.parametrize("name", [name for name in zoo.ZOO if name.startswith("int8")])
def test_integers_need_no_maths_library(name: str, tmp_path: Path) -> None:
    """Models of 8-bit integers link without -lm, and call nothing but the memory functions of C.

    Those that normalise take square roots, and say so.
    """
    model = zoo.exhibit_of(name).model
    rooted = "normalisation-int8" in zoo.kinds_in(model)
    header = write(model, tmp_path)
    assert ("maths library (-lm)" in header) == rooted
    assert ("no maths library" in header) != rooted
    compiled(GCC.need(), tmp_path, "-O2", "-c", "model.c")
    listed = subprocess.run(["nm", "-u", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    called = {line.split()[-1] for line in listed.splitlines()}
    assert called <= {"memset", "memcpy", "_GLOBAL_OFFSET_TABLE_", *(["sqrt"] if rooted else [])}


def test_a_large_model_works_in_memory_of_the_caller(tmp_path: Path) -> None:
    """The structure is no larger than stated, and the answers are infer.py's; the example hands one over."""
    model = large()
    images = np.random.default_rng(1).integers(0, 256, (20, 20, 20)).astype(np.uint8)
    found = predictions(model, images, tmp_path, GCC.need())
    assert np.array_equal(found["best"], model.predict(images))
    stated = needed((tmp_path / "model.h").read_text(), "Memory")
    size = f'#include "model.h"\ntypedef char fits[sizeof(model_scratch) <= {stated} ? 1 : -1];\n'
    (tmp_path / "size.c").write_text(size)
    compiled(GCC, tmp_path, "-c", "size.c")
    compiled(GCC, tmp_path, "model.c", "main.c", "-o", "example", "-lm")
    expected = f"{model.class_names[found['best'][0]]}\n".encode()
    assert ran(GCC, tmp_path, "example", given=images[0].tobytes()) == (0, expected, "")


def test_cpp_takes_the_header(tmp_path: Path) -> None:
    """A C++ program links with the C of a model."""
    if not shutil.which("g++"):
        pytest.skip("needs g++: apt install g++")
    exhibit = zoo.exhibit_of("int8, relu")
    write(exhibit.model, tmp_path)
    compiled(GCC.need(), tmp_path, "-c", "model.c")
    pixels = ",".join(str(pixel) for pixel in exhibit.inputs[0].ravel())
    program = f"static const uint8_t pixels[] = {{{pixels}}};\nint main() {{ return model_predict(pixels); }}\n"
    (tmp_path / "main.cpp").write_text(f'#include "model.h"\n{program}')
    options = [option for option in WARNINGS if option != "-std=c99"]
    subprocess.run(["g++", *options, "main.cpp", "model.o", "-o", "program"], cwd=tmp_path, check=True)
    assert ran(GCC, tmp_path, "program")[0] == exhibit.model.predict(exhibit.inputs[:1])[0]


def test_equal_models_give_equal_files() -> None:
    """Nothing but the model decides what is written."""
    model = zoo.exhibit_of("two stages").model
    assert files_of(model, "c") == files_of(Model(model.header, dict(model.arrays)), "c")


# Real digits


@pytest.mark.data
def test_integers_are_equal_on_all_real_test_digits(tmp_path: Path) -> None:
    """784-64-10 in 8-bit integers: the same int32 logits and the same class on 10,000 images."""
    images, model = mnist.dataset().test.inputs, mnist.integers()
    found = predictions(model, images, tmp_path, GCC.need(), ("-O3",))
    assert np.array_equal(found["logits"] * model.header["network"]["layers"][-1]["unit"], model.outputs(images))
    assert np.array_equal(found["best"], model.predict(images))
    assert np.abs(found["probabilities"] - model.predict_proba(images)).max() < 1e-6


@pytest.mark.data
@pytest.mark.parametrize(
    "make", [mnist.dense, pytest.param(mnist.bank, marks=pytest.mark.soak)], ids=["784-64-10", "bank"]
)
def test_floats_give_the_same_class_on_all_real_test_digits(make: object, tmp_path: Path) -> None:
    """Sums rounded in another order move no image of 10,000 to another class."""
    images, model = mnist.dataset().test.inputs, make()  # type: ignore[operator]
    found, expected = predictions(model, images, tmp_path, GCC.need(), ("-O3",)), model.outputs(images)
    assert np.array_equal(found["best"], expected.argmax(axis=1))
    assert np.abs(found["logits"] - expected).max() < 1e-5 * np.abs(expected).max()


def firmware(model: Model, option: str, folder: Path) -> tuple[int, int]:
    """Return the bytes of flash of a program that predicts on a Cortex-M3, with all that it links, and of its RAM.

    RAM is the stack of all functions together, and what the caller hands over, beyond the input.
    """
    scratch = "model_scratch" in write(model, folder)
    room, given = ("static model_scratch scratch;\n", "pixels, &scratch") if scratch else ("", "pixels")
    program = (
        f'#include "model.h"\nstatic uint8_t pixels[MODEL_INPUTS];\n{room}'
        f"int main(void) {{ return model_predict({given}); }}\n"
        "void _exit(int status);\nvoid _start(void);\nvoid _start(void) { _exit(main()); }\n"
        "void _exit(int status) { (void)status; for (;;) { } }\n"
    )
    (folder / "firmware.c").write_text(program)
    tools = Tools(CORTEX_M3.compiler[:3], CORTEX_M3.packages)
    shared = [option, "-ffunction-sections", "-fdata-sections", "-fstack-usage"]
    compiled(
        tools.need(), folder, *shared, "-nostartfiles", "-Wl,--gc-sections", "model.c", "firmware.c", "-o", "firmware"
    )
    sizes = subprocess.run(["arm-none-eabi-size", "firmware"], cwd=folder, capture_output=True, text=True, check=True)
    text, data, bss = (int(word) for word in sizes.stdout.splitlines()[1].split()[:3])
    return text + data, data + bss - math.prod(model.input_shape) + stack_used(folder, "firmware-model")


@pytest.mark.data
@pytest.mark.parametrize("option", ["-Os", "-O2"])
def test_integers_fit_a_small_microcontroller(option: str, tmp_path: Path) -> None:
    """784-64-10 takes no more than 60 KB of flash, with all that it links, and 2 KB of RAM beyond the input."""
    flash, ram = firmware(mnist.integers(), option, tmp_path)
    assert flash <= 60 * 1024
    assert ram <= 2048


@pytest.mark.parametrize("option", ["-Os", "-O2"])
def test_a_convolution_fits_a_small_microcontroller(option: str, tmp_path: Path) -> None:
    """Two stages of 16 and 32 filters take no more than 25 KB of flash and 20 KB of RAM."""
    flash, ram = firmware(stages(np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)), option, tmp_path)
    assert flash <= 25 * 1024
    assert ram <= 20 * 1024


@pytest.mark.data
@pytest.mark.parametrize(
    "make", [pytest.param(mnist.bank, marks=pytest.mark.soak), lambda: None], ids=["bank", "convolution"]
)
def test_layers_of_integers_are_equal_on_all_real_test_digits(make: object, tmp_path: Path) -> None:
    """The same int32 logits on 10,000 images, of detectors and of convolutions; a bank fits 25 KB of flash as well."""
    dataset, model = mnist.dataset(), make()  # type: ignore[operator]
    whole = quantise(model, dataset.validation.inputs) if model else stages(dataset.validation.inputs)
    found = predictions(whole, dataset.test.inputs, tmp_path, GCC.need(), ("-O3",))
    unit = whole.header["network"]["layers"][-1]["unit"]
    assert np.array_equal(found["logits"] * unit, whole.outputs(dataset.test.inputs))
    if model:
        flash, _ = firmware(whole, "-Os", tmp_path)
        assert flash <= 25 * 1024
