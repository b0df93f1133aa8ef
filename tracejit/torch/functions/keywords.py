"""Arguments that torch's functions take besides their own: NumPy's names `axis` and `keepdims`, shapes by keyword, and `out`.

Where an argument is no tensor but should be one, that is said.
All this is added around the functions when all of these have been entered, in 0.1 us for a call, so that no function has to think of them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from ..dispatch import FUNCTIONS
from ..modes import state
from ..tensor import Tensor

_ALIASES = {"axis": "dim", "keepdims": "keepdim"}
_SHAPES = {
    "size": "zeros ones empty rand randn expand broadcast_to view new_zeros new_ones new_empty", "shape": "reshape", "dims": "flip permute tile",
    "repeats": "repeat",
}  # fmt: skip
_WRITING = """addbmm addcdiv addcmul addmm addmv addr all amax amin aminmax any arange baddbmm bernoulli bmm bucketize chain_matmul cholesky
    cholesky_inverse cholesky_solve clamp clamp_max clamp_min clip column_stack complex cross cummax cummin cumprod cumsum diag diff dot dstack empty
    eq eye float_power floor_divide frexp full gather ge ger greater greater_equal gt heaviside histc histogram hstack index_add index_copy
    index_select inner inverse kron kthvalue le lerp less less_equal linspace logcumsumexp logical_and logical_or logical_xor logit logspace
    logsumexp lt lu_solve lu_unpack masked_select matrix_power max mean median min mm mode msort multinomial mv nan_to_num nanmean nanmedian
    nanquantile narrow_copy ne nonzero norm normal not_equal ones outer polar prod qr quantile rand randint randn randperm range renorm round
    row_stack scatter scatter_add searchsorted sort stack std sum svd take take_along_dim topk triangular_solve tril triu var vdot vstack where
    zeros""".split()
MAKERS = frozenset("arange empty eye full linspace logspace normal ones rand randint randn randperm range zeros".split())


def written_out(made: Any, out: Any, name: str) -> Any:
    """Write a result, or a tuple of them, into `out`, which gets their shapes. Returns `out`.

    Raises `RuntimeError` for a dtype that the result does not fit in, and where gradients would have to go through.
    """
    if isinstance(made, tuple):
        if len(out) != len(made):
            raise TypeError(f"{name}(): out is a tuple of {len(made)} tensors, got {len(out)}")
        return type(made)(*[written_out(m, o, name) for m, o in zip(made, out)]) if hasattr(made, "_fields") else tuple(out)
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if state.grad and (made.requires_grad or out.requires_grad):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad. "
            "Leave `out` away, or compute inside `with torch.no_grad():`"
        )
    if made.dtype.category > out.dtype.category and name not in MAKERS:
        raise RuntimeError(f"result type {made.dtype.legacy} can't be cast to the desired output type {out.dtype.legacy}: make `out` of {made.dtype}")
    if out._data.shape != made._data.shape:
        out.resize_(made._data.shape)
    return out.copy_(made)


def _with_keywords(f: Callable, name: str, aliases: dict[str, str], shape: str | None, writes: bool) -> Callable:
    def own(args: tuple, kwargs: dict[str, Any]) -> Any:
        for alias in aliases.keys() & kwargs.keys():
            if aliases[alias] in kwargs:
                raise TypeError(f"{name}() got both {aliases[alias]!r} and {alias!r}, which are the same")
            kwargs[aliases[alias]] = kwargs.pop(alias)
        if shape is not None and shape in kwargs:
            args = (*args, kwargs.pop(shape))
        return f(*args, **kwargs)

    if writes:

        @functools.wraps(f)
        def function(*args: Any, out: Any = None, **kwargs: Any) -> Any:
            if out is not None and name in MAKERS and isinstance(out, Tensor):
                kwargs.setdefault("dtype", out.dtype)
            try:
                made = own(args, kwargs) if kwargs else f(*args)
            except AttributeError as error:
                raise _explained(error, f, name, args) from None
            return made if out is None else written_out(made, out, name)
    else:

        @functools.wraps(f)
        def function(*args: Any, **kwargs: Any) -> Any:
            try:
                return own(args, kwargs) if kwargs else f(*args)
            except AttributeError as error:
                raise _explained(error, f, name, args) from None

    return function


def _explained(error: AttributeError, f: Callable, name: str, args: tuple) -> Exception:
    """What to raise where a function has asked for an attribute that its argument has not: the argument should have been a tensor."""
    for position, (parameter, value) in enumerate(zip(inspect.signature(f).parameters.values(), args), 1):
        if parameter.annotation == "Tensor" and not isinstance(value, Tensor):
            of = type(value).__name__
            text = f"{name}(): argument '{parameter.name}' (position {position}) must be Tensor, not {of}"
            return TypeError(f"{text}: write torch.tensor(...)" if of in ("list", "tuple", "int", "float", "bool", "ndarray") else text)
    return error


def let_write(names: dict[str, Any], chosen: Iterable[str]) -> None:
    """Let functions of a module, whose names these are, take `out` and NumPy's names."""
    for name in chosen:
        f = names[name]
        parameters = inspect.signature(f).parameters
        if "out" not in parameters:
            aliases = {a: b for a, b in _ALIASES.items() if b in parameters}
            names[name] = _with_keywords(f, name, aliases, None, True)


def enter() -> None:
    """Let the functions of the namespace and the methods of tensors take these arguments. To be called when all have been entered."""
    shapes = {name: keyword for keyword, names in _SHAPES.items() for name in names.split()}
    writing = frozenset(_WRITING)
    methods = vars(Tensor)
    for name in {*FUNCTIONS, *shapes}:
        for holder in (FUNCTIONS, methods):
            f = holder.get(name)
            if f is None or not inspect.isfunction(f):
                continue
            parameters = inspect.signature(f).parameters
            aliases = {a: b for a, b in _ALIASES.items() if b in parameters and a not in parameters}
            if name in ("swapaxes", "moveaxis"):
                aliases = {"axis0": "dim0", "axis1": "dim1"}
            writes = holder is FUNCTIONS and name in writing
            asks = holder is FUNCTIONS and any([p.annotation == "Tensor" for p in parameters.values()])
            if not (aliases or name in shapes or writes or asks):
                continue
            made = _with_keywords(f, name, aliases, shapes.get(name), writes)
            if holder is FUNCTIONS:
                FUNCTIONS[name] = made
            else:
                setattr(Tensor, name, made)
