"""Episodes as a fitness: the same seed gives the same return, what does not fit is refused, observations are scaled."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from genreg_np.control import Episodes, episodes
from genreg_np.control.noted import noted_task
from genreg_np.control.spaces import Actions, input_shape, scaling
from genreg_np.errors import FitnessError, RunError, UsageError
from genreg_np.model import Model, load
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from tests.control import games
from tests.helpers import one_line

GAMES = "tests.control.games:"
TINY = TrainConfig.from_preset("policy", hidden=(3,), population_size=8)


def first_of(task: Episodes, **settings: Any) -> Model:
    """Return a policy that has learned nothing."""
    return task.evolution(TINY.replace(**settings), backend="numpy").ask()[0]


@pytest.mark.parametrize("game", [games.Walk, games.Glide, games.Numbered])
def test_a_policy_is_evolved_for_one_of_several_actions_and_for_numbers(game: type[games.Walk]) -> None:
    """Which way is better is found within a few generations, from episodes whose beginnings differ."""
    task = episodes(game, 4)
    evolution = task.evolution(TINY, backend="numpy")
    evolution.run(25, fitness=task, rescore=10)
    fresh = range(1000, 1100)
    assert task.returns(evolution.champion(), fresh).mean() > task.returns(first_of(task), fresh).mean() + 0.5
    assert task.returns(evolution.champion(), fresh).mean() > 0.5


def test_the_same_seed_gives_the_same_return_and_others_give_others() -> None:
    task = episodes(games.Walk, 3)
    model = first_of(task)
    assert task(model, 5) == task(model, 5) == pickle.loads(pickle.dumps(task))(model, 5)
    assert len({task(model, seed) for seed in range(20)}) > 10
    assert task(model, 5) == pytest.approx(np.mean([task.returns(model, [5]), *_others(task, model)]))


def _others(task: Episodes, model: Model) -> list[Any]:
    from genreg_np.control.episodes import seeds_of

    first, *more = seeds_of(5, 3)
    assert first == 5
    assert len({first, *more}) == 3
    return [task.returns(model, [seed]) for seed in more]


def test_all_genomes_of_a_generation_play_the_same_episodes_and_each_generation_others() -> None:
    """Also in other processes, and where a run goes on: the seeds are a function of run and generation."""
    seen: list[int] = []

    def score(model: Model, seed: int) -> float:
        seen.append(seed)
        return float(model.genes.sum())

    evolution = episodes(games.Walk).evolution(TINY, backend="numpy")
    evolution.run(3, fitness=score, episodes=2)
    told = np.array(seen).reshape(3, 8, 2)
    assert (told == told[:, :1]).all()
    assert len(set(told[:, 0].ravel().tolist())) == 6
    assert told.min() >= 0
    assert told.max() < 2**31


def test_a_run_in_processes_and_one_that_went_on_end_with_the_same_bytes(tmp_path: Path) -> None:
    """The network with its scaling is in the checkpoint: nothing is passed again."""
    task = episodes(games.Glide, 2)
    task.evolution(TINY, backend="numpy").run(6, fitness=task, rescore=3, out=tmp_path / "whole")
    task.evolution(TINY, backend="numpy").run(3, fitness=task, rescore=3, workers=2, out=tmp_path / "parts")
    again = Evolution.load(tmp_path / "parts" / "checkpoint.npz", backend="numpy")
    again.run(6, fitness=task, rescore=3, out=tmp_path / "parts")
    whole, parts = (tmp_path / name / "model.npz" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    model = load(whole)
    assert model.value_names == ("action",)
    assert model.trained("score") == task.facts()
    assert model.trained("score", "env") == f"{GAMES}Glide"


def test_a_policy_that_remembers_is_evolved_as_well() -> None:
    """What it saw at first decides in all steps."""
    task = episodes(games.Blind, 4)
    evolution = task.evolution(TINY.replace(network="elman 3 / dense 2", population_size=16), backend="numpy")
    evolution.run(25, fitness=task, rescore=10)
    assert task.returns(evolution.champion(), range(100)).mean() > 0.5


def test_numbers_stay_within_their_bounds() -> None:
    """However large the weights: tanh, and the scale of the bounds, which rounding may not leave."""
    actions = Actions.of(games.Glide.action_space, "here")
    assert actions.targets is not None
    np.testing.assert_allclose(actions.targets.offset, 0.5)
    for value in (-7.0, -0.5, 0.3, 1.5, np.float32(1.5000001)):
        action = actions.chosen(np.array([value], np.float32))
        assert games.Glide.action_space.contains(action)
    task = episodes(games.Glide)
    assert np.isfinite(task.returns(first_of(task, initial_gain=100.0), range(5))).all()


def test_observations_are_scaled_as_random_actions_show_them() -> None:
    """To deviation 1; what hardly varied, but has bounds, by a share of these."""
    task = episodes(games.Walk)
    network = task.network(TINY)
    assert network.fixed[0].mean.shape == (2,)
    again = pickle.loads(pickle.dumps(task)).network(TINY)
    assert again.fixed[0].mean.tobytes() == network.fixed[0].mean.tobytes()
    still = scaling(np.zeros(2), np.zeros(2), games.Walk.observation_space)
    np.testing.assert_allclose(1 / still.scale, 0.5)


def test_an_episode_ends_with_its_steps_at_the_latest() -> None:
    """The number that was asked for, the environment's own, or so many that every episode ends."""
    task = episodes(games.Endless, steps=5)
    assert task.steps == 5
    assert len(list(task.played(first_of(task), 0, task.env))) == 5
    assert episodes(games.Endless).steps == 10_000
    assert episodes("CartPole-v1").steps == 500
    assert episodes("CartPole-v1", steps=20).steps == 20
    assert episodes("CartPole-v1", steps=5000).steps == 500


