"""What of `scipy.sparse` works on traced values: the iterative solvers of `tracejit.scipy.sparse.linalg`."""
