"""Rules of the user's own: `custom`.

The function itself is traced like any other code, on arguments whose derivative is cut; what it returns then gets the derivative that the rule says.
So its body compiles and fuses as if there were no rule, and Python's control flow works in it wherever it works outside.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import LeakedTracerError, at_user_line
from ..ir import ArrayType, is_inexact
from ..ops.core import zeros
from ..ops.custom import Rule, custom_batch, custom_derivative
from ..ops.custom_linear import Direction, derived, linear_call
from ..ops.elementwise import convert, stop_gradient
from ..trace import Tracer, type_of
from ..trace.constants import active_traces, is_constant, plain
from ..trace.creation import tracing
from .recording import as_value, check_leaves, check_result, defined_at, name_of, record, require_callable


class SymbolicZero:
    """A tangent or cotangent that is zero, without an array: what rules with `symbolic_zeros=True` get, and any rule may return."""

    __slots__ = ("shape", "dtype")

    def __init__(self, shape: Sequence[int], dtype: Any):
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def instantiate(self) -> np.ndarray:
        """The array of zeros."""
        return np.zeros(self.shape, self.dtype)

    def __repr__(self) -> str:
        return f"SymbolicZero({self.dtype.name}[{','.join(map(str, self.shape))}])"


class PerturbedValue:
    """An argument of `fwd` with `symbolic_zeros=True`: its `value`, and whether it is `perturbed`, that is differentiated."""

    __slots__ = ("value", "perturbed")

    def __init__(self, value: Any, perturbed: bool):
        self.value, self.perturbed = value, perturbed

    def __repr__(self) -> str:
        return f"PerturbedValue({self.value!r}, perturbed={self.perturbed})"


class _Call(NamedTuple):
    """One call of a function with rules: its differentiable arguments, flat and as a tree, and the structure of what it returned."""

    structure: tree.Structure
    fixed: tuple[Any, ...]  # the others, in their order
    order: Callable[[Sequence[Any]], list[Any]]  # all arguments from the differentiable ones
    types: tuple[ArrayType, ...]
    out: tree.Structure
    out_types: tuple[ArrayType, ...]


def _run_rule(rule: Callable, *args: Any) -> Any:
    """A rule's result. NumPy's creation functions make constant proxies in it where something is traced, as in any traced function."""
    owners = [x.owner for x in tree.leaves(args) if type(x) is Tracer and not is_constant(x)]
    try:
        if not owners:
            return rule(*args)
        with tracing(max(owners, key=lambda owner: owner.depth), rule):
            return tree.map(_as_array, rule(*args))
    except LeakedTracerError as error:
        raise LeakedTracerError(
            at_user_line(
                f"the rule {defined_at(rule)} reads a traced value that it closes over, or that is in nondiff_argnums, after the function that "
                "it belongs to has been traced: pass it as a differentiable argument, or return it from `fwd` among the residuals"
            )
        ) from error


def _as_array(x: Any) -> Any:
    """A constant proxy as its array; anything else as it is."""
    return plain(x) if is_constant(x) else x


def _zero(type_: ArrayType, symbolic: bool) -> Any:
    return SymbolicZero(type_.shape, type_.dtype) if symbolic else zeros(type_)


def _fitting(x: Any, type_: ArrayType, where: Callable[[], str]) -> Any:
    """A tangent or cotangent that a rule gave, as an array of the type, or None for zero. Raises `TypeError` where it does not fit."""
    if x is None or isinstance(x, SymbolicZero) or not is_inexact(type_.dtype):
        return None
    try:
        value = as_value(x)
    except TypeError as error:
        raise TypeError(at_user_line(f"{where()} is no array: {error}")) from None
    have = type_of(value)
    if have.shape != type_.shape:
        raise TypeError(at_user_line(f"{where()} has shape {have.shape}, expected {type_.shape}"))
    if have.dtype != type_.dtype:
        if have.dtype.kind == "c" and type_.dtype.kind != "c":
            raise TypeError(at_user_line(f"{where()} has dtype {have.dtype}, expected {type_.dtype}: take its real part"))
        value = convert(value, dtype=type_.dtype)
    return value


def _leaves_or_zeros(result: Any, structure: tree.Structure, what: str, like: str) -> list[Any]:
    """The leaves of a rule's result, which has a structure; None stands for zeros in place of any of its parts."""
    if result is None:
        return [None] * structure.num_leaves
    if tree.structure(result) == structure:
        return tree.leaves(result)
    skeleton = structure.unflatten(range(structure.num_leaves))
    spread: list[Any] = [None] * structure.num_leaves

    def fill(template: Any, part: Any, path: str) -> None:
        if part is None:
            return
        if tree.is_leaf(template) and tree.is_leaf(part):
            spread[template] = part
            return
        children, own = _children(template), _children(part)
        if children is None or own is None or [k for k, _ in children] != [k for k, _ in own] or type(template) is not type(part):
            try:
                tree.check_same_structure(like, skeleton, f"{what}'s result", result)
            except ValueError as error:
                raise TypeError(at_user_line(str(error))) from None
            raise TypeError(at_user_line(f"{what}{path} does not have the structure of {like}"))
        for (key, a), (_, b) in zip(children, own):
            fill(a, b, f"{path}[{key!r}]")

    fill(skeleton, result, "")
    return spread


