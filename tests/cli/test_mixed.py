"""`genreg-np mixed`: what scripts rely on, tables, resume, and one clear line for every misuse."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from genreg_np.infer import load
from genreg_np.strategies.mixed import published
from tests.cli import FAST, one_line

QUICK = ["--dataset", "digits", "--network", "16,8|8", "--population", 4, "--generations", 2, "--backend", "numpy"]
UNMEASURED = ["--attack-images", 0, "--no-figures"]


def test_json_has_the_promised_fields_on_its_last_line(genreg) -> None:
    outcome = genreg("mixed", *QUICK, "--eps", "0.1", "--attack-images", 30, "--no-figures", "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.strip().splitlines()) == 1, "progress must not mix with the result"
    result = json.loads(outcome.out)
    promised = {"method", "dataset", "seed", "generations", "seconds", "mean_accuracy", "test_accuracy", "run", "model"}
    assert promised <= set(result)
    assert (result["method"], result["generations"], result["network"]) == ("mixed", 2, "16,8|8")
    assert result["layers"] == ["1", "2a", "2b", "3"]
    assert len(result["by_generation"]) == 2
    assert {row["attack"] for row in result["attacks"]} == {"fgsm", "pgd"}
    assert json.loads(Path("run/measures.json").read_text())["attacks"] == result["attacks"]
    assert load(result["model"]).output_count == 10


def test_a_run_of_few_steps_says_so(genreg) -> None:
    """The built-in digits are 13 batches of 100: a few generations of that teach hardly anything."""
    few = genreg("mixed", *QUICK, *UNMEASURED)
    assert "only 26 steps of gradient descent in all" in few.out
    enough = genreg("mixed", *QUICK, *UNMEASURED, "--set", "batch_size=4")
    assert "of gradient descent in all" not in enough.out


def test_tables_of_generations_accuracies_and_attacks(genreg) -> None:
    out = genreg("mixed", *QUICK, "--eps", "0.1", "--paper-fgsm", "--attack-images", 30, "--no-figures").out
    assert re.search(r"^ +gen\. +mean validation +best +worst +layer 1 +layer 2a", out, re.MULTILINE)
    assert len(re.findall(r"^ +[12] +\d+\.\d\d +\d+\.\d\d.* 0\.\d\d/\d", out, re.MULTILINE)) == 2
    assert re.search(r"test accuracy: mean of 4 \d+\.\d\d %, fittest \d+\.\d\d %, single networks", out)
    for attack in ("paper-fgsm", "fgsm 0.1", "pgd 0.1"):
        assert re.search(rf"^ +{attack} +child on children( +\d+\.\d\d| +-)+", out, re.MULTILINE)
    assert "paper-fgsm: eps 0.1623" in out
    assert "published" not in out, "these are not the published networks and images"
    assert "genreg-np eval runs/digits-mixed-0/model.npz" in out


def test_the_papers_mode_says_what_it_does(genreg) -> None:
    out = genreg("mixed", *QUICK, "--paper", *UNMEASURED, "--out", "run").out
    assert "as published:\n  parents are chosen by test accuracy, which is then no longer a test\n" in out
    assert "weights outside whole blocks" in out
    assert "chosen on these very images" in out
    assert 'selection = "test"' in Path("run/config.toml").read_text()


def test_what_is_said_to_be_as_published_is_what_is_in_force(genreg) -> None:
    """Settings of one's own come before the papers mode's."""
    own = ["--set", "selection=validation", "--set", "training=train", "--gene", "unit"]
    out = genreg("mixed", *QUICK, "--paper", *own, *UNMEASURED, "--out", "run").out
    assert "test accuracy, so" not in out
    assert "validation images are learned from" not in out
    assert "outside whole blocks" not in out
    assert "  images come in a fixed order\n" in out
    out = genreg("mixed", *QUICK, "--set", "selection=test", *UNMEASURED, "--out", "other").out
    assert "as published:\n  parents are chosen by test accuracy" in out
    assert "as published" not in genreg("mixed", *QUICK, *UNMEASURED, "--out", "third").out


def test_a_model_says_what_its_accuracies_are_worth(genreg) -> None:
    """Validation images were learned from and test images chose the parents: neither accuracy is in the file."""
    assert genreg("mixed", *QUICK, "--paper", *UNMEASURED, "--out", "run", "--quiet").code == 0
    training = load("run/model.npz").header["training"]
    assert training["accuracies"] == {}
    note = "validation images were used for training; parents were chosen by test accuracy"
    assert training["note"] == note
    out = genreg("info", "run/model.npz").out
    assert f"note         {note}\n" in out
    assert "%" not in out
    assert note in genreg("eval", "run/model.npz").out
    assert genreg("mixed", *QUICK, *UNMEASURED, "--out", "fair", "--quiet").code == 0
    training = load("fair/model.npz").header["training"]
    assert set(training["accuracies"]) == {"validation", "test"}
    assert "note" not in training


@pytest.mark.parametrize(
    "options",
    [
        ["--preset", "seed-mixed"],
        ["--strategy", "mixed", "--set", "selection=test"],
        ["--preset", "mixed", "--set", "training=all"],
    ],
)
def test_train_refuses_what_has_no_test(genreg, options: list[str]) -> None:
    """Its report would call test accuracy what parents were chosen by."""
    assert "genreg-np mixed --paper" in one_line(genreg("train", "--dataset", "digits", *options), 2)
    assert not Path("runs").exists()


def test_train_does_not_go_on_with_a_run_that_has_no_test(genreg) -> None:
    assert genreg("mixed", *QUICK, "--paper", *UNMEASURED, "--out", "run", "--quiet").code == 0
    line = one_line(genreg("train", "--resume", "run", "--generations", 3), 2)
    assert "genreg-np mixed --resume run" in line


def test_a_published_run_has_the_published_rows_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown for MNIST and the published settings alone, which would take too long here."""
    from types import SimpleNamespace

    from genreg_np.cli import mixed_report
    from genreg_np.report.measure import Measured
    from genreg_np.runs.config import TrainConfig

    config = TrainConfig.from_preset("seed-mixed", dataset="mnist", parts=[1, 2])
    evolution = SimpleNamespace(config=config, dataset=SimpleNamespace(name="mnist"), state=SimpleNamespace(dropped=1))
    training: dict[str, object] = {"changes": []}
    result = SimpleNamespace(run=Path(), generations=6, seconds=61.0, model=SimpleNamespace(training=training))
    names, rows = ("1", "2a", "2b", "3"), published.ACCURACY["vertical"]
    records = [
        {"generation": n + 1, **dict(zip(("mean_accuracy", "best_accuracy", "worst_accuracy"), row, strict=True))}
        for n, row in enumerate(rows)
    ]
    shares = dict.fromkeys(("clean", "attacked", "attacked_least", "attacked_most", "attacked_of_both"), 0.5)
    attack = {"attack": "paper-fgsm", "epsilon": 0.1623, "pairing": "child on children", "transfer": None, **shares}
    measured = Measured(names, [[0.5] * 4] * 7, [[20] * 4] * 7, [0.96] * 20, [0.9, None], [attack])
    monkeypatch.setattr(mixed_report, "_records", lambda *_: records)
    text = "\n".join(mixed_report.lines(result, evolution, measured))
    assert re.search(r"^ +6 +96\.58 +96\.87 +96\.29 +96\.58 +96\.87 +96\.29 ", text, re.MULTILINE)
    assert "published: single networks 96.85, 96.95 %" in text
    assert "1 min 01 s" not in text
    assert "61.0 s, published about 35 min" in text
    assert "as many epochs 90.00 %, diverged\n" in text
    assert max(map(len, text.splitlines())) <= 110
    assert re.search(r"child on children +50\.00 +50\.00 +50\.00 +50\.00 +50\.00 +- +4\.29", text)
    training["changes"] = [{"setting": "learning_rate", "old": 0.02, "new": 0.01, "generation": 3}]
    text = "\n".join(mixed_report.lines(result, evolution, measured))
    assert "4.29" not in text
    assert "changed during the run: learning_rate; single networks used the last settings" in text
    training["changes"] = []
    evolution.config = config.replace(child_mutation_rate=0.1)
    assert "4.29" not in "\n".join(mixed_report.lines(result, evolution, measured))
    evolution.config, evolution.dataset.name = config, "fashion-mnist"
    assert "4.29" not in "\n".join(mixed_report.lines(result, evolution, measured))


