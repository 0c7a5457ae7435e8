"""Tests of the page of a run or a model."""
