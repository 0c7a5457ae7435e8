"""The benchmarks measure what they say: same work, checked against the specification, honest fits."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.layers.groups import Gene
from tests.helpers import INT8, KINDS, PATIENCE, standin

BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.fixture(autouse=True)
def bench_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def tiny_workload(population: int = 20):
    from workload import Workload

    rng = np.random.default_rng(0)
    return Workload(rng.random((12, 30), np.float32), rng.integers(0, 3, 12), 5, 3, population)


def test_a_workload_read_back_is_the_one_written(tmp_path: Path) -> None:
    workload = tiny_workload()
    workload.save(tmp_path / "workload.npz")
    again = type(workload).load(tmp_path / "workload.npz")
    for name, value in dataclasses.asdict(workload).items():
        assert np.array_equal(getattr(again, name), value), name


def test_a_fifth_survives_but_at_most_400() -> None:
    assert [tiny_workload(size).survivors for size in (3, 20, 2000, 20_000)] == [1, 4, 400, 400]


def test_our_implementations_pass_the_validator_and_a_wrong_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    import validate

    assert validate.disagreements(tiny_workload()) == []

    class Wrong(NumpyBackend):
        def rebuild(self, brood, chosen):
            return super().rebuild(brood, chosen) * np.float32(1.01)

    monkeypatch.setattr(validate, "GENERATIONS", {"wrong": ("wrong", Gene.WEIGHT)})
    monkeypatch.setattr(validate, "create", lambda name: Wrong() if name == "wrong" else NumpyBackend())
    assert validate.disagreements(tiny_workload()) == ["wrong: rebuilt weights differ"]


def test_implementations_are_timed_in_processes_of_their_own() -> None:
    pytest.importorskip("numba")
    from workers import Effort, Launch, measure

    names = ("gemm", "numpy, gene = weight")
    figures = measure(tiny_workload(), {name: Launch(name) for name in names}, Effort(turns=1, seconds=1))
    for name in names:
        assert figures[name]["fastest_ms"] <= figures[name]["median_ms"] <= figures[name]["slowest_ms"]
        assert figures[name]["peak_mb"] > 0


def test_the_stages_of_both_plans_run_on_the_real_kernels() -> None:
    pytest.importorskip("numba")
    import stages

    for gene, expected in ((Gene.WEIGHT, "build"), (Gene.NONE, "inherit")):
        timed, whole = stages.stages(tiny_workload(), gene)
        assert expected in timed
        for action in (*timed.values(), whole):
            action()


def test_growth_is_fitted_from_200_on() -> None:
    from tables import exponent

    def point(size: int, milliseconds: float) -> dict:
        return {"case": size, "figures": {"ours": {"median_ms": milliseconds}}}

    points = [point(50, 900.0), *(point(size, 0.3 * size**1.2) for size in (200, 500, 1000))]
    assert exponent(points, "ours") == pytest.approx(1.2)
    assert exponent(points[:3], "ours") is None


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0.01, 0.2))
def test_names_of_lines_are_kept_apart_and_in_order(values: list[float], gap: float) -> None:
    import plots

    heights = sorted(values)
    places = plots.apart(heights, gap)
    assert all(after - before >= gap - 1e-9 for before, after in itertools.pairwise(places))
    assert sum(places) == pytest.approx(sum(heights))


def test_a_target_that_was_missed_says_so() -> None:
    from targets import Target

    assert Target("speed", 25, " ms", 24.9).row() == ["speed", "at most 25 ms", "24.9 ms", "yes"]
    assert Target("speed", 6, " x", 5.99, at_most=False).row()[2:] == ["5.99 x", "**no**"]
    assert Target("speed", 25, " ms", None).row()[3] == "not measured"


def mixed_run(seed: int, mean: float, clean: float) -> dict:
    """Return what bench/mixed.py keeps of a run, with one layer, one generation and one attack."""
    shares = {"clean": clean, "attacked": 0.05, "attacked_of_both": 0.04, "transfer": None}
    record = {"mean_accuracy": mean, "best_accuracy": mean, "worst_accuracy": mean, "newcomers_kept": 1}
    return {
        "seed": seed, "mean_accuracy": mean, "test_accuracy": mean, "seconds": 50.0,
        "baseline_accuracies": [0.96, 0.97], "layers": ["1"], "similarity": [0.5],
        "similarity_by_generation": [[0.0], [0.5]], "clusters_by_generation": [[20], [5]],
        "curve": [record], "machine": {},
        "attacks": [{"attack": "paper-fgsm", "epsilon": 0.1623, "pairing": "child on children", **shares}],
    }  # fmt: skip


def test_tables_of_mixed_evolution_say_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means and deviations over seeds beside the published numbers; without results each says that there are none."""
    import json

    import mixed_tables

    monkeypatch.setattr(mixed_tables, "RESULTS", tmp_path)
    assert {write() for write in mixed_tables.PAGE.values()} == {mixed_tables.MISSING}
    runs = [mixed_run(0, 0.91, 0.75), mixed_run(1, 0.93, 0.77)]
    (tmp_path / "mixed-paper.json").write_text(json.dumps({"horizontal": {"options": [], "runs": runs}}))
    (tmp_path / "mixed-cells.json").write_text(json.dumps({"newcomers 10 %": {"options": [], "runs": runs}}))
    assert "| horizontal | 1 | 91.60 | 92.00 ± 1.41 |" in mixed_tables.accuracy()
    assert "| horizontal | 2 | 93.37 | - |" in mixed_tables.accuracy()
    assert "| horizontal | child on children | 9.70 | 5.00 ± 0.00 | 76.00 ± 1.41 |" in mixed_tables.paper_attacks()
    assert "1: 0.50 ± 0.00 (5.0 ± 0.0)" in mixed_tables.likeness()
    assert "| newcomers 10 % | 2 | - | 92.00 ± 1.41 |" in mixed_tables.cells()
    assert "| newcomers 10 % | 1.0 |" in mixed_tables.newcomers()