def test_resume_goes_on_and_measures_again(genreg) -> None:
    """As if the total had been the total from the start."""
    assert genreg("mixed", *QUICK, *UNMEASURED, "--out", "run", "--quiet").code == 0
    assert genreg("mixed", "--resume", "run", "--generations", 4, *UNMEASURED, "--quiet").code == 0
    whole = [*QUICK, "--generations", 4]
    assert genreg("mixed", *whole, *UNMEASURED, "--out", "whole", "--quiet").code == 0
    assert Path("run/model.npz").read_bytes() == Path("whole/model.npz").read_bytes()
    assert len(json.loads(Path("run/measures.json").read_text())["similarity"]) == 5


def test_figures_are_drawn_where_they_can_be(genreg) -> None:
    """After the results: what cannot be drawn or written loses none, and is one line."""
    pytest.importorskip("matplotlib")
    first = genreg("mixed", *QUICK, "--attack-images", 0, "--out", "run")
    assert len(list(Path("run/figures").iterdir())) == 4
    assert first.out.index("test accuracy") < first.out.index("drawing figures") < first.out.index("(4 files)")
    for file in Path("run/figures").iterdir():
        file.unlink()
    Path("run/figures").rmdir()
    Path("run/figures").write_text("in the way")
    again = genreg("mixed", "--resume", "run", "--attack-images", 0)
    assert again.code == 0
    assert "test accuracy" in again.out
    assert "\nno figures: " in again.out
    assert "Traceback" not in again.err
    again = genreg("mixed", "--resume", "run", "--attack-images", 0, "--json")
    assert json.loads(again.out.splitlines()[-1])["generations"] == 2
    assert "no figures: " in again.err


