"""Times and ratios, measured when asked for and never inside a test.

``python -m benchmarks``          all of them
``python -m benchmarks NAME ...`` some of them
"""

import os

# One thread for NumPy as for PyTorch; must be set before NumPy is imported.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
