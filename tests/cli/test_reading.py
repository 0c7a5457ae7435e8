"""How data are read, through every command that reads them, and what is said of it."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from genreg_np.cli import COMMANDS, cli, inputs
from genreg_np.cli.reading import reader_arguments, reader_words
from genreg_np.data import READER_OPTIONS, load_dataset
from genreg_np.model import Network
from tests.cli import FAST, one_line
from tests.helpers import model_of

DRAW = random.Random(1)


def write_table(path: str, header: str = "0,1,2,3,4", labels: str = "0123456789", separator: str = ",") -> None:
    """Write 60 rows of whole numbers; whether the header given by default is one cannot be told."""
    rows = [[*(str(DRAW.randrange(9)) for _ in range(4)), labels[index % len(labels)]] for index in range(60)]
    lines = [*([header.replace(",", separator)] if header else []), *(separator.join(row) for row in rows)]
    Path(path).write_text("\n".join(lines) + "\n")


def write_pictures(folder: str, shape: tuple[int, int] = (8, 8), most: int = 4095) -> None:
    """Write two classes of pictures of 16 bits, of which `most` is the largest value."""
    from PIL import Image

    for name, level in (("dark", 3), ("light", 1)):
        Path(folder, name).mkdir(parents=True)
        for index in range(10):
            values = np.full(shape, most // level - index, np.uint16)
            Image.fromarray(values).save(Path(folder, name, f"{index}.png"))


@pytest.mark.parametrize("name", ["train", "mixed", "eval", "export", "data"])
def test_every_command_with_a_dataset_has_the_options_of_readers(name: str) -> None:
    command: Any = cli.get_command(click.Context(cli), name)
    if name == "data":
        command = command.commands["show"]
    assert set(READER_OPTIONS) <= {parameter.name for parameter in command.params}
    assert name in COMMANDS


def test_options_become_arguments_and_words_again() -> None:
    options = {"label": "a b", "header": False, "separator": "tab", "size": "3x4", "range": (0.0, 4095.0), "seed": 1}
    arguments = reader_arguments(options)
    assert arguments == {"label": "a b", "header": False, "separator": "tab", "size": (3, 4), "range": (0.0, 4095.0)}
    assert reader_words({"header": True, "size": (3, 4), "range": (0.0, 4095.0)}) == [
        *("--header", "--size", "3x4", "--range", "0", "4095")
    ]
    pictures = {"color": "rgb", "fit": "pad", "skip_bad": True}
    assert reader_arguments(pictures) == pictures
    assert reader_words(pictures) == ["--color", "rgb", "--fit", "pad", "--skip-bad"]
    assert reader_arguments({"label": None, "header": None, "size": None}) == {}


def test_a_run_is_resumed_with_the_data_read_as_they_were(genreg) -> None:
    write_table("t.csv", separator="|")
    call = ["train", "--dataset", "t.csv", "--out", "run", *FAST]
    assert "--header or --no-header" in one_line(genreg(*call), 1)
    outcome = genreg(*call, "--no-header", "--separator", "pipe", "--label", "5")
    assert outcome.code == 0, outcome.err
    assert "--no-header" in outcome.out.splitlines()[-1], "the next command to try reads them so too"
    outcome = genreg("train", "--resume", "run", "--generations", "5")
    assert outcome.code == 0, outcome.err
    assert "--header cannot be combined" in one_line(genreg("train", "--resume", "run", "--header"), 2)
    assert "the data of t are not those" in one_line(_resumed_with_header(genreg), 1)


def _resumed_with_header(genreg) -> Any:
    config = Path("run/config.toml")
    config.write_text(config.read_text().replace("header = false", "header = true"))
    return genreg("train", "--resume", "run")


@pytest.mark.parametrize(
    "entry",
    [
        "label = 5",
        'header = "yes"',
        "size = 8",
        "size = [3]",
        "size = [0, 8]",
        'size = ["8", "8"]',
        'range = ["a", "b"]',
        "separator = []",
    ],
)
def test_a_strange_origin_is_one_line(genreg, entry: str) -> None:
    write_table("t.csv", "a,b,c,d,kind")
    assert genreg("train", "--dataset", "t.csv", "--out", "run", *FAST, "--quiet").code == 0
    config = Path("run/config.toml")
    config.write_text(config.read_text().replace("[origin]", f"[origin]\n{entry}"))
    assert entry.partition(" ")[0] in one_line(genreg("train", "--resume", "run"), 2)


def test_deep_pictures_are_read_with_their_range_by_every_command(genreg) -> None:
    write_pictures("d")
    call = ["train", "--dataset", "d", "--out", "run", *FAST]
    assert "--range 0 4095" in one_line(genreg(*call), 1)
    outcome = genreg(*call, "--range", "0", "4095")
    assert outcome.code == 0, outcome.err
    assert "--range 0 4095" in outcome.out.splitlines()[-1]
    assert genreg("train", "--resume", "run", "--generations", "5").code == 0
    model, more = "run/model.npz", ["--range", "0", "4095"]
    assert genreg("eval", model, "--dataset", "d", *more).code == 0
    export = ["export", model, "--to", "c", "--int8", "--dataset", "d", "--out", "c", "--max-loss", "100"]
    assert genreg(*export, *more).code == 0
    assert genreg("data", "show", "d", "--out", "d.png", *more).code == 0
    known, told = (genreg("infer", model, "d/dark/0.png", "--as-is", "--json", *words) for words in ([], more))
    assert known.code == 0, "the model knows the range"
    assert known.out == told.out


def test_eval_takes_data_that_lack_a_class_or_have_but_one(genreg) -> None:
    write_table("t.csv", "a,b,c,d,kind", "xyz")
    assert genreg("train", "--dataset", "t.csv", "--out", "run", *FAST, "--quiet").code == 0
    model = "run/model.npz"
    for labels in ("xz", "y"):
        write_table("new.csv", "a,b,c,d,kind", labels)
        result = json.loads(genreg("eval", model, "--dataset", "new.csv", "--split", "all", "--json").out)
        assert result["n"] == 60
        assert [name for name, accuracy in result["per_class"].items() if accuracy is not None] == list(labels)
    write_table("new.csv", "a,b,c,d,kind", "xyzq")
    line = one_line(genreg("eval", model, "--dataset", "new.csv"), 2)
    assert "class q, which the model does not know; it knows classes x, y, z" in line


def test_eval_goes_by_the_names_in_a_header(genreg) -> None:
    """The same rows with their columns in another order have the same answers."""
    write_table("t.csv", "a,b,c,d,kind", "xyz")
    rows = [line.split(",") for line in Path("t.csv").read_text().splitlines()]
    Path("moved.csv").write_text("\n".join(",".join([row[4], row[2], row[0], row[3], row[1]]) for row in rows))
    assert genreg("train", "--dataset", "t.csv", "--out", "run", *FAST, "--quiet").code == 0
    straight, moved = (
        json.loads(
            genreg("eval", "run/model.npz", "--dataset", name, "--label", "kind", "--split", "all", "--json").out
        )
        for name in ("t.csv", "moved.csv")
    )
    assert moved["confusion"] == straight["confusion"]


def test_eval_says_what_part_of_a_file_it_measured(genreg) -> None:
    write_table("t.csv", "a,b,c,d,kind", "xyz")
    assert genreg("train", "--dataset", "t.csv", "--out", "run", *FAST, "--quiet").code == 0
    part = genreg("eval", "run/model.npz", "--dataset", "t.csv")
    assert "measured on 9 of its 60 rows, the test split" in part.out
    assert "--split all" in part.out
    whole = genreg("eval", "run/model.npz", "--dataset", "t.csv", "--split", "all")
    assert "all rows, 60 inputs" in whole.out
    assert "measured on" not in whole.out
    Path("two.csv").write_text("a,b,c,d,kind\n1,2,3,4,x\n4,3,2,1,y\n")
    assert "all rows, 2 inputs" in genreg("eval", "run/model.npz", "--dataset", "two.csv").out
    assert "--split all" in one_line(genreg("eval", "run/model.npz", "--dataset", "two.csv", "--split", "test"), 2)


def test_a_confusion_matrix_of_many_classes_is_left_to_json(genreg) -> None:
    names = tuple(f"c{index}" for index in range(70))
    model_of(Network.build((4,), (), 70), class_names=names, input_range=None).save("m.npz")
    Path("t.csv").write_text("a,b,c,d,kind\n" + "".join(f"1,2,3,{index},c{index % 70}\n" for index in range(210)))
    assert "70 classes is printed with --json only" in genreg("eval", "m.npz", "--dataset", "t.csv").out
    result = json.loads(genreg("eval", "m.npz", "--dataset", "t.csv", "--json").out)
    assert np.array(result["confusion"]).shape == (70, 70)


def test_the_default_for_photographs_goes_by_their_size(genreg) -> None:
    """Pictures of nothing but light or dark, too."""
    few = ["--generations", "1", "--backend", "numpy"]
    for side, preset in ((16, "photos"), (15, "nodes-small")):
        write_pictures(f"d{side}", (side, side), 65535)
        outcome = genreg("train", "--dataset", f"d{side}", "--out", f"run{side}", *few)
        assert outcome.code == 0, outcome.err
        assert f"preset {preset}, " in outcome.out


def test_infer_enters_folders_but_no_hidden_ones_and_no_links(genreg) -> None:
    write_pictures("d", (4, 3), 65535)
    model_of(Network.build((4, 3), (), 2), class_names=("dark", "light")).save("m.npz")
    (Path("d") / "one.png").write_bytes((Path("d") / "dark" / "0.png").read_bytes())
    outcome = genreg("infer", "m.npz", "d", "--json")
    files = [f"d/{name}/{index}.png" for name in ("dark", "light") for index in range(10)]
    assert [entry["file"] for entry in json.loads(outcome.out)] == [*files, "d/one.png"]
    assert outcome.err == ""
    for hidden in ("d/.hidden", "d/dark/__MACOSX"):
        Path(hidden).mkdir()
        (Path(hidden) / "one.png").write_bytes((Path("d") / "one.png").read_bytes())
    (Path("d") / "light" / "back").symlink_to(Path("d").absolute())
    again = genreg("infer", "m.npz", "d", "--json")
    assert again.out == outcome.out
    assert again.err.strip() == "d: 1 link to folders in it not followed"
    Path("odd.png").write_bytes((Path("d") / "one.png").read_bytes())
    model_of(Network.build((5, 9), (), 2), class_names=("dark", "light")).save("m.npz")
    assert "is 4x3 pixels (height x width), but the model takes 5x9" in one_line(genreg("infer", "m.npz", "odd.png"), 1)


@pytest.mark.parametrize("ends", ["4095 0", "0 nan", "inf 5", "-inf inf", "5 5"])
def test_a_range_that_is_none_is_refused_by_every_command(genreg, ends: str) -> None:
    write_pictures("d", (4, 3), 65535)
    model_of(Network.build((4, 3), (), 2), class_names=("dark", "light")).save("m.npz")
    export = ["export", "m.npz", "--to", "c", "--int8", "--calibrate", "d/dark", "--out", "c"]
    calls = [["infer", "m.npz", "d/dark/0.png"], export, ["eval", "m.npz", "--dataset", "d"]]
    calls += [["train", "--dataset", "d", "--out", "run"], ["data", "show", "d", "--out", "d.png"]]
    for call in calls:
        line = one_line(genreg(*call, "--range", *ends.split()), 2)
        assert "must be two numbers, the first less than the second" in line


def test_a_range_is_refused_where_no_picture_has_more_than_8_bits(genreg) -> None:
    from PIL import Image

    write_pictures("d", (4, 3))
    Path("plain").mkdir()
    Image.fromarray(np.zeros((4, 3), np.uint8)).save("plain/a.png")
    np.save("a.npy", np.zeros((4, 3), np.uint8))
    model_of(Network.build((4, 3), (), 2), class_names=("dark", "light")).save("m.npz")
    told = ["--range", "0", "4095"]
    for file in ("plain/a.png", "plain", "a.npy"):
        assert "--range is for images of more than 8 bits" in one_line(genreg("infer", "m.npz", file, *told), 2)
        export = ["export", "m.npz", "--to", "c", "--int8", "--calibrate", file, "--out", "c"]
        assert "--range is for images of more than 8 bits" in one_line(genreg(*export, *told), 2)
    assert genreg("infer", "m.npz", "plain/a.png", "d/dark/0.png", *told).code == 0


def test_infer_says_once_that_colours_are_taken_in_grey(genreg) -> None:
    from PIL import Image

    model_of(Network.build((4, 3), (), 2), class_names=("dark", "light")).save("m.npz")
    for name, colour in (("a", (200, 10, 10)), ("b", (10, 200, 10)), ("grey", (90, 90, 90))):
        Image.new("RGB", (3, 4), colour).save(f"{name}.png")
    outcome = genreg("infer", "m.npz", "grey.png", "a.png", "b.png", "--json")
    assert outcome.err.strip() == "a.png: colours are taken in grey, as the model was trained on grey images"
    assert len(json.loads(outcome.out)) == 3
    assert genreg("infer", "m.npz", "grey.png").err == ""


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and devices of POSIX")
def test_infer_reads_regular_files_only(genreg, model: Path) -> None:
    os.mkfifo("pipe.png")
    Path("zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png"):
        assert "is not a regular file" in one_line(genreg("infer", model, name), 1)


def test_infer_reads_no_more_of_a_file_than_its_limit(genreg, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_FILE_BYTES", 1000)
    for name, size, code in (("small.npy", (8, 8), 0), ("large.npy", (2, 8, 8), 1)):
        np.save(name, np.zeros(size, np.float64))
        outcome = genreg("infer", model, name)
        assert outcome.code == code
        assert ("more than 1,000 bytes" in outcome.err) == bool(code)


def test_an_array_file_with_a_broken_header_is_one_line(genreg, model: Path) -> None:
    """NumPy's own reader passes headers of Python 2 through a tokeniser, which has errors of its own."""
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3L,(".ljust(117) + b"\n"
    Path("a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    assert "a.npy has a header that is damaged" in one_line(genreg("infer", model, "a.npy"), 1)


def test_what_cannot_be_learned_is_refused_before_a_run_folder_is_made(genreg) -> None:
    rows = "".join(f"{DRAW.random()},{DRAW.random()},x\n" for _ in range(60))
    Path("t.csv").write_text(f"a,b,kind\n{rows}")
    assert "at least two are needed" in one_line(genreg("train", "--dataset", "t.csv", "--out", "run"), 1)
    assert not Path("run").exists()


def test_an_option_of_a_reader_that_does_not_apply_is_refused() -> None:
    for option, value in (("header", True), ("separator", ","), ("range", (0, 1))):
        with pytest.raises(ValueError, match=f"{option} applies to"):
            load_dataset("digits", **{option: value})
