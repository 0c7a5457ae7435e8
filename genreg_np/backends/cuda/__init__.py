"""The CUDA C kernels of the cupy backend (backend.py), their compilation, and the device they run on."""
