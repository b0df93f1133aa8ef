"""`Op`: what an operation is.  One object holds the whole definition, always in the same order.

    infer      (*types, **params) -> type               the type rule; raises the error that the user sees
    run        (xp, *arrays, **params) -> array          the meaning, with NumPy or an array library that looks like it
    jvp        (primals, out, tangents, **params) -> tangent      a zero tangent is None; at least one is not
    transpose  (ct, *inputs, **params) -> contributions  linear ops only: linear inputs arrive as `Linear`, the others as values
    batch      (args, batched, **params) -> array        batched arguments carry the new axis in front, and so does the result
    lower      (k, xs, index, **params) -> expression    the element at `index` as an expression of elements of `xs`; None: another kind of step
    expand     (*args, **params) -> array or None        in compiled programs: the other ops that it is made of, or None to stay itself
    inline     (*types, **params) -> graph or None       ops that stand for a graph: what compiled programs have in their place

Reverse mode has no rules of its own: it is `jvp`, split by `linearize` and turned round by `transpose`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..ir import ArrayType
from ..trace import bind, type_of


class Linear(NamedTuple):
    """Stands for a linear input in a transpose rule: only its type is known."""

    type: ArrayType

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape


class Contribution(NamedTuple):
    """A cotangent that touches a part of its array: `dense()` is the whole array, `into(acc)` adds the part to an accumulator.

    One or two contributions at known places are best made dense, since padding fuses; many are added into one array, or a loop over slices would cost
    its square.  `scattered` ones, at places that the program computes, always are: a loop then adds them where the sum stands.
    """

    dense: Callable[[], Any]
    into: Callable[[Any], Any]
    scattered: bool = False


class Op:
    """An operation. Calling it applies it: at once on arrays, into the innermost trace on proxies."""

    __slots__ = (
        "name", "infer", "run", "jvp", "transpose", "batch", "lower", "expand", "inline", "kind", "simplify", "show",
        "multiple", "effect", "dear", "singular", "elementwise", "view",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        infer: Callable,
        run: Callable,
        jvp: Callable | None = None,
        transpose: Callable | None = None,
        batch: Callable | None = None,
        lower: Callable | None = None,
        expand: Callable | None = None,
        inline: Callable | None = None,
        kind: str | None = None,
        simplify: Callable | None = None,
        show: Callable | str | None = None,
        multiple: bool = False,
        effect: bool = False,
        dear: bool = False,
        singular: bool | None = None,
        elementwise: bool = False,
    ):
        self.name = name
        # (base, value, *other inputs, **params) -> base with value written into the part that this op reads; None: the result is a new array
        self.view: Callable | object | None = None
        self.infer, self.run, self.jvp, self.transpose, self.batch, self.lower = infer, run, jvp, transpose, batch, lower
        self.expand, self.inline = expand, inline
        self.kind = kind or ("host" if lower is None else "pointwise")  # pointwise, reduce, or the name of a library step; host: `run` is called
        self.simplify = simplify  # (builder, *atoms, **params) -> an equal atom, or None: a local identity
        self.show = show  # the name of a NumPy function, or (*texts, **params) -> NumPy source: see ir/printer.py
        self.multiple = multiple  # infer, run and jvp give tuples
        self.effect = effect  # ordered, never shared or dropped
        self.dear = dear  # dearer to compute again than to load
        # Its derivative is made of its values, so it can be infinite or NaN where they are not used (see transforms/guard_select.py).
        # Unless said otherwise that of a linear op is not: it copies and adds.
        self.singular = (transpose is None or multiple) if singular is None else singular
        self.elementwise = elementwise  # an element of the result depends on the elements in the same place alone, after broadcasting

    def __call__(self, *args, **params):
        return bind(self, args, params)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self):
        return _lookup, (self.name,)


by_name: dict[str, Op] = {}


def _lookup(name: str) -> Op:
    return by_name[name]


def define(name: str, **parts) -> Op:
    """Make an op and enter it under its name, which must be new."""
    if name in by_name:
        raise ValueError(f"an op named {name!r} exists already")
    by_name[name] = op = Op(name, **parts)
    return op


# -- tangents: None stands for zero
def add_tangents(*terms):
    """The sum of tangents, each of which may be zero (None)."""
    total = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def zeros(type_: ArrayType):
    """An array of zeros that takes no memory until it is written; of shape (), a number."""
    return np.broadcast_to(np.zeros((), type_.dtype), type_.shape) if type_.shape else type_.dtype.type(0)


def filled(value, type_: ArrayType):
    return np.broadcast_to(np.asarray(value, type_.dtype), type_.shape)


def move_axis(x, source: int, destination: int):
    """`np.moveaxis` for one axis, on arrays and proxies."""
    from .movement import transpose

    ndim = type_of(x).ndim
    order = [i for i in range(ndim) if i != source % ndim]
    order.insert(destination % ndim, source % ndim)
    return x if order == list(range(ndim)) else transpose(x, permutation=tuple(order))
