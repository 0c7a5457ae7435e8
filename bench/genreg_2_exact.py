"""How long GENREG 2.0's own settings would take here, extrapolated from short timings of each part.

    python bench/genreg_2_exact.py

Filters: two of 48 rounds (48 filters, 60 generations, 2,500 images). Features: those of the preset, which keeps more
filters. Heads: a few of 6,000 generations of 60, each judged on all 55,000 training images. Referees are left out; the
published runs switched them off in four seeds of five. Writes bench/results/genreg-2-exact.json.
"""

from __future__ import annotations

import json
import time
from typing import Any

import machine
from rungs import RESULTS

from genreg_np import load_dataset
from genreg_np.backends import create
from genreg_np.runs.config import TrainConfig, read_preset
from genreg_np.strategies import fisher
from genreg_np.strategies.genreg_2 import Genreg2
from genreg_np.streams import Stream

PUBLISHED = {"filter_generations": 60, "filter_images": 250, "filter_population": 48, "pool": 0}
ROUNDS, HEADS = 48, 6000  # published
TIMED_HEADS = 5


def main() -> None:
    """Time, extrapolate, and write the results."""
    dataset, backend = load_dataset("mnist"), create("cpu")
    backend.warm_up(Genreg2.works(Genreg2.Options(), 1))
    whole, filters = [], []
    evolve = fisher.evolve

    def timed(*arguments: Any) -> Any:
        begun = time.perf_counter()
        found = evolve(*arguments)
        filters.append(time.perf_counter() - begun)
        return found

    fisher.evolve = timed
    published = [PUBLISHED | {"filter_rounds": rounds} for rounds in (1, 3)]
    for changes in (*published, {}):  # the time of one more round; last the preset
        config = TrainConfig.from_dict(read_preset("genreg-2") | changes)
        begun = time.perf_counter()
        problem = Genreg2.problem(dataset, config, backend)
        whole.append(time.perf_counter() - begun)
    one_round = (filters[1] - filters[0]) / 2
    context, stream = Genreg2.prepare(problem, config.options, backend), Stream(0)
    state = Genreg2.step(Genreg2.start(context, stream), context, stream)
    begun = time.perf_counter()
    for _ in range(TIMED_HEADS):
        state = Genreg2.step(state, context, stream)
    one_generation = (time.perf_counter() - begun) / TIMED_HEADS
    found = {
        "filters": ROUNDS * one_round,
        "features": whole[2] - filters[2],
        "heads": HEADS * one_generation,
        "round": one_round,
        "generation": one_generation,
        "machine": machine.describe(),
    }
    print({name: round(value, 2) for name, value in found.items() if name != "machine"})
    (RESULTS / "genreg-2-exact.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
