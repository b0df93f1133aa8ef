"""Loops and branches of Python compiled as loops and branches: see `functions.lift`, and `rewrite` for how."""

from .functions import lift
from .runtime import LiftWarning
from .source import SourceError

__all__ = ["LiftWarning", "SourceError", "lift"]
