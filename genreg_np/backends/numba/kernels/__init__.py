"""Numba kernels: the equations of numpy_.py, step by step, each step called from Python on a tile or a few genomes.

bits.py       Philox words in bulk
offspring.py  genomes' genes: drawn, inherited, mutated
network.py    products, activations, what a score is made of
brood.py      a tile of a generation's genomes: pre-activations inherited, predictions judged
perturb.py    a tile of images: mirrored pairs of mutants of all units, and what their differences change
mutants.py    what those mutants earn
descent.py    gradient descent
detectors.py  deskewing, detectors and standardising of images
jit.py        the compiler, and its cache on disk

Tables are arguments (Numba would freeze globals into the compiled code), sums run in a fixed order, and nothing is
compiled with fastmath: a product and a sum are rounded separately, as streams.py demands.

A kernel is called from Python and compiled once. A part is compiled for itself and again into each of its callers, and
theirs: so there are few, small ones. A row of `layers` (L, 4) int64 is: inputs, outputs, index of the first weight,
activation code.
"""
