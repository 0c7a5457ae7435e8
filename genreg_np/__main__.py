"""Run `genreg-np` as `python -m genreg_np`."""

from genreg_np.cli import main

main()
