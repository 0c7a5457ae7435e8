"""Original champions are read exactly; hostile and damaged ones are refused in one line, and nothing in them is run."""

from __future__ import annotations

import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import infer
from genreg_np.cli import main
from genreg_np.errors import DataError
from genreg_np.export import convert
from genreg_np.export.convert import read_champion
from tests.helpers import PATIENCE
from tests.make_champion import make_champion, make_checkpoint, make_controller, write_pickle

REAL = "original-champions/best_genome_mnist_gen00565_20251229_141001.pkl"
WAY_OUT = "give a best_genome_*.pkl or checkpoint_gen_*.pkl file as the original program wrote it"


def run(*arguments: object) -> int:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def refusal(path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(DataError) as caught:
        read_champion(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line


def refusal_of(tmp_path: Path, content: bytes) -> str:
    """Return the one line with which these bytes are refused, as no champion."""
    path = tmp_path / "champion.pkl"
    path.write_bytes(content)
    line = refusal(path)
    assert "is not an original GENREG champion (" in line
    assert line.endswith(WAY_OUT)
    return line


def logits(controller: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Return the original's forward pass of x (N, I), in float64."""
    w1, b1, w2, b2 = (np.array(controller[name]) for name in ("w1", "b1", "w2", "b2"))
    values: np.ndarray = np.tanh(x @ w1.T + b1) @ w2.T + b2
    return values


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_weights_of_a_champion_survive_bit_for_bit(tmp_path: Path, protocol: int) -> None:
    champion = make_champion(hidden=6, seed=3)
    model = read_champion(write_pickle(tmp_path / "champion.pkl", champion, protocol))
    (w1, b1), (w2, b2) = model.network.unpack(model.genes)
    for name, array in (("w1", w1), ("b1", b1), ("w2", w2), ("b2", b2)):
        assert array.tolist() == champion["controller"][name]
    assert model.input_shape == (28, 28)
    assert model.input_range == (0.0, 255.0)
    assert model.class_names == tuple("0123456789")


def test_converted_model_computes_the_original_forward_pass(tmp_path: Path) -> None:
    champion = make_champion(hidden=6)
    model = read_champion(write_pickle(tmp_path / "champion.pkl", champion))
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    expected = logits(champion["controller"], images.reshape(20, -1) / 255)
    np.testing.assert_allclose(model.outputs(images), expected, atol=1e-5)


def test_letter_net_reads_its_images_row_by_row_after_conversion(tmp_path: Path) -> None:
    """The original flattens a (width, height) surface: x is the slow index, y the fast one."""
    champion = make_champion(10_000, 2, 26)
    model = read_champion(write_pickle(tmp_path / "champion.pkl", champion))
    image = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)  # image[y, x]
    surface = [image[y, x] / 255 for x in range(100) for y in range(100)]
    np.testing.assert_allclose(model.outputs(image), logits(champion["controller"], np.array([surface])), atol=1e-5)
    assert model.class_names == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert model.training["config"] == {"dataset": "letters"}


def test_other_sizes_become_flat_inputs_and_outputs_without_names(tmp_path: Path) -> None:
    model = read_champion(write_pickle(tmp_path / "champion.pkl", make_champion(5, 3, 2)))
    assert (model.input_shape, model.input_range, model.class_names) == ((5,), None, ())
    assert "config" not in model.training


def test_checkpoint_gives_its_most_trusted_genome(tmp_path: Path) -> None:
    """Of equals the first, so that conversion is deterministic."""
    checkpoint = make_checkpoint([-3.0, 7.5, 7.5, 2], hidden=3)
    model = read_champion(write_pickle(tmp_path / "checkpoint_gen_00500.pkl", checkpoint))
    (w1, _), _ = model.network.unpack(model.genes)
    assert w1.tolist() == make_controller(hidden=3, seed=1)["w1"]
    assert model.training["source"] == (
        "checkpoint_gen_00500.pkl (original GENREG checkpoint, generation 500, most trusted of 4 genomes, trust 7.50)"
    )


def test_champion_without_generation_or_trust_is_still_read(tmp_path: Path) -> None:
    champion = make_champion() | {"extraction_info": {}, "genome": {"trust": float("nan")}}
    model = read_champion(write_pickle(tmp_path / "champion.pkl", champion))
    assert model.training["source"] == "champion.pkl (original GENREG champion)"


@pytest.mark.data
@pytest.mark.skipif("GENREG_DATA" not in os.environ, reason="GENREG_DATA is not set: no real champion here")
def test_published_champion_gets_exactly_its_published_accuracy() -> None:
    """72.52 % of the MNIST test set: the figure the original program measured with the same weights."""
    from genreg_np.data import load_dataset

    path = Path(os.environ["GENREG_DATA"]) / REAL
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    model = read_champion(path)
    test = load_dataset("mnist").test
    assert int((model.predict(test.inputs) == test.labels).sum()) == 7252
    assert len(test) == 10_000
    assert model.training == {
        "source": f"{path.name} (original GENREG champion, generation 565, trust 1251.87)",
        "config": {"dataset": "mnist"},
    }


class _Shell:
    """Unpickled by pickle.load, it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_pickle_is_never_run(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    refusal_of(tmp_path, pickle.dumps(make_champion() | {"extra": _Shell(marker)}, protocol))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("instruction", "body"),
    [
        ("GLOBAL", b"cos\nsystem\n"), ("INST", b"(ios\nsystem\n"), ("STACK_GLOBAL", b"\x8c\x02os\x8c\x06system\x93"),
        ("REDUCE", b"NNR"), ("BUILD", b"]Nb"), ("OBJ", b"(No"), ("NEWOBJ", b"NN\x81"), ("NEWOBJ_EX", b"NNN\x92"),
        ("EXT1", b"\x82\x01"), ("EXT2", b"\x83\x01\x00"), ("EXT4", b"\x84\x01\x00\x00\x00"),
        ("PERSID", b"Pname\n"), ("BINPERSID", b"NQ"), ("NEXT_BUFFER", b"\x97"), ("READONLY_BUFFER", b"N\x98"),
        ("BYTEARRAY8", b"\x96\x01\0\0\0\0\0\0\0x"), ("BINUNICODE8", b"\x8d\x01\0\0\0\0\0\0\0x"),
        ("LONG4", b"\x8b\x01\0\0\0\x01"), ("FROZENSET", b"(\x91"), ("EMPTY_TUPLE", b")"), ("DUP", b"N2"),
    ],
)  # fmt: skip
def test_instructions_no_champion_needs_are_refused_by_name(tmp_path: Path, instruction: str, body: bytes) -> None:
    assert f"asks for {instruction} at byte" in refusal_of(tmp_path, b"\x80\x05" + body + b".")


@pytest.mark.parametrize("body", [b"cos\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"Pname\n", b"NQ", b"\x82\x01"])
def test_loader_refuses_classes_even_without_the_first_check(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "_check_instructions", lambda content: None)
    with pytest.raises(convert._Refused):
        convert._load_plain_values(b"\x80\x05" + body + b".")


@pytest.mark.parametrize(
    "body",
    [
        b"X" + struct.pack("<I", 0xFFFFFFFF) + b"abc.",  # a string of 4 GB
        b"\x95" + struct.pack("<Q", 1 << 62) + b"N.",  # a frame of 4 EB
        b"Nr" + struct.pack("<I", 0xFFFFFFFE) + b".",  # a memo of 32 GB
        b"Nq\xff.",
        b"\x8a\xff" + b"\xff" * 254 + b"\x7f.",  # a whole number of 2,040 bits
        b"\x8a\x09" + b"\xff" * 8 + b"\x00.",  # one of 65
    ],
)
def test_declared_sizes_set_no_memory_aside(tmp_path: Path, body: bytes) -> None:
    tracemalloc.start()
    try:
        refusal_of(tmp_path, b"\x80\x04" + body)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("opening", [b"]", b"}\x8c\x01a"])
def test_deep_nesting_is_refused_without_a_crash(tmp_path: Path, opening: bytes) -> None:
    closing = b"a" if opening == b"]" else b"s"
    refusal_of(tmp_path, b"\x80\x04" + opening * 100_000 + b"N" + closing * 100_000 + b".")


def test_lists_in_lists_of_shared_lists_are_not_unfolded(tmp_path: Path) -> None:
    """Thirty levels of "ten times the one below" are a few hundred bytes, and 10^30 numbers."""
    value: list[Any] = [0.5] * 10
    for _ in range(30):
        value = [value] * 10
    for name in ("w1", "b1", "b2"):
        champion = make_champion(10, 10, 10)
        champion["controller"][name] = value
        assert f"{name!r} " in refusal_of(tmp_path, pickle.dumps(champion))


def test_one_row_standing_for_many_cannot_claim_more_weights_than_the_file_holds(tmp_path: Path) -> None:
    champion = make_champion(2000, 1, 10)
    champion["controller"]["w1"] *= 3000
    champion["controller"]["hidden_size"] = 3000
    assert "6,033,010 weights, more than the file can hold" in refusal_of(tmp_path, pickle.dumps(champion))


def test_list_that_holds_itself_is_refused(tmp_path: Path) -> None:
    champion = make_champion(1, 1, 1)
    champion["controller"]["w1"] = [[]]
    champion["controller"]["w1"][0].append(champion["controller"]["w1"])
    assert "'w1' holds something other than floats" in refusal_of(tmp_path, pickle.dumps(champion))


def test_more_values_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "MAX_OBJECTS", 1000)
    content = pickle.dumps(make_champion() | {"extra": [[] for _ in range(1000)]})
    assert "more than 1,000 values other than weights" in refusal_of(tmp_path, content)
    read_champion(write_pickle(tmp_path / "champion.pkl", make_champion()))


def test_file_over_the_size_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "champion.pkl"
    with path.open("wb") as file:
        file.truncate(convert.MAX_FILE_BYTES + 1)  # a sparse file: takes no room
    assert "more than the limit of 536,870,912" in refusal(path)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("random", numbered=True)
    refusal_of(folder, content)
    refusal_of(folder, b"\x80\x04" + content)


PLAIN_INSTRUCTIONS = [
    b"(", b"]", b"}", b"N", b"\x88", b"\x89", b"K\x05", b"M\x05\x05", b"G" + bytes(8), b"\x8c\x02w1", b"\x8cx",
    b"a", b"e", b"s", b"u", b"\x94", b"q\x00", b"h\x00", b"h\x01", b"\x8a\x01\x05",
]  # fmt: skip


@given(st.lists(st.sampled_from(PLAIN_INSTRUCTIONS), max_size=30))
def test_random_programs_are_refused(tmp_path_factory: pytest.TempPathFactory, program: list[bytes]) -> None:
    refusal_of(tmp_path_factory.mktemp("program", numbered=True), b"\x80\x04" + b"".join(program) + b".")


SMALL = pickle.dumps(make_champion(3, 2, 2), 4)


@pytest.mark.parametrize("kept", range(0, len(SMALL), 7))
def test_champion_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    refusal_of(tmp_path, SMALL[:kept])


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 255))
def test_changed_byte_is_refused_in_one_line_or_gives_a_whole_model(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("changed", numbered=True) / "champion.pkl"
    path.write_bytes(SMALL[:position] + bytes([byte]) + SMALL[position + 1 :])
    try:
        model = read_champion(path)
    except DataError:
        refusal(path)
    else:
        assert np.isfinite(model.genes).all()
        assert model.outputs(np.zeros((1, 3), np.float32)).shape == (1, 2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"hello", b"(dp0\n.", SMALL + b"N."])
def test_other_kinds_of_files_and_bytes_after_the_end_are_refused(tmp_path: Path, content: bytes) -> None:
    refusal_of(tmp_path, content)


def test_missing_file_folder_and_unreadable_file_are_named(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.pkl")
    assert "is a folder" in refusal(tmp_path)
    locked = write_pickle(tmp_path / "locked.pkl", make_champion())
    locked.chmod(0)
    if not os.access(locked, os.R_OK):  # root may read all the same
        assert "cannot be read" in refusal(locked)


@pytest.mark.parametrize("value", [None, 3, [], "text", {}, {"genomes": []}, {"genomes": [3]}, {"genomes": [{}]}])
def test_plain_values_that_are_no_champion_are_refused(tmp_path: Path, value: object) -> None:
    refusal_of(tmp_path, pickle.dumps(value, 4))


@pytest.mark.parametrize("key", ["extraction_info", "genome", "controller"])
def test_champion_without_a_part_is_refused(tmp_path: Path, key: str) -> None:
    champion = make_champion(3, 2, 2)
    del champion[key]
    assert f"{key!r} is missing" in refusal_of(tmp_path, pickle.dumps(champion))


@pytest.mark.parametrize("key", ["input_size", "hidden_size", "output_size", "w1", "b1", "w2", "b2"])
@pytest.mark.parametrize("value", [None, "3", 2.0, {}, True])
def test_controller_with_a_missing_or_wrong_entry_is_refused(tmp_path: Path, key: str, value: object) -> None:
    champion = make_champion(3, 2, 2)
    champion["controller"][key] = value
    assert f"{key!r} is missing or not of type" in refusal_of(tmp_path, pickle.dumps(champion))


@pytest.mark.parametrize("key", ["input_size", "hidden_size", "output_size"])
@pytest.mark.parametrize("size", [-1, 0, 1, 4, (1 << 31) - 1, 1 << 62])
def test_sizes_that_the_weights_do_not_have_are_refused(tmp_path: Path, key: str, size: int) -> None:
    champion = make_champion(3, 2, 2)
    champion["controller"][key] = size
    refusal_of(tmp_path, pickle.dumps(champion))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("w1", [[0.5] * 3, [0.5] * 2], "is not 2 rows of 3 weights"),  # ragged
        ("w1", [[0.5] * 3], "is not 2 rows of 3 weights"),
        ("w1", [0.5, 0.5], "is not 2 rows of 3 weights"),
        ("b1", [0.5] * 3, "is not 2 weights"),
        ("b1", [[0.5], [0.5]], "something other than floats"),
        ("w2", [[0.5, True], [0.5, 0.5]], "something other than floats"),
        ("w2", [[0.5, "0.5"], [0.5, 0.5]], "something other than floats"),
        ("b2", [0.5, float("nan")], "NaN or infinite"),
        ("w1", [[0.5] * 3, [float("inf")] * 3], "NaN or infinite"),
        ("w2", [[1e300] * 2] * 2, "NaN or infinite"),  # too large for float32
    ],
)
def test_weights_of_another_shape_or_kind_are_refused(tmp_path: Path, name: str, value: object, reason: str) -> None:
    champion = make_champion(3, 2, 2)
    champion["controller"][name] = value
    assert re.search(f"'{name}' .*{reason}", refusal_of(tmp_path, pickle.dumps(champion)))


@pytest.mark.parametrize("trust", [None, float("nan"), float("inf"), "7"])
def test_checkpoint_with_a_trust_that_cannot_be_compared_is_refused(tmp_path: Path, trust: Any) -> None:
    assert "finite 'trust'" in refusal_of(tmp_path, pickle.dumps(make_checkpoint([1.0, trust], 3, 2, 2)))


def test_command_writes_a_model_and_names_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = write_pickle(tmp_path / "best genome.pkl", make_champion()), tmp_path / "my model.npz"
    assert run("convert", source, target) == 0
    wrote, following = capsys.readouterr().out.splitlines()
    assert wrote.startswith(f"wrote {target}: 784-4-10, tanh, 3,190 weights and biases, from best genome.pkl (")
    assert following == f"try:  genreg-np eval '{target}'"
    assert target.read_bytes() == read_champion(source).pack()
    assert run("info", target) == 0
    assert "converted    from best genome.pkl" in capsys.readouterr().out


def test_existing_target_is_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = write_pickle(tmp_path / "champion.pkl", make_champion()), tmp_path / "model.npz"
    target.write_bytes(b"precious")
    assert run("convert", source, target) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"
    assert run("convert", source, target, "--force") == 0
    assert infer.load(target).input_shape == (28, 28)


def test_target_that_must_not_be_written_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even --force overwrites the source."""
    source = write_pickle(tmp_path / "champion.pkl", make_champion())
    before = source.read_bytes()
    missing = tmp_path / "none" / "model.npz"
    for target, said in ((tmp_path, "is a folder"), (missing, "does not exist"), (source, "is SOURCE itself")):
        assert run("convert", source, target, "--force") == 2
        assert said in capsys.readouterr().err
    assert source.read_bytes() == before


def test_refused_source_is_one_line_and_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_pickle(tmp_path / "champion.pkl", {"w1": [[1.0]]})
    target = tmp_path / "model.npz"
    target.write_bytes(b"precious")
    assert run("convert", source, target, "--force") == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"error: {source}: is not an original GENREG champion (")
    assert target.read_bytes() == b"precious"
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_script_makes_a_champion_that_converts(tmp_path: Path) -> None:
    script = Path(__file__).with_name("make_champion.py")
    subprocess.run([sys.executable, str(script), str(tmp_path / "champion.pkl"), "5"], check=True, timeout=PATIENCE)
    assert read_champion(tmp_path / "champion.pkl").network.describe().startswith("784-5-10")
