"""A museum of wrong backward passes, each next to the right one.

Every wrong function has the signature of the right one and runs. `CATALOG` lists them;
`Bug.check` asks the gradient check. Nothing else in the package uses these functions.
"""

from bpref.bugs.catalog import CATALOG, Bug

__all__ = ["CATALOG", "Bug"]
