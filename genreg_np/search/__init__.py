"""Searching: networks with their optimisers as individuals, bred, trained a little, and the best of them longer."""
