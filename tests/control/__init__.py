"""Tests of policies for environments."""
