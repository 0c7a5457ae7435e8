"""Train small neural networks by evolution, without gradients, and run them anywhere."""

__version__ = "0.1.0"
