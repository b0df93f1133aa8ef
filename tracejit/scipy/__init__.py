"""SciPy's functions on traced values, under SciPy's names.

Ufuncs of `scipy.special` need nothing from here: NumPy's protocol brings them to us.  The functions of `scipy.linalg` are plain Python functions that
convert their arguments, which a traced value refuses: `tracejit.scipy.linalg` has them under the same names.  On plain arrays they are SciPy's own.
"""
