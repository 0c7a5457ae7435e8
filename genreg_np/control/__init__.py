"""Policies for the environments of Gymnasium: episodes as a fitness, and playing with what came of it.

    from genreg_np.control import episodes

    task = episodes("CartPole-v1")
    evolution = task.evolution()
    evolution.run(fitness=task, target=475, rescore=20, budget=30)
    task.returns(evolution.champion(), seeds=range(100)).mean()

Needs the extra `control`. A simulator of another kind needs nothing of this: any function of a model is a fitness.
"""

from genreg_np.control.episodes import Episodes, episodes

__all__ = ["Episodes", "episodes"]
