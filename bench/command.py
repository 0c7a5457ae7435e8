"""The installed command line, run in this process; the last word on stderr is its peak memory, in MB."""

from __future__ import annotations

import sys

from machine import peak_megabytes

from genreg_np.cli import main

if __name__ == "__main__":
    try:
        main()
    finally:
        print(peak_megabytes(), file=sys.stderr)
