"""The command line as installed, in this process; the last word on stderr is the memory it took, in MB."""

from __future__ import annotations

import sys

from machine import peak_megabytes

from genreg_np.cli import main

if __name__ == "__main__":
    try:
        main()
    finally:
        print(peak_megabytes(), file=sys.stderr)
