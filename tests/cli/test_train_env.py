"""`genreg-np train --env` and `genreg-np play`: a policy within seconds, and what cannot be is said in a line."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from genreg_np.cli import train_env
from genreg_np.files import pack_arrays
from genreg_np.infer import read_arrays
from genreg_np.model import Network, load
from tests.cli import FAST
from tests.helpers import model_of

WALK, GLIDE = "tests.control.games:Walk", "tests.control.games:Glide"
SHORT = ["--generations", "3", "--hidden", "3", "--set", "population_size=6", "--backend", "numpy", "--threads", "1"]


@pytest.fixture(autouse=True)
def _few_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_env, "JUDGED", 4)
    monkeypatch.setattr(train_env, "RESCORE", 2)


@pytest.mark.parametrize("env", [WALK, GLIDE, "CartPole-v1"])
def test_a_policy_is_trained_judged_and_kept(genreg, env: str) -> None:
    """With all that a run folder has; the model knows where it was trained."""
    outcome = genreg("train", "--env", env, *SHORT, "--episodes", "2", "--out", "run", "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert (found["env"], found["episodes"], found["generations"], found["ended"]) == (env, 4, 3, "generations")
    assert found["mean_return"] is not None
    assert len(Path("run/metrics.jsonl").read_text().splitlines()) == 3
    model = load("run/model.npz")
    assert model.trained("score", "env") == env
    assert model.trained("score", "env_episodes") == 2
    assert model.trained("method") == "cma-es"


def test_the_same_seed_trains_the_same_policy_also_in_parts(genreg) -> None:
    """And the fresh episodes at the end are the same, too."""
    whole = genreg("train", "--env", WALK, *SHORT, "--out", "whole", "--json")
    genreg("train", "--env", WALK, *SHORT, "--out", "parts", "--generations", "1")
    more = ["--generations", "3", "--backend", "numpy", "--threads", "1"]
    refused = genreg("train", "--resume", "parts", *more)
    assert (refused.code, "--env tests.control.games:Walk" in refused.err) == (2, True)
    parts = genreg("train", "--resume", "parts", "--env", WALK, *more, "--json")
    assert Path("whole/model.npz").read_bytes() == Path("parts/model.npz").read_bytes()
    assert json.loads(whole.out)["mean_return"] == json.loads(parts.out)["mean_return"]


def test_what_it_says_names_the_commands_that_come_next(genreg) -> None:
    outcome = genreg("train", "--env", "CartPole-v1", *SHORT)
    assert "mean return" in outcome.out
    assert "fresh episodes" in outcome.out
    run = "runs/CartPole-v1-policy-0"
    assert f"genreg-np play {run}/model.npz --out episode.gif" in outcome.out
    assert f"genreg-np train --resume {run} --generations 6" in outcome.out


def test_a_budget_and_a_target_end_a_run(genreg) -> None:
    small = ["--hidden", "3", "--set", "population_size=6", "--backend", "numpy", "--threads", "1"]
    outcome = genreg("train", "--env", WALK, *small, "--budget", "0.01s", "--json")
    assert json.loads(outcome.out)["ended"] == "budget"
    outcome = genreg("train", "--env", WALK, *small, "--target", "-1000", "--json")
    assert (json.loads(outcome.out)["ended"], json.loads(outcome.out)["generations"]) == ("target", 1)


def test_a_run_starts_from_a_policy(genreg) -> None:
    genreg("train", "--env", WALK, *SHORT, "--out", "first")
    outcome = genreg("train", "--env", WALK, *SHORT, "--init", "first/model.npz", "--out", "second", "--json")
    assert outcome.code == 0
    assert genreg("train", "--env", GLIDE, *SHORT, "--init", "first/model.npz").code == 2


def test_processes_share_the_episodes(genreg) -> None:
    """Two of them give the same policy as none."""
    genreg("train", "--env", WALK, *SHORT, "--out", "here")
    assert genreg("train", "--env", WALK, *SHORT, "--threads", "2", "--out", "there").code == 0
    assert Path("here/model.npz").read_bytes() == Path("there/model.npz").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--env", "CartPol-v1"], "CartPole"),
        (["--env", "tests.control.games:Told"], "FlattenObservation"),
        (["--env", "tests.control.games:Many"], "MultiBinary"),
        (["--env", WALK, "--dataset", "digits"], "--dataset is for data"),
        (["--env", WALK, "--familiarity"], "--familiarity is for data"),
        (["--env", WALK, "--strategy", "gradient"], "no genomes to hand out"),
        (["--env", WALK, "--preset", "evolution-strategy"], "annealing=none"),
        (["--env", WALK, "--threads", "0"], "1 or more"),
        (["--env", WALK, "--device", "1"], "needs --backend cupy"),
        (["--env", WALK, "--set", "class_weight=balanced"], "class_weight is a setting of runs on data"),
        (["--env", WALK, "--extend"], "needs --resume"),
        (["--env", " "], "--env is empty"),
        (["--env", "tests.control.games:WIDTH"], "is int, not a function"),
        (["--env", "..a:b"], "cannot be imported"),
        (["--env", "tests.control.games:breaks"], "cannot be made: RuntimeError: no"),
        (["--env", WALK, "--budget", "5s", "--generations", "3"], "cannot be combined"),
        (["--env", WALK, "--budget", "soon"], "must look like"),
        (["--env", WALK, "--network", "dense 3"], "dense 2"),
        (["--env", WALK, "--target", "nan"], "must be a mean return"),
        (["--episodes", "3"], "--episodes needs --env"),
    ],
)
def test_what_cannot_be_is_refused(genreg, arguments: list[str], words: str) -> None:
    outcome = genreg("train", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not Path("runs").exists()


def test_an_environment_that_fails_ends_the_run_with_a_line(genreg) -> None:
    outcome = genreg("train", "--env", "tests.control.games:Lost", *SHORT)
    assert outcome.code == 1
    assert "an episode of random actions failed: RuntimeError: no way back" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


@pytest.mark.parametrize("option", [["--preset", "policy"], ["--seed", "3"], ["--episodes", "2"], ["--env", GLIDE]])
def test_what_a_run_has_of_its_own_is_not_given_again(genreg, option: list[str]) -> None:
    genreg("train", "--env", "CartPole-v1", *SHORT, "--out", "run")
    outcome = genreg("train", "--resume", "run", *option, "--generations", "4")
    assert outcome.code == 2
    assert len(outcome.err.strip().splitlines()) == 1


def test_a_run_whose_origin_was_changed_is_refused(genreg) -> None:
    genreg("train", "--env", "CartPole-v1", *SHORT, "--out", "run")
    config = Path("run/config.toml")
    kept = [line for line in config.read_text().splitlines() if not line.startswith("env_episodes")]
    config.write_text("\n".join(kept))
    outcome = genreg("train", "--resume", "run", "--generations", "4")
    assert outcome.code == 1
    assert "its notes on the environment are not what train --env writes" in outcome.err


def test_a_run_by_the_clock_goes_on_by_the_clock(genreg) -> None:
    """Or by a number; one that had a number goes on to that, or to a larger one."""
    small = ["--hidden", "3", "--set", "population_size=6", "--backend", "numpy", "--threads", "1"]
    genreg("train", "--env", "CartPole-v1", *small, "--budget", "0.01s", "--out", "run")
    outcome = genreg("train", "--resume", "run")
    assert (outcome.code, "how much longer?" in outcome.err) == (2, True)
    assert genreg("train", "--resume", "run", "--budget", "0.01s").code == 0
    outcome = genreg("train", "--resume", "run", "--generations", "6", "--json")
    assert json.loads(outcome.out)["generations"] == 6
    outcome = genreg("train", "--resume", "run", "--generations", "3")
    assert (outcome.code, "is less than the 6" in outcome.err) == (2, True)


def test_planned_steps_are_extended_only_where_that_is_asked_for(genreg) -> None:
    """As in runs on data."""
    planned = ["--preset", "evolution-strategy", "--hidden", "3", "--set", "population_size=6", "--generations", "2"]
    genreg("train", "--env", "CartPole-v1", *planned, "--backend", "numpy", "--threads", "1", "--out", "run")
    outcome = genreg("train", "--resume", "run", "--generations", "3")
    assert (outcome.code, "--extend" in outcome.err) == (2, True)
    assert genreg("train", "--resume", "run", "--generations", "3", "--extend").code == 0


def test_a_run_on_data_is_no_run_of_an_environment(genreg) -> None:
    genreg("train", "--dataset", "digits", *FAST, "--out", "data")
    outcome = genreg("train", "--resume", "data", "--env", WALK, "--budget", "1s")
    assert (outcome.code, "is not a run of train --env" in outcome.err) == (2, True)
    outcome = genreg("train", "--env", WALK, *SHORT, "--out", "data")
    assert (outcome.code, "--resume data" in outcome.err) == (1, True)


@pytest.mark.parametrize("name", ["Rich", "Vague"])
def test_returns_that_are_not_finite_are_told(genreg, name: str) -> None:
    """JSON has null for them; where nobody has a finite one, there is no policy, and that is said."""
    env = ["--env", f"tests.control.games:{name}"]
    outcome = genreg("train", *env, *SHORT, "--out", "run", "--json")
    if name == "Vague":
        assert outcome.code == 1
        assert outcome.err.strip().splitlines()[-1].startswith("error: none of the 6 fitness values is finite")
        return
    assert outcome.code == 0
    assert json.loads(outcome.out)["mean_return"] is None
    assert "4 of 4 episodes had no finite return" in genreg("train", *env, *SHORT, "--out", "again").out
    assert json.loads(genreg("play", "run", *env, "--json").out)["returns"] == [None]


def test_a_policy_that_begins_a_run_keeps_its_scale(genreg) -> None:
    """Its first genome answers what the policy did, wherever the new environment's own scale would be."""
    genreg("train", "--env", WALK, *SHORT, "--out", "first")
    begin = ["--init", "first/model.npz", "--set", "sigma=0.000001", "--generations", "1"]
    genreg("train", "--env", "tests.control.games:Far", *SHORT, *begin, "--out", "second")
    first, second = (load(f"{run}/model.npz") for run in ("first", "second"))
    seen = np.array([[0.3, 4.0]], np.float32)
    np.testing.assert_allclose(second.outputs(seen), first.outputs(seen), atol=1e-3)


