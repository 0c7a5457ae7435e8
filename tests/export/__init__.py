"""Tests of the export targets."""
