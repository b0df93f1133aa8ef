"""Rows of the operations with rules of the user's own."""

from __future__ import annotations

import numpy as np

from tracejit.ops.callback import Function, anchor, callback, pure_callback
from tracejit.ops.custom import Rule, custom_batch, custom_derivative
from tracejit.ops.custom_linear import by_graph, derived, linear_call
from tracejit.ops.movement import broadcast_to

from .cases import Case, rows
from .control_cases import NUMBER, VECTOR, _body, _floats

# y = a * x for a number a; the first argument is the value, which has no derivative of its own.
_rule = Rule(lambda args, outs, tangents: [_sum(*[None if t is None else t * o for t, o in zip(tangents, reversed(args))])], lambda: None)
_scaled = _body([NUMBER, VECTOR], lambda a, x: [a * x])
_product = _body([VECTOR, VECTOR], lambda x, y: [x * y, x - y])


def _sum(*terms):
    given = [t for t in terms if t is not None]
    return sum(given[1:], given[0]) + np.zeros(3) if given else None


def _value_and_arguments(rng, dtype):
    a, x = _floats((), (3,))(rng, dtype)
    return a * x, a, x


def _one_by_one(n, args, batched):
    full = [a if b else broadcast_to(a, shape=(n, *np.shape(a))) for a, b in zip(args, batched)]
    return [full[0] * full[1], full[0] - full[1]], [True, True]


_forward = by_graph(_scaled, "scaling", unit=True)
rows["custom_derivative"] = [Case(custom_derivative, _value_and_arguments, dict(count=1, rule=_rule), smooth=False)]
rows["custom_batch"] = [Case(custom_batch, _floats((3,), (3,)), dict(graph=_product, rule=_one_by_one))]
rows["linear_call"] = [
    Case(linear_call, _floats((), (3,)), dict(residuals=1, forward=_forward, backward=_forward, out_types=(VECTOR,)), note="given"),
    Case(
        linear_call,
        _floats((), (3,)),
        dict(residuals=1, forward=derived(_forward, (VECTOR,), (VECTOR,)), backward=_forward, out_types=(VECTOR,)),
        note="derived",
    ),
]
_ignore = Function(lambda *args: None, "ignoring")
_scale = Function(lambda a, x: [a * x], "scaling")
rows["callback"] = [
    Case(callback, _floats((), (3,)), dict(function=_ignore, tie=0, lanes=()), smooth=False),
    Case(callback, _floats((), (3,)), dict(function=_ignore, tie=1, lanes=()), smooth=False),
]
rows["pure_callback"] = [Case(pure_callback, _floats((), (3,)), dict(function=_scale, out_types=(VECTOR,), method="sequential"), smooth=False)]
rows["anchor"] = [Case(anchor, _floats((3,), ()))]
