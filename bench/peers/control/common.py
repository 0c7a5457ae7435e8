"""Shared by the peers of bench/control.py: arguments, a small policy network in NumPy, and the judging."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

HIDDEN, JUDGED, FIRST_JUDGED = 16, 100, 10**6


class Network:
    """A policy with one hidden layer, as a user of a library without networks would write it."""

    def __init__(self, env: Any) -> None:
        self.inputs, self.outputs = env.observation_space.shape[0], int(env.action_space.n)
        self.size = HIDDEN * (self.inputs + 1) + self.outputs * (HIDDEN + 1)

    def act(self, genes: np.ndarray, observation: np.ndarray) -> int:
        """Return the action for an observation, given weights (size,)."""
        first, second = HIDDEN * self.inputs, HIDDEN * (self.inputs + 1)
        hidden = np.tanh(genes[:first].reshape(HIDDEN, -1) @ observation + genes[first:second])
        last = second + self.outputs * HIDDEN
        return int((genes[second:last].reshape(self.outputs, -1) @ hidden + genes[last:]).argmax())


def mean_return(env: Any, act: Callable[[np.ndarray], int], seeds: list[int]) -> float:
    """Return the mean return over an episode with each seed."""
    returns = []
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(act(observation))
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
    return float(np.mean(returns))


def main(train: Callable[..., Callable[[np.ndarray], int]]) -> None:
    """Train for the given seconds, judge the policy, and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("env")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--episodes", type=int, default=1)
    arguments = parser.parse_args()
    env = gymnasium.make(arguments.env, disable_env_checker=True)
    began = time.perf_counter()
    act = train(env, arguments.seconds, arguments.seed, arguments.episodes)
    took = time.perf_counter() - began
    mean = mean_return(env, act, list(range(FIRST_JUDGED, FIRST_JUDGED + JUDGED)))
    print(json.dumps({"seconds": round(took, 2), "mean": mean}))
