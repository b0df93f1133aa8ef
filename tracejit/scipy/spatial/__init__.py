"""`scipy.spatial` on traced values: its distances."""

from . import distance

__all__ = ["distance"]
