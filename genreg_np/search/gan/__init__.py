"""Generators of images and those who tell theirs from real ones: how a pair learns, and how it is judged."""
