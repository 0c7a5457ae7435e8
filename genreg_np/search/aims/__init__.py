"""What individuals learn: an aim is a module of this package with an entry in REGISTRY."""

from __future__ import annotations

from genreg_np.search.aims.base import Aim
from genreg_np.search.aims.classes import Classes
from genreg_np.search.aims.itself import Itself
from genreg_np.search.aims.prototypes import Prototypes

REGISTRY: dict[str, Aim] = {aim.name: aim for aim in (Classes(), Prototypes(), Itself())}
