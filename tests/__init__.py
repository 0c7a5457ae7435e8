"""Tests: `make test` runs all but the long ones, `make soak` those."""
