"""The functions of the `torch` namespace. Importing the package enters them (`dispatch.function`)."""

from . import activations, comparing, conversion, creation, indexing, joining, ordering, pointwise, products, random, reductions, shaping, strided  # noqa: F401