def test_the_machine_of_mixed_runs_is_that_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions and seeds are named; where runs differ in them, that is said."""
    import json

    import mixed_tables

    monkeypatch.setattr(mixed_tables, "RESULTS", tmp_path)

    def told(*runs: tuple[int, str]) -> str:
        made = [mixed_run(seed, 0.9, 0.9) for seed, _ in runs]
        for one, (_, version) in zip(made, runs, strict=True):
            one["machine"] = {"processor": "P", "cores": 2, "versions": {"numpy": version}}
        variants = {"one": {"options": [], "runs": made}, "two": {"options": [], "runs": made[:1]}}
        (tmp_path / "mixed-cells.json").write_text(json.dumps(variants))
        return mixed_tables.machine()

    assert told((0, "2.1")) == "P, 2 cores; numpy 2.1; seeds 0."
    assert told((0, "2.1"), (1, "2.1")) == "P, 2 cores; numpy 2.1; seeds 0, 1, not all of them in every row."
    found = told((0, "2.1"), (1, "2.2"))
    assert found.startswith("Not all runs on the same machine and versions. 2 runs: P, 2 cores; numpy 2.1; 1 runs: ")


def test_runs_of_another_configuration_are_not_taken_for_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same options may mean another thing when defaults change; a file that notes no configuration is believed."""
    import json

    import mixed

    made: list[int] = []

    def command(options: list[str], seed: int) -> dict:
        made.append(seed)
        return mixed_run(seed, 0.9, 0.9) | {"best_accuracy": 0.9, "process_seconds": 1.0}

    monkeypatch.setattr(mixed, "command", command)
    options = {"one": ["--newcomers", "0"]}
    path = tmp_path / "mixed-cells.json"
    mixed.runs("cells", options, 2, False, tmp_path)
    mixed.runs("cells", options, 2, False, tmp_path)
    assert made == [0, 1]
    stored = json.loads(path.read_text())
    assert (stored["one"]["config"]["learning_rate"], stored["one"]["config"]["newcomers"]) == (0.01, 0.0)
    assert stored["one"]["config"]["attacks"][0] == "fgsm eps 0.05"
    path.write_text(json.dumps({"one": {"options": options["one"], "runs": stored["one"]["runs"]}}))
    mixed.runs("cells", options, 3, False, tmp_path)
    assert made == [0, 1, 2]
    stored["one"]["config"]["learning_rate"] = 0.1
    path.write_text(json.dumps(stored))
    mixed.runs("cells", options, 2, False, tmp_path)
    assert made == [0, 1, 2, 0, 1]


