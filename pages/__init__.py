"""Pages that are made, not written: the backward rules, the operators' API, the speed table.

``python -m pages`` writes them in both languages from the registry `bpref.ops`, from the
sentences in `pages/*.toml` and from the ratios in `benchmarks/results`. They are committed, so
that the site builds without this; a test fails when one of them is out of date.
"""
