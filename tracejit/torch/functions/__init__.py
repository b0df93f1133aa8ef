"""The functions of the `torch` namespace. Importing the package enters them (`dispatch.function`)."""

from . import (  # noqa: F401
    activations,
    arithmetic,
    arranging,
    comparing,
    conversion,
    creation,
    cumulative,
    gathering,
    indexing,
    joining,
    numerics,
    on_devices,
    ordering,
    pointwise,
    products,
    random,
    reducing,
    reductions,
    shaping,
    strided,
    synonyms,
)

on_devices.enter()
