"""Numba kernels: the equations of numpy_.py, step by step; each step is called from Python on a tile or a few genomes.

bits.py         Philox words in bulk
offspring.py    the genes of genomes: drawn, inherited, mutated
network.py      products, activations, and the parts of scores
errors.py       the parts of scores of target numbers
brood.py        a tile of a generation's genomes: pre-activations inherited, predictions scored
perturb.py      a tile of images: mirrored pairs of mutants of all units, and the change from their differences
mutants.py      the scores of those mutants
descent.py      gradient descent of dense networks
maps.py         convolution, activation and pooling, forward and backward
lanes.py        the innermost loops of convolution
tails.py        the layers that follow sums of maps
activations.py  activations, forward and backward
following.py    a gradient step of one network
moving.py       images rotated, stretched, shifted and distorted
detectors.py    deskewing, detectors and standardising of images
jit.py          the compiler and its cache on disk

Tables are arguments (Numba would freeze globals into the compiled code), sums run in a fixed order, and nothing is
compiled with fastmath: a product and a sum are rounded separately, as streams.py requires.

A kernel is called from Python and compiled once. A part is compiled by itself and again into each of its callers, and
their callers, so there are few parts, and small ones. A row of `layers` (L, 4) int64 holds: inputs, outputs, index of
the first weight, activation code.
"""
