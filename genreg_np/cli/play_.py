"""`genreg-np play`: measure a policy in an environment, and film it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from genreg_np.cli.output import print_json
from genreg_np.cli.terminal import say
from genreg_np.cli.train_env import look_for
from genreg_np.errors import RunError, UsageError
from genreg_np.files import write_atomic
from genreg_np.fitness import finite_or_none
from genreg_np.model import load

if TYPE_CHECKING:
    from genreg_np.control import Episodes
    from genreg_np.model import Model

HELP = """\
Let a policy play episodes of an environment, and film the first.

MODEL comes from train --env, or is another model that takes as many numbers as an observation has, and either has a
class for each action or predicts as many numbers as an action has.
"""
EXAMPLES = """\b
Examples:
  genreg-np play runs/CartPole-v1-policy-0/model.npz --episodes 100
  genreg-np play runs/LunarLander-v3-policy-0 --out episode.gif
  genreg-np play policy.npz --env my_game:make --seed 7
"""
MOST_LISTED = 10  # episodes listed one by one


@click.command("play", help=HELP, epilog=EXAMPLES)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--env", metavar="NAME", help="The environment.  [default: as in training]")
@click.option("--episodes", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="How many episodes.")
@click.option("--steps", type=click.IntRange(min=1), help="Most steps of an episode.  [default: as in training]")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the first episode."
)
@click.option("--out", type=click.Path(), help="A .gif file for a film of the first episode.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(
    model_path: str, env: str | None, episodes: int, steps: int | None, seed: int, out: str | None, as_json: bool
) -> None:
    """Play episodes and print their returns."""
    path, target = Path(model_path), None if out is None else Path(out)
    if target is not None and target.suffix.lower() != ".gif":
        raise UsageError(f"--out {out}: must end with .gif")
    if seed + episodes > 2**31:
        raise UsageError(f"--seed {seed} and {episodes:,} episodes exceed the largest seed, {2**31 - 1:,}")
    look_for(env)
    model = load(path / "model.npz" if path.is_dir() else path)
    task = _task(model, str(path), env, steps)
    task.fits(model)
    seeds = list(range(seed, seed + episodes))
    if target is not None and not os.access(target.absolute().parent, os.W_OK):
        raise RunError(f"{target}: cannot be written; choose another --out")
    returns: list[float] = []
    if target is not None:
        from genreg_np.control.film import filmed

        rewards, film = filmed(task, model, seeds.pop(0))
        returns.append(sum(rewards))
        try:
            write_atomic(target, film)
        except OSError as error:
            raise RunError(f"{target}: cannot be written ({error.strerror})") from None
    returns += task.returns(model, seeds).tolist()
    if as_json:
        mean, deviation = (finite_or_none(float(found)) for found in (np.mean(returns), np.std(returns)))
        found = {"mean_return": mean, "deviation": deviation, "returns": list(map(finite_or_none, returns))}
        print_json({"env": task.name, "episodes": episodes, "seed": seed, "film": out, **found})
        return
    for number, value in enumerate(returns[:MOST_LISTED]):
        say(f"seed {seed + number}: return {value:.6g}")
    if episodes > MOST_LISTED:
        say(f"... and {episodes - MOST_LISTED:,} more")
    if episodes > 1:
        with np.errstate(invalid="ignore"):
            centre, spread = np.mean(returns), np.std(returns) / episodes**0.5
        say(f"mean return {centre:.6g} (standard error {spread:.3g}) over {episodes:,} episodes of {task.name}")
    if out is not None:
        say(f"film {out}")


def _task(model: Model, path: str, env: str | None, steps: int | None) -> Episodes:
    """Return the episodes to play: in the named environment, or as in the model's training."""
    from genreg_np.control import episodes
    from genreg_np.control.noted import noted_task

    known = model.trained("score")
    trained_in = known.get("env") if isinstance(known, dict) else None
    if env is None and trained_in is None:
        raise UsageError(f"{path} does not say which environment it was trained in: name one with --env")
    if trained_in is None or env not in (None, trained_in):
        return episodes(str(env), steps=steps)
    return noted_task(known, path, env, steps)
