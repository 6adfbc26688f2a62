"""Every claim of the site that rests on a measurement, one module per claim.

``python -m experiments``          runs all of them and writes results and figures
``python -m experiments NAME ...`` runs some of them
``python -m experiments --check``  runs them and compares with the committed results
"""
