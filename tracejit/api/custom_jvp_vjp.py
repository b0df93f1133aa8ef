"""`custom_jvp` and `custom_vjp`: functions with rules of the user's own, in JAX's way of giving them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..trace import Tracer
from .custom import custom
from .recording import defined_at, name_of, require_callable


class custom_jvp(custom):
    """A function whose forward-mode rule is given by `defjvp` or `defjvps`; reverse mode is its transpose. The signatures are JAX's.

    >>> import numpy as np, tracejit as tj
    >>> @tj.custom_jvp
    ... def f(x, y):
    ...     return np.sin(x) * y
    >>> @f.defjvp
    ... def f_jvp(primals, tangents):
    ...     (x, y), (t, s) = primals, tangents
    ...     return f(x, y), np.cos(x) * t * y + np.sin(x) * s
    >>> tj.grad(f)(0.0, 2.0)
    np.float64(2.0)
    """

    __slots__ = ()

    def __init__(self, f: Callable | None = None, nondiff_argnums: int | Sequence[int] = (), nondiff_argnames: str | Sequence[str] = ()):
        super().__init__(f, nondiff_argnums=nondiff_argnums, nondiff_argnames=nondiff_argnames)

    def defjvp(self, jvp: Callable, symbolic_zeros: bool = False) -> Callable:
        """`jvp(*nondiff_args, primals, tangents) -> (out, out_tangent)` is the rule; with `symbolic_zeros`, zero tangents are `SymbolicZero` objects.
        Returns the rule, so that it can be a decorator."""
        require_callable(jvp, "defjvp")
        self._jvp, self._symbolic_jvp = jvp, symbolic_zeros
        return jvp

    def defjvps(self, *rules: Callable | None) -> None:
        """One rule for each argument: `rule(tangent, out, *primals)` gives its part of the tangent of the result; None: that part is zero."""
        if self._nondiff:
            raise TypeError(at_user_line(f"defjvps cannot be used with nondiff_argnums: use `defjvp` for {defined_at(self.f)}"))
        for rule in rules:
            if rule is not None:
                require_callable(rule, "defjvps")

        def jvp(primals, tangents):
            if len(rules) != len(primals):
                raise TypeError(at_user_line(f"defjvps of {defined_at(self.f)}: {len(rules)} rules for {len(primals)} arguments"))
            out = self(*primals)
            terms = [rule(t, out, *primals) for rule, t in zip(rules, tangents) if rule is not None and not all(map(_is_zero, tree.leaves(t)))]
            return out, tree.map(lambda *parts: functools.reduce(np.add, parts), *terms) if terms else None

        given = [rule for rule in rules if rule is not None]
        self._jvp = functools.wraps(given[0])(jvp) if given else jvp
        self._symbolic_jvp = False

    def _require_rules(self) -> None:
        if self._jvp is None:
            raise TypeError(at_user_line(f"custom_jvp: {defined_at(self.f)} has no rule: give one with `{name_of(self.f)}.defjvp`"))


def _is_zero(t: Any) -> bool:
    """Whether a tangent is one number spread over its shape, and that zero."""
    return type(t) is not Tracer and not np.any(t)


class custom_vjp(custom):
    """A function whose reverse-mode rule is given by `defvjp`. Forward mode is the transpose of `bwd`: see `custom`. The signatures are JAX's.

    >>> import numpy as np, tracejit as tj
    >>> @tj.custom_vjp
    ... def clip_gradient(limit, x):
    ...     return x
    >>> clip_gradient.defvjp(lambda limit, x: (x, limit), lambda limit, ct: (None, np.clip(ct, -limit, limit)))
    >>> tj.grad(lambda x: 10 * clip_gradient(1.0, x))(3.0)
    np.float64(1.0)
    """

    __slots__ = ()

    def __init__(self, f: Callable | None = None, nondiff_argnums: int | Sequence[int] = (), nondiff_argnames: str | Sequence[str] = ()):
        super().__init__(f, nondiff_argnums=nondiff_argnums, nondiff_argnames=nondiff_argnames)

    def defvjp(self, fwd: Callable, bwd: Callable, symbolic_zeros: bool = False) -> None:
        """`fwd(*args) -> (out, residuals)` and `bwd(*nondiff_args, residuals, cotangent) -> tuple of cotangents`, None for zero."""
        require_callable(fwd, "defvjp")
        require_callable(bwd, "defvjp")
        self._fwd, self._bwd, self._symbolic_vjp = fwd, bwd, symbolic_zeros

    def _require_rules(self) -> None:
        if self._bwd is None:
            raise TypeError(at_user_line(f"custom_vjp: {defined_at(self.f)} has no rules: give them with `{name_of(self.f)}.defvjp`"))


__all__ = ["custom_jvp", "custom_vjp"]
