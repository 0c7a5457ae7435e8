"""`genreg-np eval` and `infer`: agreement with training, and odd, damaged or unsuitable inputs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np.infer import load
from genreg_np.model import Model, Network
from tests.cli import one_line, save_relabelled
from tests.helpers import model_of


def test_eval_reports_accuracy_per_class_and_confusion(genreg, model: Path) -> None:
    printed = genreg("eval", model)
    assert printed.code == 0
    result = json.loads(genreg("eval", model, "--json").out)
    assert result["n"] == sum(map(sum, result["confusion"])) == 270
    right = sum(result["confusion"][k][k] for k in range(10))
    assert result["accuracy"] == pytest.approx(right / 270)
    assert f"{100 * result['accuracy']:.2f} %" in printed.out
    assert set(result["per_class"]) == set("0123456789")


def test_eval_agrees_with_the_accuracy_train_reported(genreg, model: Path) -> None:
    training = load(model).header["training"]
    result = json.loads(genreg("eval", model, "--json").out)
    assert result["accuracy"] == pytest.approx(training["accuracies"]["test"][training["genome"]])


def test_eval_on_a_dataset_of_another_shape_is_refused(genreg, model: Path) -> None:
    assert "(100, 100)" in one_line(genreg("eval", model, "--dataset", "letters"), 2)


def test_eval_pairs_classes_by_name_whatever_their_order(genreg, model: Path) -> None:
    """The model's classes reversed, weights and all: the same accuracy on every class."""
    loaded = load(model)
    arrays = dict(loaded.arrays)
    arrays |= {name: arrays[name][::-1] for name in ("layers.1.weight", "layers.1.bias")}
    Path("reversed.npz").write_bytes(
        Model(loaded.header | {"class_names": list("9876543210")}, arrays).pack(),
    )
    straight = json.loads(genreg("eval", model, "--json").out)
    turned = json.loads(genreg("eval", "reversed.npz", "--json").out)
    assert turned["accuracy"] == straight["accuracy"]
    assert turned["per_class"] == straight["per_class"]
    assert turned["classes"] == list("9876543210")
    assert np.array_equal(np.array(turned["confusion"])[::-1, ::-1], straight["confusion"])


def test_eval_refuses_classes_of_other_names_and_names_both(genreg, model: Path) -> None:
    line = one_line(genreg("eval", save_relabelled(model, class_names=list("abcdefghij"))), 2)
    assert "0, 1, 2" in line
    assert "a, b, c" in line


def test_eval_refuses_another_range_of_raw_values(genreg, model: Path) -> None:
    line = one_line(genreg("eval", save_relabelled(model, input_range=[0, 255])), 2)
    assert "0 to 16" in line
    assert "0 to 255" in line


@pytest.mark.parametrize("named", ["digits.csv", "pictures/", "/etc/passwd", "auto", "a\nb", 7, None])
def test_eval_opens_no_file_because_a_model_names_it(genreg, model: Path, named: object) -> None:
    """Only a built-in dataset is taken from a header; anything else must be named by the user."""
    Path("digits.csv").write_text("1,a\n2,b\n")
    changed = save_relabelled(model, training={"config": {"dataset": named}})
    assert "--dataset" in one_line(genreg("eval", changed), 2)


ODD_TRAINING = [
    None,
    [],
    "text",
    {"method": "genreg"},
    {"method": 7, "genome": [], "seed": None, "config": 5},
    {"method": "genreg", "config": {"dataset": 7, "variations": "x"}, "accuracies": {"test": "x"}},
    {"accuracies": []},
    {"accuracies": {"test": {"best": 10**400, "consensus": "x", "elite": True, "mean": -1}}},
    {"source": {}, "background": "dark"},
    {"config": {"dataset": "digits", "variations": "x"}},
]


