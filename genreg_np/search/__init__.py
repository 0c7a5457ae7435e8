"""Search: individuals, such as networks with optimisers, are bred and trained a little, the best of them longer."""
