"""Mixed evolution: a population learns by gradient descent, and its better half recombines, in turn.

After Gavin Cooke and Luca de Alfaro, "Experiments on Mixed Genetic and Gradient-Driven Evolution for Machine Learning",
and the notebook published with it. docs/mixed.md says where the two differ, and what is done here.

options.py       settings
networks.py      horizontal, vertical, one's own
breeding.py      parents, children, newcomers
fitness.py       accuracy, with a bonus for being different, or by niches
similarity.py    how alike networks are: cosines, clusters
strategy.py      one generation, as a strategy like all others
attacks.py       images changed so that a network errs: FGSM, PGD
measure.py       what is measured of a population when a run has ended
figures.py       the report's figures
published.py     the report's numbers
"""
