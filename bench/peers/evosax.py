"""evosax: SimpleGA, jitted as a whole. Crossover of single weights at rate .5; dense Gaussian noise on every gene."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from evosax.algorithms import SimpleGA
from workload import MUTATION_SCALE, Workload


def set_up(workload: Workload) -> Callable[[], object]:
    """Return a function that does one ask, evaluation and tell."""
    images, labels = jnp.asarray(workload.images), jnp.asarray(workload.labels)
    inputs, hidden, classes = workload.inputs, workload.hidden, workload.classes
    algorithm = SimpleGA(workload.population, jnp.zeros(workload.genes), optax.constant_schedule(MUTATION_SCALE))
    algorithm.elite_ratio = workload.survivors / workload.population
    params = algorithm.default_params.replace(crossover_rate=0.5)
    first, second, last = workload.layers()

    def error(genome: jax.Array) -> jax.Array:
        units = jnp.tanh(images @ genome[:first].reshape(hidden, inputs).T + genome[first:second])
        logits = units @ genome[second:last].reshape(classes, hidden).T + genome[last:]
        return -jnp.mean(logits.argmax(axis=1) == labels)

    @jax.jit
    def generation(key, state):
        key, ask, tell = jax.random.split(key, 3)
        population, state = algorithm.ask(ask, state, params)
        state, _ = algorithm.tell(tell, population, jax.vmap(error)(population), state, params)
        return key, state

    key = jax.random.key(0)
    start = jax.random.normal(key, (workload.population, workload.genes)) * 0.3
    state = algorithm.init(key, start, jnp.zeros(workload.population), params)
    del start

    def step() -> None:
        nonlocal key, state
        key, state = jax.block_until_ready(generation(key, state))

    return step
