"""The CUDA target: kernels as Python source for numba.cuda, library steps through CuPy, loops driven from here."""
