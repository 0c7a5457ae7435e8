"""neat-python: topologies and weights evolve together; the best genome so far is the policy."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

import neat
import numpy as np
from common import main, mean_return


def train(env: Any, seconds: float, seed: int, episodes: int) -> Callable[[np.ndarray], int]:
    """Return a policy after training for `seconds` seconds."""
    began = time.perf_counter()
    random.seed(seed)
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(SETTINGS.format(inputs=env.observation_space.shape[0], outputs=int(env.action_space.n)))
        file.flush()
        kinds = neat.DefaultGenome, neat.DefaultReproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation
        config = neat.Config(*kinds, file.name)
    population = neat.Population(config)
    generation = 0

    class Over(Exception):
        pass

    def judge(genomes: Any, config: Any) -> None:
        nonlocal generation
        seeds = [generation * episodes + number for number in range(episodes)]
        for _, genome in genomes:
            if time.perf_counter() - began >= seconds:
                raise Over
            network = neat.nn.FeedForwardNetwork.create(genome, config)
            genome.fitness = mean_return(env, lambda seen, net=network: int(np.argmax(net.activate(seen))), seeds)
        generation += 1

    with contextlib.suppress(Over):
        population.run(judge, 10**6)
    network = neat.nn.FeedForwardNetwork.create(population.best_genome, config)
    return lambda seen: int(np.argmax(network.activate(seen)))


SETTINGS = """
[NEAT]
fitness_criterion = max
fitness_threshold = 1e9
pop_size = 50
reset_on_extinction = True
no_fitness_termination = True

[DefaultGenome]
num_inputs = {inputs}
num_outputs = {outputs}
num_hidden = 0
feed_forward = True
initial_connection = full_direct
activation_default = tanh
activation_mutate_rate = 0.0
activation_options = tanh
aggregation_default = sum
aggregation_mutate_rate = 0.0
aggregation_options = sum
bias_init_mean = 0.0
bias_init_stdev = 1.0
bias_init_type = gaussian
bias_max_value = 30.0
bias_min_value = -30.0
bias_mutate_power = 0.5
bias_mutate_rate = 0.7
bias_replace_rate = 0.1
response_init_mean = 1.0
response_init_stdev = 0.0
response_init_type = gaussian
response_max_value = 30.0
response_min_value = -30.0
response_mutate_power = 0.0
response_mutate_rate = 0.0
response_replace_rate = 0.0
weight_init_mean = 0.0
weight_init_stdev = 1.0
weight_init_type = gaussian
weight_max_value = 30.0
weight_min_value = -30.0
weight_mutate_power = 0.5
weight_mutate_rate = 0.8
weight_replace_rate = 0.1
conn_add_prob = 0.5
conn_delete_prob = 0.2
node_add_prob = 0.3
node_delete_prob = 0.2
enabled_default = True
enabled_mutate_rate = 0.01
enabled_rate_to_true_add = 0.0
enabled_rate_to_false_add = 0.0
single_structural_mutation = False
structural_mutation_surer = default
compatibility_disjoint_coefficient = 1.0
compatibility_weight_coefficient = 0.5

[DefaultSpeciesSet]
compatibility_threshold = 3.0

[DefaultStagnation]
species_fitness_func = max
max_stagnation = 20
species_elitism = 2

[DefaultReproduction]
elitism = 2
survival_threshold = 0.2
min_species_size = 2
"""

if __name__ == "__main__":
    main(train)