@pytest.mark.parametrize("training", ODD_TRAINING, ids=str)
def test_odd_training_entries_disturb_neither_info_nor_eval_nor_infer(genreg, model: Path, training: object) -> None:
    """What a model says of its training is optional: whatever it is, there is an answer."""
    changed = save_relabelled(model, training=training)
    np.save("digit.npy", np.zeros((8, 8), np.uint8))
    for call in (["info", changed], ["eval", changed, "--dataset", "digits"], ["infer", changed, "digit.npy"]):
        outcome = genreg(*call)
        assert outcome.code == 0, outcome.err


def test_infer_reads_png_npy_idx_and_folders(genreg, model: Path) -> None:
    from PIL import Image

    from genreg_np.data.idx import write_idx

    images = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8) % 17
    Path("pictures").mkdir()
    Image.fromarray((images[0] * 15).astype(np.uint8)).save("pictures/a.png")
    np.save("pictures/b.npy", images)
    write_idx("pictures/c.idx", images)
    result = json.loads(genreg("infer", model, "pictures", "--json", "--top", 3).out)
    files = [entry["file"] for entry in result]
    assert files == ["pictures/a.png"] + [f"pictures/{name}[{i}]" for name in ("b.npy", "c.idx") for i in range(3)]
    for entry in result:
        assert {"file", "class", "probability", "top"} == set(entry)
        assert len(entry["top"]) == 3
        assert entry["class"] == entry["top"][0]["class"]
    assert result[1]["top"] == result[4]["top"], "the same pixels from .npy and IDX"
    assert result[1]["class"] == str(load(model).predict(images[0])[0])


def test_infer_converts_size_and_polarity_only_when_asked(genreg, model: Path) -> None:
    from PIL import Image

    Image.fromarray(np.full((20, 30), 255, np.uint8)).save("big.png")
    assert "--resize" in one_line(genreg("infer", model, "big.png"), 1)
    plain = json.loads(genreg("infer", model, "big.png", "--resize", "--as-is", "--json").out)
    inverted = json.loads(genreg("infer", model, "big.png", "--resize", "--invert", "--json").out)
    assert plain[0]["top"] != inverted[0]["top"]
    black = load(model).top(np.zeros((8, 8), np.uint8), 1)[0][0]
    assert inverted[0]["probability"] == pytest.approx(black[1])


@pytest.mark.parametrize("usual", [0.05, 0.95, 0.5, None, "dark"])
@pytest.mark.parametrize("border", [10, 128, 245])
def test_infer_refuses_images_that_look_inverted(genreg, usual: object, border: int) -> None:
    """A light border where training had dark ones, or the reverse: nothing between, nothing without a record."""
    from PIL import Image

    Path("m.npz").write_bytes(model_of(Network.build((8, 8), (), 3), training={"background": usual}).pack())
    pixels = np.full((8, 8), border, np.uint8)
    pixels[1:-1, 1:-1] = 255 - border
    Image.fromarray(pixels).save("a.png")
    np.save("a.npy", pixels)
    outcome = genreg("infer", "m.npz", "a.png")
    if (usual, border) in {(0.05, 245), (0.95, 10)}:
        line = one_line(outcome, 1)
        assert all(words in line for words in ("a.png", "--invert", "--as-is"))
    else:
        assert outcome.code == 0, outcome.err
    for call in (["a.png", "--invert"], ["a.png", "--as-is"], ["a.npy"]):
        assert genreg("infer", "m.npz", *call).code == 0


