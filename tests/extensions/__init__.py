"""One of each that can be added, as docs/extending.md shows: test_extending.py runs the shared tests on them."""
