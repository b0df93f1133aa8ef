"""Interpolation on traced values: the names, arguments and results of `scipy.interpolate`, differentiable in data, knots and points."""

from .cubic import CubicSpline, PchipInterpolator
from .one_dimensional import interp1d
from .piecewise import PPoly

__all__ = ["CubicSpline", "PPoly", "PchipInterpolator", "interp1d"]