def _children(node: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(node, dict):
        return sorted(node.items(), key=lambda item: str(item[0]))
    return list(enumerate(node)) if isinstance(node, (tuple, list)) else None


class custom:
    """`f` with derivatives, or a way to be batched, of your own.

    - `jvp(primals, tangents) -> (out, out_tangent)`, linear in the tangents. Reverse mode is its transpose.
    - `vjp=(fwd, bwd)`: `fwd(*args) -> (out, residuals)` and `bwd(residuals, cotangent) -> (cotangent of each argument)`, None for zero. Forward
      mode is the transpose of `bwd`, where that is linear in the cotangent; where it is not (it clips, say), forward mode raises `TypeError`.
      With `jvp` too, each mode has its own rule.
    - `batch(size, batched, *args) -> (out, out_batched)`: what `vmap` does. The arguments that `batched`, a tree like `args`, marks carry a
      new axis in front. Without it the function and its rules are batched operation by operation; with it, and without a derivative, the
      derivative is that of the function itself.

    Second derivatives go through the rules, which are traced like any code. Arguments in `nondiff_argnums` or `nondiff_argnames` may be anything;
    rules get them first (`jvp`, `bwd`) or in their places (`fwd`). The value is always that of `f`: the one that a rule returns is only checked.
    With `symbolic_zeros`, tangents and cotangents that are zero are `SymbolicZero` objects, and `fwd` gets objects with `.value` and `.perturbed`.
    The tangent of an integer argument is an array of zeros; what a rule gives for one is ignored.
    Raises `TypeError` where a rule returns another structure or shape than it should, and where a derivative is taken with respect to a value that
    `f` closes over, which its rule does not see.

    >>> import numpy as np, tracejit as tj
    >>> @tj.custom(vjp=(lambda x: (np.log1p(np.exp(x)), x), lambda x, ct: (ct / (1 + np.exp(-x)),)))
    ... def softplus(x):
    ...     return np.log1p(np.exp(x))
    >>> tj.grad(softplus)(0.0), tj.jvp(softplus, (0.0,), (1.0,))[1]
    (np.float64(0.5), np.float64(0.5))
    """

    # State lives in slots: functions that wrap this one take over what is in its `__dict__`.
    __slots__ = (
        "f", "_jvp", "_fwd", "_bwd", "_batch", "_symbolic_jvp", "_symbolic_vjp", "_numbers", "_names", "_nondiff", "_signature",
        "__dict__", "__weakref__",
    )  # fmt: skip

    def __init__(
        self,
        f: Callable | None = None,
        *,
        jvp: Callable | None = None,
        vjp: tuple[Callable, Callable] | None = None,
        batch: Callable | None = None,
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
        symbolic_zeros: bool = False,
    ):
        self._numbers = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        self._names = (nondiff_argnames,) if isinstance(nondiff_argnames, str) else tuple(nondiff_argnames)
        self._jvp, self._batch = jvp, batch
        self._fwd, self._bwd = vjp if vjp is not None else (None, None)
        self._symbolic_jvp = self._symbolic_vjp = symbolic_zeros
        self.f: Callable | None = None
        for part in (jvp, self._fwd, self._bwd, batch):
            if part is not None:
                require_callable(part, type(self).__name__)
        if f is not None:
            self._wrap(f)

    def _wrap(self, f: Callable) -> None:
        require_callable(f, type(self).__name__)
        self.f = f
        functools.update_wrapper(self, f, updated=())
        try:
            self._signature = None if isinstance(f, np.ufunc) else inspect.signature(f)
        except (TypeError, ValueError):  # builtins without a signature
            self._signature = None
        positional = []
        if self._signature is not None:
            positional = [p.name for p in self._signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        for name in self._names:
            if name not in positional:
                raise ValueError(
                    at_user_line(f"{type(self).__name__}: nondiff_argnames has {name!r}, which is no positional argument of {defined_at(f)}")
                )
        self._nondiff = (*self._numbers, *(positional.index(name) for name in self._names))

    # -- calling
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.f is None:  # a decorator with arguments
            if len(args) != 1 or kwargs:
                raise TypeError(at_user_line(f"{type(self).__name__} with keyword arguments alone is a decorator: it takes one function"))
            self._wrap(args[0])
            return self
        self._require_rules()
        args = self._positional(args, kwargs)
        fixed_places = {n % len(args) for n in self._nondiff if -len(args) <= n < len(args)}
        moving = tuple(a for n, a in enumerate(args) if n not in fixed_places)
        fixed = tuple(a for n, a in enumerate(args) if n in fixed_places)

        def order(chosen: Sequence[Any]) -> list[Any]:
            a, b = iter(chosen), iter(fixed)
            return [next(b) if n in fixed_places else next(a) for n in range(len(args))]

        flat, structure = tree.flatten(moving)
        if not active_traces() and not any(type(x) is Tracer for x in flat):
            return self.f(*args)
        paths = [str(n) for n in range(len(args)) if n not in fixed_places]
        check_leaves(flat, lambda: [f"{n}{path}" for n, x in zip(paths, moving) for path in tree.paths(x)], self.f, self._what())
        if self._batch is not None:
            out = self._as_unit(flat, structure, order)
            if self._jvp is None and self._bwd is None:
                return out
        else:
            out = self.f(*order(structure.unflatten(map(_cut, flat))))
        return self._with_derivative(out, flat, structure, fixed, order)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {defined_at(self.f) if self.f is not None else 'decorator'}>"

    def _what(self) -> str:
        return f"{type(self).__name__} of {name_of(self.f)}"

    def _require_rules(self) -> None:
        if self._jvp is None and self._bwd is None and self._batch is None:
            raise TypeError(at_user_line(f"{type(self).__name__}: {defined_at(self.f)} has no rules: give `jvp`, `vjp` or `batch`"))

    def _positional(self, args: tuple, kwargs: dict[str, Any]) -> tuple:
        """All arguments by position, defaults filled in."""
        if self._signature is None:
            if kwargs:
                raise TypeError(at_user_line(f"{self._what()} takes no keyword arguments: the function has no signature that tells their places"))
            return args
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name in bound.kwargs:
            if name in kwargs:
                raise TypeError(
                    at_user_line(f"{self._what()}: the keyword-only argument {name!r} has no place among those of the rules: make it positional")
                )
        return bound.args

    def _as_unit(self, flat: list, structure: tree.Structure, order: Callable) -> Any:
        """What the function returns, as one operation that is batched by the rule."""
        strip = self._jvp is not None or self._bwd is not None
        made = record(lambda *args: self.f(*order(args)), self._what(), [type_of(x) for x in flat], structure, concrete=False)
        count = len(flat)

        def rule(n: int, args: Sequence[Any], batched: Sequence[bool]):
            if any(batched[count:]):
                raise TypeError(
                    at_user_line(
                        f"vmap of {defined_at(self.f)}: its batch rule does not see the mapped value that it closes over: pass that as an argument"
                    )
                )
            given = order(structure.unflatten(args[:count]))
            marks = order(structure.unflatten(batched[:count]))
            result = _run_rule(self._batch, n, tuple(marks), *given)
            if not isinstance(result, tuple) or len(result) != 2:
                raise TypeError(at_user_line(f"the batch rule {defined_at(self._batch)} must return a pair (out, out_batched)"))
            name = f"the batch rule {defined_at(self._batch)}"
            out, out_batched = result
            leaves = _leaves_or_zeros(out, made.structure, name, "the function's result")
            flags = [out_batched] * len(leaves) if isinstance(out_batched, bool) else tree.leaves(out_batched)
            if len(flags) != len(leaves):
                raise TypeError(at_user_line(f"{name}: out_batched has {len(flags)} leaves, the result {len(leaves)}"))
            values = []
            for i, (x, flag, t) in enumerate(zip(leaves, flags, made.graph.out_types)):
                want = (n, *t.shape) if flag else t.shape
                value = as_value(x)
                if type_of(value).shape != want or type_of(value).dtype != t.dtype:
                    raise TypeError(at_user_line(f"{name}: result {i} is {type_of(value).strong}, expected {t._replace(shape=want).strong}"))
                values.append(value)
            return values, flags

        args = [as_value(_cut(x) if strip else x) for x in flat]
        return made.structure.unflatten(custom_batch(*args, *made.outside, graph=made.graph, rule=rule))

    # -- derivatives
    def _with_derivative(self, out: Any, flat: list, structure: tree.Structure, fixed: tuple, order: Callable) -> Any:
        leaves, out_structure = tree.flatten(out)
        check_result(leaves, out, self.f, self._what())
        values = [as_value(_as_array(x)) for x in leaves]
        args = [as_value(x) for x in flat]
        if not values or not any(type(x) is Tracer for x in (*values, *args)):
            return out
        call = _Call(structure, fixed, order, tuple(type_of(a).strong for a in args), out_structure, tuple(type_of(v).strong for v in values))
        rule = Rule(functools.partial(self._push if self._bwd is None else self._pull, call), self._reached_from_outside)
        return out_structure.unflatten(custom_derivative(*values, *args, count=len(values), rule=rule))

    def _reached_from_outside(self) -> None:
        fixed = " or that is in nondiff_argnums" if self._nondiff else ""
        raise TypeError(
            at_user_line(
                f"{self._what()}: a derivative is taken with respect to a value that {defined_at(self.f)} closes over{fixed}, "
                "and its rule does not see that: pass it as a differentiable argument"
            )
        )

    def _push(self, call: _Call, args: Sequence, outs: Sequence, tangents: Sequence) -> list[Any]:
        """The tangents of the outs by the jvp rule."""
        name = f"the jvp rule {defined_at(self._jvp)}"
        moving = [_zero(t, self._symbolic_jvp) if x is None else x for x, t in zip(tangents, call.types)]
        result = _run_rule(self._jvp, *call.fixed, call.structure.unflatten(args), call.structure.unflatten(moving))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(at_user_line(f"{name} must return a pair (out, out_tangent), got {type(result).__qualname__}"))
        self._check_value(name, result[0], call)
        moved = _leaves_or_zeros(result[1], call.out, f"{name}: the tangent", "the function's result")
        return [_fitting(t, type_, lambda i=i: f"{name}: tangent {i} of the result") for i, (t, type_) in enumerate(zip(moved, call.out_types))]

    def _check_value(self, name: str, value: Any, call: _Call) -> None:
        if tree.structure(value) != call.out:
            raise TypeError(at_user_line(f"{name} returns a value of structure {tree.structure(value)}, {defined_at(self.f)} one of {call.out}"))
        for i, (x, t) in enumerate(zip(tree.leaves(value), call.out_types)):
            if type_of(x).shape != t.shape:
                raise TypeError(at_user_line(f"{name}: value {i} has shape {type_of(x).shape}, that of {defined_at(self.f)} {t.shape}"))

    def _pull(self, call: _Call, args: Sequence, outs: Sequence, tangents: Sequence) -> list[Any]:
        """The tangents of the outs as a linear call whose transpose is `bwd`."""
        name = f"the rule fwd {defined_at(self._fwd)}"
        given = args
        if self._symbolic_vjp:
            given = [PerturbedValue(a, t is not None) for a, t in zip(args, tangents)]
        result = _run_rule(self._fwd, *call.order(call.structure.unflatten(given)))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(at_user_line(f"{name} must return a pair (out, residuals), got {type(result).__qualname__}"))
        self._check_value(name, result[0], call)
        kept, kept_structure = tree.flatten(result[1])
        is_array = [_is_array(x) for x in kept]
        residuals = [as_value(x) for x, a in zip(kept, is_array) if a]

        def restored(values: Sequence[Any]) -> Any:
            arrays = iter(values)
            return kept_structure.unflatten([next(arrays) if a else x for x, a in zip(kept, is_array)])

        active = [i for i, t in enumerate(tangents) if t is not None]
        reached = [i for i, t in enumerate(call.out_types) if is_inexact(t.dtype)]
        x_types = tuple(call.types[i] for i in active)
        ct_types = tuple(call.out_types[i] for i in reached)
        count = len(residuals)

        def pullback(values: list, cts: list) -> list:
            full = [_zero(t, self._symbolic_vjp) for t in call.out_types]
            for i, ct in zip(reached, cts):
                if ct is not None:
                    full[i] = ct
            back = _run_rule(self._bwd, *call.fixed, restored(values[:count]), call.out.unflatten(full))
            cotangents = self._cotangents(call, back)
            return [cotangents[i] for i in active]

        def push(values: list, moving: list) -> list:
            full: list[Any] = [None] * len(call.types)
            for i, t in zip(active, moving):
                full[i] = t
            moved = self._push(call, values[count:], outs, full)
            return [moved[i] for i in reached]

        backward = Direction(pullback, f"the rule bwd {defined_at(self._bwd)}")
        if self._jvp is None:
            forward = derived(backward, x_types, ct_types)
        else:
            forward = Direction(push, f"the jvp rule {defined_at(self._jvp)}")
            residuals += args
        moving = [tangents[i] for i in active]
        results = linear_call(*residuals, *moving, residuals=len(residuals), forward=forward, backward=backward, out_types=ct_types)
        moved: list[Any] = [None] * len(outs)
        for i, t in zip(reached, results):
            moved[i] = t
        return moved

    def _cotangents(self, call: _Call, back: Any) -> list[Any]:
        name = f"the rule bwd {defined_at(self._bwd)}"
        if isinstance(back, list):
            back = tuple(back)
        count = len(call.structure.children())
        if not isinstance(back, tuple) or len(back) != count:
            got = f"{len(back)}" if isinstance(back, tuple) else type(back).__qualname__
            raise TypeError(at_user_line(f"{name} must return a tuple of {count} cotangents, one for each differentiable argument, got {got}"))
        leaves = _leaves_or_zeros(back, call.structure, f"{name}: the cotangent", "the arguments")
        return [_fitting(c, t, lambda i=i: f"{name}: cotangent {i}") for i, (c, t) in enumerate(zip(leaves, call.types))]


def _cut(x: Any) -> Any:
    """x without its derivative. A Python number stays one, so that it keeps yielding in promotion."""
    if type(x) is not Tracer:
        return x
    cut = stop_gradient(x)
    if type(cut) is Tracer:
        cut.weak = x.weak
    return cut


def _is_array(x: Any) -> bool:
    try:
        type_of(x)
    except TypeError:
        return False
    return True


__all__ = ["PerturbedValue", "SymbolicZero", "custom"]
