"""SciPy's functions on traced values, under SciPy's names.

Ufuncs of `scipy.special` need nothing from here: NumPy's protocol brings them to us.  The functions of `scipy.linalg` and some of `scipy.special`
are plain Python functions that convert their arguments, which a traced value refuses: `tracejit.scipy.linalg` and `tracejit.scipy.special` have
them under the same names.  On plain arrays they are SciPy's own.  While a function is traced, SciPy's names stand for these (see
trace/creation.py), so that plain `scipy.special.logsumexp(x)` is traced as well.
"""
