"""
A crane that does not let its load swing
========================================

A policy for your own simulator: a trolley on a rail must bring its load to a mark. The score is minus the mean distance
of the load from the mark, which has no gradient; CMA-ES evolves 49 weights on it.
:doc:`/own-scores` explains each step, and how to export the policy to C.
"""

import math

import matplotlib.pyplot as plt
import numpy as np

from genreg_np import Evolution, Network, TrainConfig


def moved(state, force):
    """Return the state 0.05 s later: position (m), speed, angle of the rope (radians), angular velocity."""
    place, speed, angle, turning = state
    sine, cosine = math.sin(angle), math.cos(angle)
    push = (force + sine * (turning * turning + 9.81 * cosine)) / (1 + sine * sine)
    speed, turning = speed + 0.05 * push, turning - 0.05 * (push * cosine + 9.81 * sine)
    return place + 0.05 * speed, speed, angle + 0.05 * turning, turning


def load_of(model, place):
    """Return the position of the load in each of 200 steps, (200,), in metres from the mark."""
    state, memory, seen = (place, 0.0, 0.0, 0.0), model.start(), []
    for _ in range(200):
        memory, (output,) = model.step(memory, state)
        state = moved(state, 10 * math.tanh(output))
        seen.append(state[0] + math.sin(state[2]))
    return np.array(seen)


def score(model, seed):
    """Return minus the mean distance of the load from the mark over ten seconds, in metres."""
    return -np.abs(load_of(model, np.random.default_rng(seed).uniform(-3, 3))).mean()


# %%
# The policy after 2, 10 and 40 generations.

config = TrainConfig.from_preset("policy", hidden=[8], population_size=16)
evolution = Evolution(config, network=Network.build((4,), hidden=(8,), outputs=1))
policies = {}
for generations in (2, 10, 40):
    evolution.run(generations, fitness=score, episodes=3, rescore=20)
    policies[generations] = evolution.champion()
    fresh = [score(policies[generations], seed) for seed in range(1000, 1050)]
    print(f"{generations:2} generations: {-np.mean(fresh):.2f} m from the mark on average, over 50 fresh starts")

# %%
# The path of the load from five starts.

seconds = np.arange(1, 201) * 0.05
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True, layout="constrained")
for axis, (generations, policy) in zip(axes, policies.items(), strict=True):
    for place in (-3, -1.5, 0.5, 2, 3):
        axis.plot(seconds, load_of(policy, place))
    axis.axhline(0, color="grey", linewidth=0.8)
    axis.set(title=f"{generations} generations", xlabel="seconds", ylim=(-3.5, 3.5))
axes[0].set_ylabel("load, metres from the mark")
plt.show()
