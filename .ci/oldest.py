"""Print the oldest packages that pyproject.toml allows for extras, one a line, for pip: oldest.py [EXTRA...]."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
needed = [*project["dependencies"], *(f"genreg-np[{extra}]" for extra in sys.argv[1:])]
for requirement in needed:
    if own := re.fullmatch(r"genreg-np\[(.+)\]", requirement):
        needed += [line for extra in own[1].split(",") for line in project["optional-dependencies"][extra]]
    else:
        print(requirement.replace(">=", "=="))
