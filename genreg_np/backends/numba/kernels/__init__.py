"""Numba kernels: the equations of numpy_.py, one genome at a time, in cache, over threads.

bits.py       Philox words in bulk
offspring.py  a genome's genes: drawn, copied, crossed, mutated
network.py    activations, logits, the score of an image
mutants.py    mirrored pairs of mutants of a layer's units, and what they earn
perturb.py    node perturbation of a batch, in parallel
brood.py      a whole generation, in parallel: two plans, chosen by cost
jit.py        the compiler, and its cache on disk

Tables are arguments (Numba would freeze globals into the compiled code), sums run in a fixed order, and nothing is
compiled with fastmath: a product and a sum are rounded separately, as streams.py demands. A genome's description goes
from kernel to kernel as one tuple, `brood`:

    survivors (S, D) float32    parents (P, 2) int32    gene_kind int       runs (R, 2) int64, see genes.crossover_runs
    elites int                  generation int          seed uint64         layers (L, 4) int64
    ranges (2,) float32         gaps (65536,) int32     normal (65536,)     scale float32

where a row of `layers` is: inputs, outputs, index of the first weight, activation code.
"""
