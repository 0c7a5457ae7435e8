"""The fast CPU path: kernels that know nothing of threads, on tiles that a few threads share."""
