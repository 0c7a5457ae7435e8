"""Convert a time budget to a number of generations, once, before the first of them.

A few generations are run and discarded. With t seconds for a generation, v for a validation every n generations, and s
seconds already used (for preparing, and the discarded generations),

    generations = (budget - s - end) / (t + v / n)

where `end` is the final validation and test, and the saving; half as many if `keep` is refit, which may train as long
again. The result depends only on this number, which is part of the configuration. The discarded generations cannot be
kept, as the schedule of an annealed strategy needs the number first.
"""

from __future__ import annotations

from collections.abc import Callable

from genreg_np.errors import UsageError
from genreg_np.runs.evolution import Evolution

REHEARSED = 0.03  # fraction of the budget used for discarded generations
FEWEST = 4  # of them; the first ones are slower


def fit_to_budget(evolution: Evolution, budget: float, should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Set the number of generations of an evolution so that it takes `budget` seconds in all, by its own clock.

    Returns
    -------
    bool
        False if it was stopped first; the number is then unchanged.

    Raises
    ------
    UsageError
        For a budget shorter than one generation, including preparation and test.
    """
    dataset = evolution.dataset
    assert dataset is not None
    clock, state = evolution.clock, evolution.state
    started = clock()
    marks = [started]
    while not should_stop() and (len(marks) <= FEWEST or marks[-1] - started < REHEARSED * budget):
        state = evolution.strategy.step(state, evolution.context, evolution.stream)
        marks.append(clock())
    if len(marks) <= FEWEST:
        return False
    recent = marks[len(marks) // 2 :]
    generation = (recent[-1] - recent[0]) / (len(recent) - 1) * evolution.config.options.effort
    for _ in range(2):  # the first pass prepares features
        looked = clock()
        for genes in evolution.champions_of(state).values():
            evolution.predict(genes, "validation")
        look = clock() - looked
    evolution.seconds += clock() - started
    end = look * (2 + len(dataset.test) / len(dataset.validation))
    rest = budget - evolution.seconds - end
    passes = 2 if evolution.config.keep == "refit" else 1
    count = int(rest / (generation + look / evolution.config.validate_every) / passes)
    if count < 1:
        raise UsageError(
            f"a budget of {budget:g} s is too short: preparing took {evolution.seconds:.2g} s, and one generation with "
            f"its test takes {generation + look + end:.2g} s here; give a longer one, or choose --generations"
        )
    evolution.change(generations=count)
    return True
