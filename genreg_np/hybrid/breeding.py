"""`recombine`, which lives in genreg_np.strategies.mixed.breeding, under the name it had before."""

from genreg_np.strategies.mixed.breeding import recombine

__all__ = ["recombine"]