def test_a_run_folder_that_cannot_be_written_loses_no_result(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results are printed first; then comes the line that says what could not be written."""
    from genreg_np.errors import RunError
    from genreg_np.runs.run_folder import RunFolder

    def fail(self: RunFolder, name: str, values: object) -> None:
        if name == "measures.json":
            raise RunError("measures.json: cannot be written")

    monkeypatch.setattr(RunFolder, "write_json", fail)
    outcome = genreg("mixed", *QUICK, *UNMEASURED, "--json")
    assert "mean_accuracy" in json.loads(outcome.out)
    assert outcome.code == 1


def test_a_table_of_features_is_not_attacked(genreg) -> None:
    """Attacks change pixels; the run is measured without them. What to try next names the table and its column."""
    lines = [f"{n % 2 * 2 + n * 0.01},{'ab'[n % 2]},{-n % 3}" for n in range(60)]
    Path("the table.csv").write_text("\n".join(["x,kind,y", *lines]))
    named = ["--dataset", "the table.csv", "--label", "kind"]
    out = genreg("mixed", *named, "--network", "8,4", "--population", 4, "--no-figures", "--out", "a run").out
    assert "no attacks" in out
    assert "test accuracy" in out
    call = "genreg-np eval 'a run/model.npz' --dataset 'the table.csv' --label kind"
    assert f"try next:\n  {call}\n" in out
    assert genreg(*shlex.split(call)[1:]).code == 0
    assert genreg("mixed", "--resume", "a run", "--generations", 7, *UNMEASURED, "--quiet").code == 0


def test_letters_are_loaded_as_asked_and_said_to_be_what_they_are(genreg) -> None:
    """The same 26 images everywhere is worth a line; views are loaded again when the run goes on."""
    pytest.importorskip("PIL")
    call = ("mixed", "--dataset", "letters", "--network", "8,4", "--population", 2, "--generations", 1, *UNMEASURED)
    assert "the same 26 images are train, validation and test" in genreg(*call, "--out", "plain").out
    assert "3 views per letter" in genreg(*call, "--set", "variations=3", "--out", "run").out
    outcome = genreg("mixed", "--resume", "run", "--generations", 2, *UNMEASURED, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["generations"] == 2


def test_pictures_are_resized(genreg) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, level in (("dark", 0), ("light", 200)):
        Path(f"pictures/{name}").mkdir(parents=True)
        for number in range(8):
            image.new("L", (9, 7), level + 5 * number).save(f"pictures/{name}/{number}.png")
    call = ("mixed", "--dataset", "pictures", "--size", "4x5", "--network", "6,4", "--population", 2, *UNMEASURED)
    out = genreg(*call, "--out", "run").out
    assert "eval run/model.npz --dataset pictures\n" in out  # the model knows the size
    assert genreg("eval", "run/model.npz", "--dataset", "pictures").code == 0
    assert load("run/model.npz").input_shape == (4, 5)
    assert genreg("mixed", "--resume", "run", "--generations", 7, *UNMEASURED, "--quiet").code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--population", 1], "population_size = 1 must be at least 2"),
        (["--network", "diagonal"], "network 'diagonal' must be"),
        (["--network", "8,3|5"], "equally wide"),
        (["--gene", "limb"], "gene = 'limb' must be one of layer, block, unit, weight"),
        (["--fitness", "beauty"], "must be one of accuracy, diversity, niches"),
        (["--eps", "0.1,2"], "eps 2 must be greater than 0 and at most 1"),
        (["--eps", "some"], "--eps 'some' must be numbers"),
        (["--set", "strategy=genreg"], "strategy"),
        (["--network", "8,6", "--set", "parts=1"], "parts = 1 must have a number for each of the 2 hidden layers"),
        (["--network", "8,6", "--set", "parts=1,4"], "a layer of 6 units cannot be cut into 4 equal parts"),
        (["--paper", "--set", "selection=validation"], "chosen on training images"),
        (["--size", "big"], "size 'big': must be"),
        (["--resume", "run", "--label", "kind"], "--label cannot be combined with --resume"),
        (["--set", "learning_rat=0.1"], "did you mean 'learning_rate'"),
        (["--mutation-rate", 2], "child_mutation_rate = 2.0 must be"),
        (["--device", 1], "--backend cupy"),
        (["--resume", "run", "--seed", 1], "--seed cannot be combined with --resume"),
        (["--resume", "run", "--paper"], "--paper cannot be combined with --resume"),
    ],
)
def test_misuse_is_one_line_and_exit_2(genreg, options: list[object], words: str) -> None:
    line = one_line(genreg("mixed", "--dataset", "digits", *options), 2)
    assert words in line
    assert not Path("runs").exists()


def test_a_single_layer_that_cannot_recombine_is_one_line(genreg) -> None:
    call = ("mixed", "--dataset", "digits", "--set", "hidden=[]", "--gene", "layer", "--backend", "numpy")
    assert "cannot recombine" in one_line(genreg(*call), 2)
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_a_run_of_another_method_is_not_gone_on_with(genreg) -> None:
    assert genreg("train", "--dataset", "digits", "--out", "run", *FAST, "--quiet").code == 0
    assert "genreg-np train --resume run" in one_line(genreg("mixed", "--resume", "run"), 2)


def test_resume_of_no_run_is_one_line(genreg) -> None:
    assert "holds no run" in one_line(genreg("mixed", "--resume", "nowhere"), 1)
