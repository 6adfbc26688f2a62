"""For all tests, the blocks on the pages included: one thread, no window, the same start."""

import os
import random

# Small matrices are faster with one thread, and sums keep their order. Before NumPy is imported.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ["MPLBACKEND"] = "Agg"


def pytest_report_header():
    """One line about the browser, before the tests that need one."""
    from sitekit.audit.browser import MISSING, find_browser

    return f"browser: {find_browser() or MISSING}"


def pytest_runtest_setup(item):
    """Blocks and tests share a process: none may depend on what another drew."""
    import numpy as np

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  (the legacy generator is what code on pages might use)
