"""Weights that are computed anew before each call of a module, from a direction and a length, or with their largest singular value one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dispatch import FUNCTIONS
from ...functions.operands import axis
from ...inplace import overwrite
from ...modes import no_grad
from ...tensor import Tensor, wrap
from ..parameter import Parameter


def _lengths(v: Tensor, dim: int | None) -> Tensor:
    """The norms of the slices along `dim`, with the other dimensions kept."""
    if dim is None:
        return v.norm()
    rest = tuple(d for d in range(v.dim()) if d != axis(dim, v.dim()))
    return (v * v).sum(rest, keepdim=True).sqrt() if rest else v.abs()


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Replace a weight by its direction `<name>_v` and its lengths `<name>_g` along `dim` (Salimans and Kingma, 2016)."""
    weight = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(f"{name}_g", Parameter(_lengths(weight.detach(), dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))

    def compute(m: Any, _: Any = None) -> None:
        v = getattr(m, f"{name}_v")
        object.__setattr__(m, name, v * (getattr(m, f"{name}_g") / _lengths(v, dim)))

    compute(module)
    handle = module.register_forward_pre_hook(compute)
    module.__dict__.setdefault("_weight_norms", {})[name] = handle
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight a parameter again. Raises `ValueError` where `weight_norm` was not applied."""
    return _remove(module, name, "_weight_norms", "weight_norm", (f"{name}_g", f"{name}_v"), ())


def _remove(module: Any, name: str, table: str, what: str, parameters: tuple[str, ...], buffers: tuple[str, ...]) -> Any:
    handle = module.__dict__.get(table, {}).pop(name, None)
    if handle is None:
        raise ValueError(f"{what} of '{name}' not found in {module}")
    handle.remove()
    weight = module.__dict__.pop(name)
    for own in parameters:
        del module._parameters[own]
    for own in buffers:
        del module._buffers[own]
    module.register_parameter(name, Parameter(weight.detach()))
    return module


def spectral_norm(module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> Any:
    """Divide a weight by its largest singular value, which power iterations estimate in training (Miyato et al., 2018)."""
    weight = getattr(module, name)
    dim = (1 if type(module).__name__.startswith("ConvTranspose") else 0) if dim is None else dim
    original = f"{name}_orig"
    del module._parameters[name]
    module.register_parameter(original, weight)
    rows = weight.shape[dim]
    unit = lambda t: t / t.norm().clamp_min(eps)
    with no_grad():
        u, v = (unit(FUNCTIONS["randn"](n, dtype=weight.dtype)) for n in (rows, weight.numel() // rows))
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)

    def compute(m: Any, _: Any = None) -> None:
        w = getattr(m, original)
        matrix = w.transpose(0, dim).reshape(rows, -1) if dim else w.reshape(rows, -1)
        u, v = getattr(m, f"{name}_u"), getattr(m, f"{name}_v")
        if m.training:
            with no_grad():
                a, x, y = matrix.detach()._array, u._array, v._array
                for _turn in range(n_power_iterations):
                    y = np.matmul(np.transpose(a), x)
                    y = y / np.maximum(np.sqrt(np.sum(y * y)), eps)
                    x = np.matmul(a, y)
                    x = x / np.maximum(np.sqrt(np.sum(x * x)), eps)
                overwrite(u, x)
                overwrite(v, y)
        # Copies: the buffers change at the next call, maybe before the way back.
        sigma = FUNCTIONS["dot"](wrap(u.detach()._array + 0), FUNCTIONS["mv"](matrix, wrap(v.detach()._array + 0)))
        object.__setattr__(m, name, w / sigma)

    compute(module)
    handle = module.register_forward_pre_hook(compute)
    module.__dict__.setdefault("_spectral_norms", {})[name] = handle
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight, as it is now, a parameter again. Raises `ValueError` where `spectral_norm` was not applied."""
    return _remove(module, name, "_spectral_norms", "spectral_norm", (f"{name}_orig",), (f"{name}_u", f"{name}_v"))
