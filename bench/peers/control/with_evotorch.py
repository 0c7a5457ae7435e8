"""EvoTorch: its own Gymnasium problem and networks; PGPE, whose centre is the policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import HIDDEN, main
from evotorch.algorithms import PGPE
from evotorch.neuroevolution import GymNE


def train(env: Any, seconds: float, seed: int, episodes: int) -> Callable[[np.ndarray], int]:
    """Return a policy after training for `seconds` seconds."""
    began = time.perf_counter()
    network = f"Linear(obs_length, {HIDDEN}) >> Tanh() >> Linear({HIDDEN}, act_length)"
    torch.manual_seed(seed)
    problem = GymNE(env.spec.id, network, num_episodes=episodes, observation_normalization=True)
    search = PGPE(
        problem, popsize=24, center_learning_rate=0.2, stdev_learning_rate=0.1, stdev_init=0.5, optimizer="clipup",
        optimizer_config={"max_speed": 0.4},
    )  # fmt: skip
    while time.perf_counter() - began < seconds:
        search.step()
    policy = problem.to_policy(search.status["center"])

    def act(seen: np.ndarray) -> int:
        with torch.no_grad():
            return int(policy(torch.as_tensor(seen, dtype=torch.float32)).argmax())

    return act


if __name__ == "__main__":
    main(train)