def test_infer_of_a_folder_passes_over_other_kinds_and_goes_on_after_a_bad_file(genreg, model: Path) -> None:
    folder = Path("mixed")
    folder.mkdir()
    (folder / "notes.txt").write_text("not an image")
    (folder / "b.png").write_bytes(b"broken")
    np.save(folder / "a.npy", np.zeros((8, 8), np.uint8))
    np.save(folder / "c.npy", np.zeros((2, 8, 8), np.uint8))
    np.save(folder / "d.npy", np.full((8, 8), 200, np.uint8))
    outcome = genreg("infer", model, folder, "nowhere.png", "--json")
    assert outcome.code == 1
    assert [entry["file"] for entry in json.loads(outcome.out)] == ["mixed/a.npy", "mixed/c.npy[0]", "mixed/c.npy[1]"]
    said, *errors = outcome.err.splitlines()
    assert said == "mixed: left out: 1 file of kinds that are not read (1 .txt)"
    assert len(errors) == 3
    for line, name in zip(errors, ("mixed/b.png", "mixed/d.npy", "nowhere.png"), strict=True):
        assert line.startswith(f"error: {name}: ")


def test_infer_of_a_folder_with_nothing_to_read_says_what_it_looked_for(genreg, model: Path) -> None:
    Path("texts").mkdir()
    Path("texts/notes.txt").write_text("not an image")
    line = one_line(genreg("infer", model, "texts"), 1)
    assert all(words in line for words in ("texts", ".png", ".npy", "-ubyte"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b""),
        ("b.png", b"\x89PNG\r\n\x1a\n broken"),
        ("c.npy", b"\x93NUMPY\x01\x00"),
        ("d.idx", b"\0\0\x08\x03\0\0"),
        ("e.jpg", b"not an image"),
        ("f.npy", np.full((8, 8), np.nan, np.float32)),
        ("g.npy", np.zeros((0, 8, 8), np.uint8)),
    ],
)
def test_infer_of_damaged_or_empty_files_is_one_line_that_names_them(
    genreg, model: Path, name: str, content: bytes | np.ndarray
) -> None:
    if isinstance(content, bytes):
        Path(name).write_bytes(content)
    else:
        np.save(name, content)
    assert name in one_line(genreg("infer", model, name), 1)


def test_infer_of_a_missing_model_or_image_is_one_line(genreg, model: Path) -> None:
    assert "nowhere.npz" in one_line(genreg("infer", "nowhere.npz", "a.png"), 1)
    assert "nowhere.png" in one_line(genreg("infer", model, "nowhere.png"), 1)


def test_infer_imports_nothing_heavy(model: Path) -> None:
    np.save("digit.npy", np.zeros((8, 8), np.uint8))
    script = (
        "import sys\nfrom genreg_np.cli import main\n"
        "try:\n    main(['infer', 'run/model.npz', 'digit.npy'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'numba', 'sklearn', 'scipy', 'rich', 'PIL', 'pooch', 'tomli_w', 'threadpoolctl', 'multiprocessing'}\n"
        "found = heavy & set(sys.modules)\nassert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_infer_takes_an_image_from_stdin(model: Path) -> None:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(buffer, "PNG")
    command = [sys.executable, "-c", "from genreg_np.cli import main; main()", "infer", str(model), "--json"]
    done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=False)
    assert json.loads(done.stdout)[0]["file"] == "-"


def test_data_show_writes_a_picture(genreg) -> None:
    from PIL import Image

    assert genreg("data", "show", "digits", "--out", "sheet.png").code == 0
    with Image.open("sheet.png") as image:
        assert image.width > 100


def test_eval_scales_a_folder_to_the_size_the_model_was_trained_at(genreg) -> None:
    from PIL import Image

    for kind, level in (("dark", 40), ("light", 200)):
        Path("pictures", kind).mkdir(parents=True)
        for index in range(6):
            Image.fromarray(np.full((9, 7 + index), level, np.uint8)).save(f"pictures/{kind}/{index}.png")
    model_of(Network.build((4, 3), (), 2), class_names=("dark", "light")).save("m.npz")
    assert json.loads(genreg("eval", "m.npz", "--dataset", "pictures", "--json").out)["n"] == 2
    line = one_line(genreg("eval", "m.npz", "--dataset", "pictures", "--size", "5x5"), 2)
    assert "(5, 5)" in line
