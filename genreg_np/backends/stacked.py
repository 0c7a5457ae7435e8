"""Networks that are not all dense: genomes are built in full, and their layers applied to some images at a time.

Maps are large: a genome's values on a batch of images take many times the memory of its genes. So images are processed
in pieces of a fixed size, and only the last layer's outputs are kept for all of them.

Shapes: T genomes, D genes, I inputs, N images, K outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from genreg_np.backends.base import IMAGE_TILE, Work, genome_bytes
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Array, array_module
from genreg_np.layers.composite import Stack
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.normalise import BatchNorm
from genreg_np.layers.pooling import Pooling
from genreg_np.model import Network

TILE_BYTES = 64 << 20  # memory limit of a tile's genomes and their values, unless a single genome takes more
MOST_GENOMES = 64
SHORT = ("relu", "leaky-relu")  # activations that can be fused into a convolution


def works(network: Network) -> tuple[Work, ...]:
    """Return the works that a backend needs for layers that are not dense."""
    for before, layer in pairwise((None, *network.learning)):
        if isinstance(layer, Activation):
            short = layer.function in SHORT and isinstance(before, (Convolution, BatchNorm))
            plain = short or isinstance(before, Dense)
        elif isinstance(layer, Pooling) and layer.method == "max" and layer.stride == layer.size:
            plain = isinstance(before, (Convolution, BatchNorm, Activation))
        else:
            plain = isinstance(layer, (Convolution, BatchNorm, Dense, Dropout))
        if not plain:
            return Work.MAPS, Work.TAILS
    return (Work.MAPS,)


def genomes_at_once(network: Network, images: int, piece: int = IMAGE_TILE, most: int = 0) -> int:
    """Return how many genomes are processed together, at most MOST_GENOMES by default; it depends on the task alone."""
    return max(1, min(most or MOST_GENOMES, TILE_BYTES // genome_bytes(network, images, piece)))


def logits(stack: Stack, parameters: Sequence[Array], columns: Array, piece: int) -> Array:
    """Return the outputs of genomes, (T, K, N).

    Parameters
    ----------
    stack : Stack
        The learning layers.
    parameters : sequence of (T, *shape) float32
        The parameters of all layers.
    columns : (I, N) float32
    piece : int
        Number of images processed together.
    """
    xp, images = array_module(columns), columns.shape[1]
    found = None
    for first in range(0, images, piece):
        some = columns if images <= piece else xp.ascontiguousarray(columns[:, first : first + piece])
        values = stack.outputs(parameters, some)
        if found is None:
            found = xp.empty((len(parameters[0]), values.shape[-2], images), columns.dtype)
        found[..., first : first + piece] = values  # values are shared by all genomes if no layer has parameters
    return found
