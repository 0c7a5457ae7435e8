"""Generators of images and discriminators that tell generated from real: how a pair learns and how it is judged."""
