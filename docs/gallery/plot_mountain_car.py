"""
A car in a valley, generation by generation
===========================================

A Gymnasium environment gives a score like any other: the return of a policy. In MountainCar a weak motor has to swing a
car out of a valley; each step costs a point, and an episode ends after 200. All returns are equal until a policy first
gets out, which is hard for methods that follow a gradient of rewards; a population needs only one policy that does.
(CartPole, the usual first example, is too easy: one of the first sixteen policies already has the maximum return.)

On the command line this is ``genreg-np train --env MountainCar-v0``; :doc:`/own-scores` covers your own environments.
"""

import matplotlib.pyplot as plt
import numpy as np

from genreg_np.control import episodes

task = episodes("MountainCar-v0")
evolution = task.evolution()  # observations scaled, an output for each action
records = []
evolution.run(25, fitness=task, rescore=20, on_record=records.append)
policy = evolution.champion()
returns = task.returns(policy, seeds=range(50))
print(f"mean return {returns.mean():.1f} over 50 fresh episodes, the worst {returns.min():.0f}")

# %%
# The returns of each generation's policies. The best of a generation may be lucky, so ``rescore`` plays twenty more
# episodes before a policy counts as the best so far.

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
generations = [record["generation"] for record in records]
axis.fill_between(
    generations,
    [record["fitness_minimum"] for record in records],
    [record["fitness_maximum"] for record in records],
    alpha=0.25,
    label="worst to best",
)
axis.plot(generations, [record["fitness_mean"] for record in records], label="mean")
axis.plot(generations, [record["best_ever_fitness"] for record in records], label="best so far, 20 more episodes")
axis.set(xlabel="generation", ylabel="return", ylim=(-205, -60))
axis.legend(frameon=False)
plt.show()

# %%
# One episode: back and forth until there is enough momentum. The network predicts the number of the action.

environment = task.made()
observation, _ = environment.reset(seed=3)
places, ended = [observation[0]], False
while not ended:
    observation, _, out, late, _ = environment.step(int(policy.predict(observation)[0]))
    places.append(observation[0])
    ended = out or late

figure, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
axis.plot(np.arange(len(places)), places)
axis.axhline(0.5, color="grey", linewidth=0.8)
axis.annotate("out of the valley", (0, 0.5), (0, 3), textcoords="offset points", color="grey")
axis.set(xlabel="step", ylabel="position of the car", ylim=(-1.25, 0.65))
plt.show()
