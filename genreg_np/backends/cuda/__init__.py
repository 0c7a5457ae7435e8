"""The CUDA C kernels of the cupy backend (backend.py), their compilation, and the device on which they run."""
