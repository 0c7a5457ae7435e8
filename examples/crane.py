"""Evolve a policy for your own simulator: a crane that brings its load to a mark without letting it swing.

python examples/crane.py                                   writes crane.npz, in a few seconds
genreg-np export crane.npz --to c --out crane/             the policy in C, used by examples/crane.c:
cc -std=c99 -O2 -I crane examples/crane.c crane/model.c -o drive -lm
./drive 2.5                                                starts 2.5 m from the mark
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from genreg_np import Evolution, Model, Network, TrainConfig

State = tuple[float, float, float, float]  # position (m), speed, angle (radians), angular velocity


def moved(state: State, force: float) -> State:
    """Return the state 0.05 s later of a 1 kg trolley on a rail, with a 1 kg load on 1 m of rope."""
    place, speed, angle, turning = state
    sine, cosine = math.sin(angle), math.cos(angle)
    push = (force + sine * (turning * turning + 9.81 * cosine)) / (1 + sine * sine)
    speed, turning = speed + 0.05 * push, turning - 0.05 * (push * cosine + 9.81 * sine)
    return place + 0.05 * speed, speed, angle + 0.05 * turning, turning


def score(model: Model, seed: int) -> float:
    """Return minus the load's mean distance from the mark over ten seconds, in metres; the seed sets the start."""
    state: State = (np.random.default_rng(seed).uniform(-3, 3), 0.0, 0.0, 0.0)
    memory, away = model.start(), 0.0
    for _ in range(200):
        memory, (output,) = model.step(memory, state)
        state = moved(state, 10 * math.tanh(output))
        away += abs(state[0] + math.sin(state[2]))
    return -away / 200


def main() -> None:
    """Evolve a policy, and print its score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=60)
    parser.add_argument("--workers", type=int, default=0, help="processes")
    parser.add_argument("--out", default="crane.npz")
    options = parser.parse_args()
    config = TrainConfig.from_preset("policy", hidden=[8], population_size=16)
    evolution = Evolution(config, network=Network.build((4,), hidden=(8,), outputs=1))
    evolution.run(options.generations, fitness=score, episodes=3, rescore=20, workers=options.workers)
    policy = evolution.champion()
    fresh = [score(policy, seed) for seed in range(1000, 1100)]
    print(f"{-np.mean(fresh):.3f} m from the mark on average, over {len(fresh)} fresh starts")
    policy.save(options.out)


if __name__ == "__main__":
    main()
