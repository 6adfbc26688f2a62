"""Times and ratios, measured when asked for and never inside a test.

``python -m benchmarks``          all of them
``python -m benchmarks NAME ...`` some of them
"""