# play


@pytest.fixture
def policy(genreg) -> Path:
    """A policy that has hardly learned."""
    assert genreg("train", "--env", "CartPole-v1", *SHORT, "--out", "run").code == 0
    return Path("run/model.npz")


def test_a_policy_plays_where_it_was_trained(genreg, policy: Path) -> None:
    """From its file or its folder, the same episodes for the same seed."""
    told = json.loads(genreg("play", policy, "--episodes", "12", "--json").out)
    assert told["env"] == "CartPole-v1"
    assert len(told["returns"]) == 12
    assert told["mean_return"] == pytest.approx(np.mean(told["returns"]))
    plain = genreg("play", "run", "--episodes", "12").out
    assert "... and 2 more" in plain
    assert "over 12 episodes of CartPole-v1" in plain
    later = json.loads(genreg("play", policy, "--seed", "3", "--episodes", "2", "--json").out)
    assert later["returns"] == told["returns"][3:5]
    short = json.loads(genreg("play", policy, "--steps", "5", "--json").out)
    assert short["returns"] == [5.0]


def test_an_episode_is_filmed(genreg) -> None:
    """At its own speed, and the film changes nothing of what is played."""
    image = pytest.importorskip("PIL.Image")
    genreg("train", "--env", WALK, *SHORT, "--out", "walk")
    seen = json.loads(genreg("play", "walk", "--env", WALK, "--out", "walk.gif", "--json").out)
    unseen = json.loads(genreg("play", "walk", "--env", WALK, "--json").out)
    assert seen["returns"] == unseen["returns"]
    film = image.open(io.BytesIO(Path("walk.gif").read_bytes()))
    assert film.size == (20, 6)
    assert film.n_frames > 1


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["none.npz"], "none.npz", 1),
        (["run", "--out", "film.mp4"], "must end with .gif", 2),
        (["run", "--env", WALK], "the model takes inputs of (4,)", 2),
        (["run", "--env", "Nothing-v7"], "Nothing", 2),
        (["run", "--seed", str(2**31 - 1), "--episodes", "2"], "largest seed", 2),
        (["other.npz"], "does not say which environment", 2),
        (["run", "--out", "no/film.gif"], "cannot be written", 1),
    ],
)
def test_what_cannot_be_played_is_refused(genreg, policy: Path, arguments: list[str], words: str, code: int) -> None:
    model_of(Network.build((4,), (3,), 2)).save("other.npz")
    outcome = genreg("play", *arguments)
    assert (outcome.code, words in outcome.err) == (code, True), outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_an_environment_that_draws_nothing_is_not_filmed(genreg) -> None:
    genreg("train", "--env", "tests.control.games:Unseen", *SHORT, "--out", "unseen")
    outcome = genreg("play", "unseen", "--env", "tests.control.games:Unseen", "--out", "film.gif")
    assert (outcome.code, "draws no pictures" in outcome.err) == (2, True)
    assert not Path("film.gif").exists()


def test_a_model_cannot_have_a_function_called(genreg, policy: Path) -> None:
    """Whoever made the file may have written anything into it: functions are named on the command line alone."""
    arrays = read_arrays(policy, compressed=False)
    header = json.loads(arrays["header"].tobytes())
    header["training"]["score"]["env"] = "os:getcwd"
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    Path("evil.npz").write_bytes(pack_arrays(arrays))
    outcome = genreg("play", "evil.npz")
    assert (outcome.code, "which is imported only if you name it" in outcome.err) == (2, True)


def test_config_and_origin_say_what_was_played(genreg, policy: Path) -> None:
    origin: dict[str, Any] = tomllib.loads(Path("run/config.toml").read_text())["origin"]
    assert origin["env"] == "CartPole-v1"
    assert (origin["env_episodes"], origin["env_steps"], origin["rescore"]) == (1, 500, 2)
