"""Policies for Gymnasium environments: episodes as a fitness, and playing with the result.

    from genreg_np.control import episodes

    task = episodes("CartPole-v1")
    evolution = task.evolution()
    evolution.run(fitness=task, target=475, rescore=20, budget=30)
    task.returns(evolution.champion(), seeds=range(100)).mean()

Needs the extra `control`. Other simulators do not need this module: any function of a model can be a fitness.
"""

from genreg_np.control.episodes import Episodes, episodes

__all__ = ["Episodes", "episodes"]
