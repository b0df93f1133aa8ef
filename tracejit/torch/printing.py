"""`repr` of tensors, as torch prints them.

The numbers of a tensor share one format: whole numbers print as `27.`; others with `precision` digits, in scientific notation where the largest
is more than 1000 times the smallest, or beyond 1e8, or the smallest below 1e-4.  Columns are as wide as the widest number. Tensors of more than
`threshold` elements are summarised by `edgeitems` at each end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..trace import Tracer
from . import dtypes
from .tensor import Tensor


class _Options:
    precision = 4
    threshold = 1000
    edgeitems = 3
    linewidth = 80
    sci_mode: bool | None = None


_PROFILES = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80), "full": (4, math.inf, 3, 80)}


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None) -> None:
    """Options of `repr`, as `torch.set_printoptions`. `profile` is one of "default", "short", "full".

    >>> from tracejit import torch
    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1.0, 1.2345])
    tensor([1.00, 1.23])
    >>> torch.set_printoptions(profile="default")
    """
    o = _Options
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"profile is one of {', '.join(_PROFILES)}, got {profile!r}")
        o.precision, o.threshold, o.edgeitems, o.linewidth = _PROFILES[profile]
    if precision is not None:
        o.precision = precision
    if threshold is not None:
        o.threshold = threshold
    if edgeitems is not None:
        o.edgeitems = edgeitems
    if linewidth is not None:
        o.linewidth = linewidth
    o.sci_mode = sci_mode


class _Format:
    """How the numbers of one tensor print: found out from all that are shown."""

    def __init__(self, array: np.ndarray):
        self.floating = array.dtype.kind == "f"
        self.whole, self.scientific, self.width = True, False, 1
        flat = array.ravel()
        if not self.floating:
            self.width = max((len(str(x)) for x in flat.tolist()), default=1)
            return
        shown = flat[np.isfinite(flat) & (flat != 0)].astype(np.float64 if array.dtype.itemsize < 8 else array.dtype)
        precision = _Options.precision
        if shown.size == 0:
            return  # zeros, NaN and infinities do not count
        size = np.abs(shown)
        low, high = float(size.min()), float(size.max())
        self.whole = bool(np.all(shown == np.ceil(shown)))
        if _Options.sci_mode is not None:
            self.scientific = _Options.sci_mode
        elif self.whole:
            self.scientific = high / low > 1000.0 or high > 1.0e8
        else:
            self.scientific = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
        if self.whole and not self.scientific:
            self.width = max(len(f"{x:.0f}") for x in shown.tolist()) + 1
        elif self.scientific:
            self.width = max(len(f"{x:.{precision}e}") for x in shown.tolist())
        else:
            self.width = max(len(f"{x:.{precision}f}") for x in shown.tolist())

    def _text(self, x: Any) -> str:
        if not self.floating:
            return str(x)
        if self.scientific:
            return f"{x:.{_Options.precision}e}"
        if self.whole:
            text = f"{x:.0f}"
            return text if math.isinf(x) or math.isnan(x) else text + "."
        return f"{x:.{_Options.precision}f}"

    def __call__(self, x: Any) -> str:
        return self._text(x).rjust(self.width)


def _scalar(array: np.ndarray, real: _Format, imag: _Format | None) -> str:
    x = array.item()
    if imag is None:
        return real(x)
    part = imag(x.imag).lstrip()
    sign = "" if part[0] in "+-" else "+"
    return f"{real(x.real)}{sign}{part}j"


def _vector(array: np.ndarray, indent: int, summarize: bool, real: _Format, imag: _Format | None) -> str:
    width = real.width + 2 + (0 if imag is None else imag.width + 1)
    per_line = max(1, math.floor((_Options.linewidth - indent) / width))

    def text(x: Any) -> str:
        if imag is None:
            return real(x)
        part = imag(abs(x.imag) if not math.isnan(x.imag) else x.imag).lstrip()
        sign = "-" if math.copysign(1.0, x.imag) < 0 else "+"
        return f"{real(x.real)}{sign}{part}j"

    edge = _Options.edgeitems
    if summarize and not edge:
        items = ["..."]
    elif summarize and array.shape[0] > 2 * edge:
        items = [*map(text, array[:edge].tolist()), " ...", *map(text, array[-edge:].tolist())]
    else:
        items = list(map(text, array.tolist()))
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _contents(array: np.ndarray, indent: int, summarize: bool, real: _Format, imag: _Format | None) -> str:
    if array.ndim == 0:
        return _scalar(array, real, imag)
    if array.ndim == 1:
        return _vector(array, indent, summarize, real, imag)
    edge = _Options.edgeitems

    def inner(part: np.ndarray) -> str:
        return _contents(part, indent + 1, summarize, real, imag)

    if summarize and array.shape[0] > 2 * edge:
        rows = [*map(inner, array[:edge]), "...", *map(inner, array[len(array) - edge :])]
    else:
        rows = list(map(inner, array))
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"


def _shown(array: np.ndarray) -> np.ndarray:
    """The elements that a summary shows, which decide the format."""
    edge = _Options.edgeitems
    for axis, extent in enumerate(array.shape):
        if extent > 2 * edge:
            array = np.take(array, [*range(edge), *range(extent - edge, extent)], axis)
    return array


def contents(array: np.ndarray, indent: int) -> str:
    """The numbers of an array, for the place behind `indent` columns."""
    if array.size == 0:
        return "[]"
    summarize = array.size > _Options.threshold
    shown = _shown(array) if summarize else array
    if array.dtype.kind == "c":
        real, imag = _Format(shown.real), _Format(shown.imag)
    else:
        real, imag = _Format(shown), None
    return _contents(array, indent, summarize, real, imag)


def tensor_text(t: Tensor, name: str | None = None) -> str:
    """What `repr` gives."""
    array = t._array
    if type(array) is Tracer:
        return f"tensor({array!r})"
    prefix = (name or ("tensor" if type(t).__name__ in ("Tensor", "Parameter", "Buffer") else type(t).__name__)) + "("
    indent = len(prefix)
    suffixes = []
    dtype = t.dtype
    default = dtypes.get_default_dtype()
    usual = (dtypes.int64, dtypes.bool_, default, default.to_complex())
    if t.is_cuda:
        array = t.numpy(force=True)
        suffixes.append(f"device='{t.device}'")
    text = contents(array, indent)
    if array.size == 0:
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if dtype is not default:
            suffixes.append(f"dtype={dtype}")
    elif dtype not in usual:
        suffixes.append(f"dtype={dtype}")
    if t.grad_fn is not None:
        suffixes.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    text = prefix + text
    last = len(text) - text.rfind("\n") + 1  # two more than the last line has, as torch counts
    for suffix in suffixes:
        if last + len(suffix) + 2 > _Options.linewidth:
            text += ",\n" + " " * indent + suffix
            last = indent + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"
