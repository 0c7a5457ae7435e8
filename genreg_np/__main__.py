"""`python -m genreg_np` is `genreg-np`."""

from genreg_np.cli import main

main()
