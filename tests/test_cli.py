"""The command line: what scripts rely on, and one clear line for every misuse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np.cli import COMMANDS, main
from genreg_np.config import preset_names
from genreg_np.infer import load
from genreg_np.model import Model, Network
from tests.helpers import model_of

FAST = ["--generations", "3", "--set", "population_size=20", "--set", "images_per_class=4"]


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Outcome:
    """Exit code and output of one call."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def genreg(capsys: pytest.CaptureFixture[str]):
    """Call the command line in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(exit_info.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def model(genreg) -> Path:
    """A model trained for three generations on the digits."""
    assert genreg("train", "--dataset", "digits", "--out", "run", *FAST, "--quiet").code == 0
    return Path("run/model.npz")


def one_line(outcome: Outcome, code: int) -> str:
    """Check that a call failed with one line and return it."""
    assert outcome.code == code, outcome.out + outcome.err
    lines = [line for line in outcome.err.strip().splitlines() if not line.startswith(("Usage:", "Try "))]
    lines = [line for line in lines if line.strip()]
    assert len(lines) == 1, outcome.err
    assert "Traceback" not in outcome.err
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(genreg, command: str) -> None:
    outcome = genreg(command, "--help")
    assert outcome.code == 0
    assert f"genreg-np {command}" in outcome.out
    assert "Example" in outcome.out


def test_train_help_names_every_setting_and_preset(genreg) -> None:
    out = genreg("train", "--help").out
    for name in ("child_mutation_rate", "survival_cutoff", "trust_inheritance", *preset_names()):
        assert name in out


def test_train_json_has_the_promised_fields_on_its_last_line(genreg) -> None:
    outcome = genreg("train", "--dataset", "digits", "--out", "run", *FAST, "--json")
    result = json.loads(outcome.out.strip().splitlines()[-1])
    promised = {
        "method",
        "dataset",
        "seed",
        "generations",
        "seconds",
        "validation_accuracy",
        "test_accuracy",
        "run",
        "model",
    }
    assert promised <= set(result)
    assert result["generations"] == 3
    assert 0 <= result["test_accuracy"] <= 1
    assert Path(result["model"]).exists()
    assert len(outcome.out.strip().splitlines()) == 1, "progress must not mix with the result"


def test_train_prints_accuracy_classes_model_and_what_to_try_next(genreg) -> None:
    out = genreg("train", "--dataset", "digits", "--out", "run", *FAST).out
    assert re.search(r"test accuracy +\d+\.\d\d %", out)
    assert re.search(r"^ +7 +\d+\.\d\d %", out, re.MULTILINE)
    assert "run/model.npz" in out
    assert "genreg-np eval run/model.npz" in out


def test_metrics_have_a_line_per_generation_with_the_promised_fields(model: Path) -> None:
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [line["generation"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert {"seconds", "best_trust", "mean_trust", "mean_accuracy"} <= set(line)
    assert "validation_accuracy" in lines[-1]


def test_options_override_config_file_which_overrides_preset(genreg) -> None:
    Path("my.toml").write_text('seed = 5\nhidden = [7]\ndataset = "digits"\n')
    outcome = genreg(
        "train", "--preset", "small", "--config", "my.toml", "--hidden", "9,8", *FAST, "--out", "run", "--json"
    )
    assert outcome.code == 0, outcome.err
    training = load("run/model.npz").header["training"]
    assert training["seed"] == 5
    assert training["config"]["hidden"] == [9, 8]
    assert training["config"]["elites"] == 4


def test_runs_without_out_get_fresh_folders(genreg) -> None:
    for _ in range(2):
        assert genreg("train", "--dataset", "digits", *FAST, "--quiet").code == 0
    assert Path("runs/digits-small-0/model.npz").exists()
    assert Path("runs/digits-small-0-2/model.npz").exists()


def test_init_starts_from_a_model(genreg, model: Path) -> None:
    outcome = genreg(
        "train", "--dataset", "digits", "--init", model, "--out", "second", *FAST, "--generations", 1,
        "--set", "child_mutation_rate=0", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    first, second = load(model), load("second/model.npz")
    np.testing.assert_array_equal(first.arrays["layers.0.weight"], second.arrays["layers.0.weight"])


def test_init_of_another_shape_is_refused(genreg, model: Path) -> None:
    line = one_line(genreg("train", "--dataset", "digits", "--init", model, "--hidden", 5, "--out", "b"), 2)
    assert "--hidden" in line


def test_budget_becomes_a_number_of_generations_in_the_config(genreg) -> None:
    outcome = genreg(
        "train", "--dataset", "digits", "--budget", "1s", "--set", "population_size=20", "--out", "run", "--json"
    )
    assert outcome.code == 0, outcome.err
    generations = json.loads(outcome.out)["generations"]
    assert f"generations = {generations}\n" in Path("run/config.toml").read_text()


def test_target_ends_the_run(genreg) -> None:
    outcome = genreg("train", "--dataset", "digits", "--target", "0.3", "--out", "run", "--json")
    result = json.loads(outcome.out)
    assert result["ended"] == "target"
    assert result["generations"] < 1000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--set", "child_mutation_rat=0.1"], "child_mutation_rate"),
        (["--set", "child_mutation_rate=2"], "at most 1"),
        (["--set", "population_size=1"], "at least 2"),
        (["--set", "survival_cutoff=0"], "greater than 0"),
        (["--set", "elites=500"], "survivors"),
        (["--set", "hidden"], "KEY=VALUE"),
        (["--hidden", "0"], "at least 1"),
        (["--hidden", "a,b"], "64,32"),
        (["--preset", "seed-mnist"], "seed-mnist-64"),
        (["--strategy", "genrg"], "genreg"),
        (["--dataset", "mnst"], "mnist"),
        (["--backend", "numpi"], "numpy"),
        (["--budget", "soon"], "60s"),
        (["--seed", "-1"], "at least 0"),
        (["--generations", "0"], "at least 1"),
        (["--threads", "0"], "from 1 to"),
        (["--size", "28"], "28x28"),
        (["--extend"], "--resume"),
        (["--config", "missing.toml"], "missing.toml"),
        (["--bogus"], "--bogus"),
    ],
)
def test_usage_errors_are_one_line_with_the_way_out_and_exit_2(genreg, arguments: list[str], expected: str) -> None:
    defaults = [] if "--dataset" in arguments else ["--dataset", "digits"]
    line = one_line(genreg("train", *defaults, *arguments, "--out", "x"), 2)
    assert expected in line


def test_config_file_with_unknown_key_suggests_the_nearest(genreg) -> None:
    Path("my.toml").write_text("mutation_scal = 0.1\n")
    assert "'mutation_scale'" in one_line(genreg("train", "--dataset", "digits", "--config", "my.toml"), 2)


def test_cupy_says_in_one_line_that_it_cannot(genreg) -> None:
    assert "cupy" in one_line(genreg("train", "--dataset", "digits", "--backend", "cupy", "--out", "x"), 1)


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


def save_relabelled(model: Path, **changes: object) -> Path:
    """Write a copy of a model whose header has other entries."""
    loaded = load(model)
    Path("changed.npz").write_bytes(Model(loaded.header | changes, loaded.arrays).pack())
    return Path("changed.npz")


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


def test_names_from_a_file_are_printed_on_one_line_without_control_characters(genreg, model: Path) -> None:
    names = ["a\nb", "\x1b[31mred", "long " * 60, *"3456789"]
    changed = save_relabelled(model, class_names=names, training={"method": "x\ny", "source": "s\x07t"})
    np.savez("own.npz", x=np.zeros((60, 8, 8), np.uint8), y=np.arange(60) % 10, class_names=np.array(names))
    info = genreg("info", changed).out
    assert len(info.splitlines()) == 6
    loaded = load(changed)
    Path("changed.npz").write_bytes(
        Model(loaded.header | {"class_names": [name.strip() for name in names], "input_range": [0, 255]}, loaded.arrays)
        .pack()
    )  # fmt: skip
    evaluated = genreg("eval", changed, "--dataset", "own.npz")
    assert evaluated.code == 0, evaluated.err
    np.save("digit.npy", np.zeros((8, 8), np.uint8))
    inferred = genreg("infer", changed, "digit.npy", "--top", 10).out
    assert len(inferred.splitlines()) == 1
    for printed in (info, evaluated.out, inferred):
        assert all(sign.isprintable() or sign == "\n" for sign in printed)
        assert "long long long long lo" in printed
        assert "long " * 6 not in printed


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
    errors = outcome.err.splitlines()
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
        ("f.npy", None),
    ],
)
def test_infer_of_damaged_files_is_one_line_that_names_them(
    genreg, model: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        np.save(name, np.full((8, 8), np.nan, np.float32))
    else:
        Path(name).write_bytes(content)
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


def test_info_says_what_the_model_is(genreg, model: Path) -> None:
    out = genreg("info", model).out
    assert "64-32-10" in out
    assert "on digits" in out
    assert json.loads(genreg("info", model, "--json").out)["format"] == "genreg-np model"


def test_data_list_names_every_dataset(genreg) -> None:
    out = genreg("data", "list").out
    for name in ("mnist", "fashion-mnist", "digits", "letters"):
        assert name in out


def test_data_fetch_of_digits_needs_scikit_learn(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "built in" in genreg("data", "fetch", "digits").out
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "pip install 'genreg-np[train]'" in one_line(genreg("data", "fetch", "digits"), 1)


def test_data_show_writes_a_picture(genreg) -> None:
    from PIL import Image

    assert genreg("data", "show", "digits", "--out", "sheet.png").code == 0
    with Image.open("sheet.png") as image:
        assert image.width > 100


def test_doctor_selftest_passes(genreg) -> None:
    outcome = genreg("doctor", "--selftest")
    assert outcome.code == 0, outcome.out
    assert "DISAGREES" not in outcome.out
    assert re.search(r"^  numpy +ready", outcome.out, re.MULTILINE)


def test_unknown_command_is_a_usage_error(genreg) -> None:
    assert genreg("tarin").code == 2


def test_trains_on_a_table_and_predicts_from_raw_columns(genreg) -> None:
    rng = np.random.default_rng(0)
    rows = ["height,width,kind"]
    for kind, centre in (("ant", 100.0), ("bee", 400.0), ("wasp", 900.0)):
        rows += [f"{centre + rng.normal() * 20},{rng.normal() * 0.01},{kind}" for _ in range(40)]
    Path("insects.csv").write_text("\n".join(rows) + "\n")
    outcome = genreg("train", "--dataset", "insects.csv", "--generations", 60, "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["test_accuracy"] > 0.9
    assert load("run/model.npz").class_names == ("ant", "bee", "wasp")
    assert load("run/model.npz").predict(np.array([[900.0, 0.0]]))[0] == 2
    assert json.loads(genreg("eval", "run/model.npz", "--dataset", "insects.csv", "--json").out)["accuracy"] > 0.9


def test_trains_on_a_folder_of_images(genreg) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for kind, level in (("dark", 40), ("light", 200)):
        Path("pictures", kind).mkdir(parents=True)
        for index in range(12):
            pixels = np.clip(level + rng.normal(0, 20, (6, 5)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(f"pictures/{kind}/{index}.png")
    outcome = genreg("train", "--dataset", "pictures", "--generations", 40, "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert load("run/model.npz").input_shape == (6, 5)
    assert json.loads(outcome.out)["dataset"] == "pictures/"


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


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from genreg_np.cli import main; main()", "train", "--dataset", "digits", *FAST]
    process = subprocess.Popen([*command, "--out", "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    process.wait(timeout=60)
    assert b"Traceback" not in process.stderr.read()
    assert load("run/model.npz").output_count == 10


def test_budget_and_generations_together_are_refused(genreg) -> None:
    assert "--budget" in one_line(genreg("train", "--dataset", "digits", "--budget", "5s", "--generations", 9), 2)


def test_rates_may_be_written_without_a_leading_zero(genreg) -> None:
    outcome = genreg(
        "train", "--dataset", "digits", "--out", "run", *FAST, "--set", "child_mutation_rate=.05", "--quiet"
    )
    assert outcome.code == 0, outcome.err
    assert load("run/model.npz").header["training"]["config"]["child_mutation_rate"] == 0.05


def test_a_moved_dataset_can_be_named_at_resume_and_another_one_cannot(genreg) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{centre + rng.normal()},{kind}" for centre, kind in ((0, "a"), (9, "b")) for _ in range(20)]
    Path("first.csv").write_text("x,kind\n" + "\n".join(rows) + "\n")
    assert genreg("train", "--dataset", "first.csv", "--out", "run", *FAST, "--quiet").code == 0
    Path("first.csv").rename("second.csv")
    assert genreg("train", "--resume", "run", "--dataset", "second.csv", "--generations", 5, "--quiet").code == 0
    Path("second.csv").write_text("x,kind\n" + "\n".join(rows[1:]) + "\n")
    assert "not those this run began with" in one_line(
        genreg("train", "--resume", "run", "--dataset", "second.csv", "--generations", 7), 1
    )
