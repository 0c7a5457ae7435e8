"""Evolve policies for Gymnasium environments, each for the time it usually takes on two cores.

    python examples/control.py CartPole-v1
    python examples/control.py LunarLander-v3 --seed 3

Needs the extra `control`.
"""

from __future__ import annotations

import argparse

from genreg_np import Model, TrainConfig
from genreg_np.control import Episodes, episodes

SECONDS = {"CartPole-v1": 5, "Acrobot-v1": 30, "Pendulum-v1": 180, "LunarLander-v3": 300}
EPISODES = {"CartPole-v1": 1, "Acrobot-v1": 1, "Pendulum-v1": 3, "LunarLander-v3": 1}  # of a score


def train(env: str, seconds: float, seed: int, workers: int) -> tuple[Model, Episodes]:
    """Return a policy, and the episodes it was evolved on."""
    task = episodes(env, EPISODES[env])
    evolution = task.evolution(TrainConfig.from_preset("policy", seed=seed))
    evolution.run(10**6, fitness=task, rescore=30, budget=seconds, workers=workers)
    return evolution.champion(), task


def main() -> None:
    """Train, and print the returns of fresh episodes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("env", choices=list(SECONDS))
    parser.add_argument("--seconds", type=float, help="training time [default: see SECONDS]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    policy, task = train(options.env, options.seconds or SECONDS[options.env], options.seed, options.workers)
    returns = task.returns(policy, range(100))
    print(f"{options.env}: {returns.mean():.1f} over {len(returns)} fresh episodes, the worst {returns.min():.1f}")
    policy.save(f"{options.env}.npz")


if __name__ == "__main__":
    main()
