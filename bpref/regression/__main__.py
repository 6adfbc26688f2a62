"""`python -m bpref.regression` is `bpref-train`."""

import sys

from bpref.regression.command import main

if __name__ == "__main__":
    sys.exit(main())