def test_the_implementations_of_a_step_take_the_same_steps() -> None:
    """All networks in one call and a call for each come to the same weights: their times can be compared."""
    pytest.importorskip("numba")
    import mixed_steps
    from workload import Workload

    rng = np.random.default_rng(0)
    workload = Workload(rng.random((40, 30), np.float32), rng.integers(0, 3, 40), 5, 3, 2)
    genes = mixed_steps.first_genes(workload)
    assert genes.shape == (2, 30 * 256 + 256 + 256 * 128 + 128 + 128 * 3 + 3)
    found = []
    for set_up in mixed_steps.IMPLEMENTATIONS.values():
        found.append(np.concatenate(set_up(workload)()))
    for other in found[1:]:
        assert other == pytest.approx(found[0], abs=1e-5)
    assert np.abs(found[0] - genes).max() > 1e-4


def test_the_matrix_of_targets_is_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of layer is in it, and a target that lacks one has a dash there; the page has it as it is."""
    import support

    from genreg_np.export import TARGETS, target

    page = (BENCH.parent / "docs" / "export.md").read_text("utf-8")
    assert f"<!-- support -->\n{support.support()}\n<!-- end -->" in page
    monkeypatch.setattr(target("onnx"), "TAKES", frozenset(KINDS) - {"deskew", "quantise"})
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in support.support().splitlines()]
    assert head == ["layer", *(f"`{name}`" for name in TARGETS), "with `--int8`"]
    column = {row[0].partition(":")[0]: row[head.index("`onnx`")] for row in rows}
    assert {kind for kind, sign in column.items() if sign == "-"} == {"deskew", "models of 8-bit integers"}
    assert set(column) == {*KINDS, "models of 8-bit integers"} - INT8
    refused = {row[0].partition(":")[0] for row in rows if row[-1] == "-"}
    assert refused == {"columns", "project", "responses", "statistics", "elman"}


def gpu(tmp_path: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """Run the measurements of a GPU over the stand-in; return what was written of each part."""
    standin()
    subprocess.run(
        [sys.executable, BENCH / "gpu.py", "--rehearse", "--out", tmp_path, *arguments],
        env=os.environ | {"PYTHONPATH": str(BENCH.parent)}, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    return json.loads((tmp_path / "gpu-rehearsal.json").read_text())["parts"]


def test_the_measurements_of_a_gpu_can_be_rehearsed(tmp_path: Path) -> None:
    """The self-test, and a generation of both backends: the same bytes, timed; a part that fails leaves the others."""
    pytest.importorskip("numba")
    parts = ("device", "mixed", "self-test", "seed-mnist-64")  # the rehearsal's settings are not those of `mixed`
    found = gpu(tmp_path, "--only", *parts)
    assert "exit code 1" in found["mixed"]["ended"]
    assert found["device"]["kernels (s)"] > 0
    assert found["device"]["cupy"] == "stand-in"
    assert found["self-test"]["wrong"] == []
    case = found["seed-mnist-64"]
    assert case["generations with the same bytes"] == 2
    assert case["a second run is the same to the byte"]
    assert case["of which kernels and products (ms)"] > 0


def test_a_part_that_has_no_time_is_said_to_have_none(tmp_path: Path) -> None:
    assert "no time was left" in gpu(tmp_path, "--only", "self-test", "--seconds", "0")["self-test"]["ended"]


def test_no_result_is_left_out_of_the_tables_in_silence() -> None:
    """What was measured is of the presets of today: of a preset that changes it is measured again."""
    from rungs import ALL, RESULTS, known_runs

    if not RESULTS.exists():
        pytest.skip("the results are not part of the source package")
    measured = [name for name in ALL if (RESULTS / f"accuracy-{name}.json").exists()]
    assert [name for name in measured if not known_runs(name)] == []
