"""The CUDA C kernels of cupy_.py, their compilation, and the device they run on."""