def test_options_go_to_the_environment() -> None:
    task = episodes(games.Walk, pace=0.5)
    assert task.env.pace == 0.5
    assert task.facts()["option_pace"] == 0.5
    assert pickle.loads(pickle.dumps(task)).env.pace == 0.5


def test_a_function_of_a_module_makes_an_environment_by_its_name() -> None:
    assert episodes(f"{GAMES}Walk").facts() == episodes(games.Walk).facts()
    assert input_shape(episodes(f"{GAMES}flat").env.observation_space, "x") == (1,)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ("CartPol-v1", "CartPole"),
        ("nowhere:make", "nowhere cannot be imported"),
        (f"{GAMES}Wlak", r"has no Wlak \(did you mean 'Walk'\?\)"),
        (games.Told, "observations are Dict.*FlattenObservation"),
        ("FrozenLake-v1", "observations are Discrete.*FlattenObservation"),
        (games.Many, "actions are MultiBinary"),
        (games.Whole, r"1 whole number \(int32\)"),
        (games.breaks, "cannot be made: RuntimeError: no environment"),
        (games.none, "returned int, not a Gymnasium environment"),
        (lambda: games.Walk(), "define it at the top level"),
        (7, "a name or a function"),
    ],
    ids=["misspelt", "module", "function", "dict", "discrete", "several", "whole", "breaks", "number", "lambda", "int"],
)
def test_what_is_no_environment_for_a_network_is_refused(env: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        episodes(env)
    one_line(raised.value)


@pytest.mark.parametrize("options", [{"gravty": 9}, {"episodes": 0}, {"steps": 0}, {"episodes": 1.5}], ids=str)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as raised:
        episodes("CartPole-v1", **options)
    one_line(raised.value)


def test_an_environment_that_fails_says_where() -> None:
    """In which step of which episode, on one line, in this process and in others."""
    task = episodes(games.Lost)
    words = "Lost: step 2 of the episode with seed 4 failed: RuntimeError: no way back"
    with pytest.raises(FitnessError, match=words) as raised:
        task.returns(first_of(episodes(games.Walk)), [4])
    one_line(raised.value)


def test_observations_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(FitnessError, match="not finite"):
        episodes(games.Foggy).network(TINY)
    with pytest.raises(FitnessError, match="step 0 of the episode with seed 0 failed: ModelError: inputs hold NaN"):
        episodes(games.Foggy).returns(first_of(episodes(games.Walk)), [0])


def test_observations_of_another_shape_are_refused() -> None:
    with pytest.raises(FitnessError, match=r"an observation has 3 numbers, but observation_space is \(2,\)"):
        episodes(games.Wider).network(TINY)


def test_a_model_for_another_environment_is_refused() -> None:
    walk, glide, pole = episodes(games.Walk), episodes(games.Glide), episodes("CartPole-v1")
    walk.fits(first_of(walk))
    for task, model in ((glide, first_of(walk)), (walk, first_of(glide)), (pole, first_of(walk))):
        with pytest.raises(UsageError, match="the model") as raised:
            task.fits(model)
        one_line(raised.value)


def test_a_network_without_an_output_for_each_action_is_refused() -> None:
    with pytest.raises(UsageError, match="3 outputs, but there are 2 actions: `dense 2`"):
        episodes(games.Walk).network(TINY.replace(network="dense 3"))


def test_unbounded_numbers_are_given_as_they_come() -> None:
    import gymnasium

    actions = Actions.of(gymnasium.spaces.Box(-math.inf, math.inf, (2, 2)), "here")
    assert (actions.last, len(actions.names)) == ("linear", 4)
    assert actions.chosen(np.arange(4, dtype=np.float32)).tolist() == [[0, 1], [2, 3]]


def test_half_a_bound_holds() -> None:
    import gymnasium

    actions = Actions.of(gymnasium.spaces.Box(0.0, math.inf, (2,)), "here")
    assert actions.last == "linear"
    assert actions.chosen(np.array([-3, 7], np.float32)).tolist() == [0, 7]


@pytest.mark.parametrize("game", [games.Walk, games.Glide])
def test_outputs_that_are_not_finite_are_no_action(game: type[games.Walk]) -> None:
    """The episode has no return, and its policy is nobody's best."""
    task = episodes(game)
    actions = Actions.of(game.action_space, "here")
    count = len(actions.names)
    assert actions.chosen(np.full(count, np.nan, np.float32)) is None
    assert actions.chosen(np.full(count, np.inf, np.float32)) is None
    network = task.network(TINY)
    wild = Model.build(network, np.full(network.gene_count, 3e38, np.float32), targets=actions.targets)
    if game is games.Walk:
        assert np.isnan(task.returns(wild, [0])).all()


def test_rewards_that_are_no_numbers_are_refused() -> None:
    task = episodes(games.Paired)
    with pytest.raises(FitnessError, match="step 0 of the episode with seed 0 failed: TypeError") as raised:
        task.returns(first_of(episodes(games.Walk)), [0])
    one_line(raised.value)


def test_an_environment_that_ignores_its_seed_is_told_of() -> None:
    with pytest.warns(RuntimeWarning, match="its runs cannot be reproduced"):
        episodes(games.Chance).network(TINY)


def test_options_that_cannot_be_noted_are_named() -> None:
    """NumPy's numbers are noted as Python's; of others their names, so that nobody plays something else."""
    task = episodes(games.Walk, pace=np.float32(0.5))
    assert task.facts()["option_pace"] == 0.5
    with pytest.raises(UsageError, match="options pace of its environment are not noted"):
        noted_task(episodes(games.Walk, pace=np.ones(1)).facts(), "here", f"{GAMES}Walk")


@pytest.mark.parametrize(
    "wrong",
    [
        {"env": 3},
        {"env_steps": 0},
        {"env_episodes": "2"},
        {"option_env": "x"},
        {"option_pace": {}},
        {"option_steps": 1},
    ],
)
def test_notes_of_strangers_are_checked(wrong: dict[str, Any]) -> None:
    notes = episodes(games.Walk).facts() | wrong
    with pytest.raises(RunError, match="not what train --env writes") as raised:
        noted_task(notes, "here", f"{GAMES}Walk")
    one_line(raised.value)
