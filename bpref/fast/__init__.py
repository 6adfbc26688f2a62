"""Second pairs for operators that are slow when written plainly; same arguments, same results.

Pages show `bpref.functional`; `bpref.nn` uses these where they exist (`Operator.fast`).
"""
