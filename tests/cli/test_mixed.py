"""`genreg-np mixed`: what scripts rely on, tables, resume, and one clear line for every misuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from genreg_np.hybrid import published
from genreg_np.infer import load
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


def test_tables_of_generations_accuracies_and_attacks(genreg) -> None:
    out = genreg("mixed", *QUICK, "--eps", "0.1", "--paper-fgsm", "--attack-images", 30, "--no-figures").out
    assert re.search(r"^ +generation +mean validation +best +worst +alike 1 +alike 2a", out, re.MULTILINE)
    assert len(re.findall(r"^ +[12] +\d+\.\d\d +\d+\.\d\d", out, re.MULTILINE)) == 2
    assert re.search(r"test accuracy: mean of 4 \d+\.\d\d %, fittest \d+\.\d\d %, single networks", out)
    for attack in ("paper-fgsm 0.1623", "fgsm 0.1", "pgd 0.1"):
        assert re.search(rf"^ +{attack} +child on children( +\d+\.\d\d| +-)+", out, re.MULTILINE)
    assert "published" not in out, "these are not the published networks and images"
    assert "genreg-np eval runs/digits-mixed-0/model.npz" in out


def test_the_papers_mode_says_what_it_does(genreg) -> None:
    out = genreg("mixed", *QUICK, "--paper", *UNMEASURED, "--out", "run").out
    assert "no test any more" in out
    assert "chosen on these very images" in out
    assert 'selection = "test"' in Path("run/config.toml").read_text()


def test_a_published_run_has_the_published_rows_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown for MNIST and the published settings alone, which would take too long here."""
    from types import SimpleNamespace

    from genreg_np.cli import mixed_report
    from genreg_np.config import TrainConfig
    from genreg_np.hybrid.measure import Measured

    config = TrainConfig.from_preset("seed-mixed", dataset="mnist", parts=[1, 2])
    evolution = SimpleNamespace(config=config, dataset=SimpleNamespace(name="mnist"), state=SimpleNamespace(dropped=1))
    result = SimpleNamespace(run=Path(), generations=6, seconds=61.0)
    names, rows = ("1", "2a", "2b", "3"), published.ACCURACY["vertical"]
    records = [
        {"generation": n + 1, **dict(zip(("mean_accuracy", "best_accuracy", "worst_accuracy"), row, strict=True))}
        for n, row in enumerate(rows)
    ]
    shares = dict.fromkeys(("clean", "attacked", "attacked_least", "attacked_most", "attacked_of_both"), 0.5)
    attack = {"attack": "paper-fgsm", "epsilon": 0.1623, "pairing": "child on children", "transfer": None, **shares}
    measured = Measured(names, [[0.5] * 4] * 7, [[20] * 4] * 7, [0.96] * 20, [0.9, 0.91], [attack])
    monkeypatch.setattr(mixed_report, "_records", lambda result: records)
    text = "\n".join(mixed_report.lines(result, evolution, measured))
    assert re.search(r"^ +6 +96\.58 +96\.87 +96\.29 +96\.58 +96\.87 +96\.29 ", text, re.MULTILINE)
    assert "published: single networks 96.85, 96.95 %" in text
    assert "1 min 01 s" not in text
    assert "61.0 s, published about 35 min" in text
    assert re.search(r"child on children +50\.00 +50\.00 +50\.00 +50\.00 +50\.00 +- +4\.29", text)
    evolution.dataset.name = "fashion-mnist"
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
    pytest.importorskip("matplotlib")
    assert genreg("mixed", *QUICK, "--attack-images", 0, "--out", "run", "--quiet").code == 0
    assert len(list(Path("run/figures").glob("*.png"))) == 4


def test_a_table_of_features_is_not_attacked(genreg) -> None:
    """Attacks change pixels; the run is measured without them."""
    lines = [f"{n % 2 * 2 + n * 0.01},{-n % 3},{'ab'[n % 2]}" for n in range(60)]
    Path("table.csv").write_text("\n".join(["x,y,kind", *lines]))
    out = genreg("mixed", "--dataset", "table.csv", "--network", "8,4", "--population", 4, "--no-figures").out
    assert "no attacks" in out
    assert "test accuracy" in out


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
