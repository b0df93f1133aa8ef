"""The table of vector functions and the decorator that fills it."""

import inspect
from collections.abc import Callable
from functools import wraps

from ..emit import Emitter, Value
from .number import Num

FUNCTIONS: dict[str, Callable[..., Value]] = {}
arity: dict[str, int] = {}


def elementary(function: Callable[..., Num]) -> Callable[..., Num]:
    """Register a formula `f(x: Num, ...) -> Num` under its own name as an emitter `f(e: Emitter, x: Value, ...) -> Value`.

    The registered function takes kinds float and double as they are and computes half in float.  Returns the formula, for use in other formulas.
    """

    @wraps(function)
    def emit(e: Emitter, *args: Value) -> Value:
        kind = args[0].kind
        if kind == "half":
            return e.fptrunc(emit(e, *(e.fpext(arg, "float") for arg in args)), "half")
        if kind not in ("float", "double"):
            raise TypeError(f"{name} of {kind} values: convert them to a floating-point kind first")
        return function(*(Num(e, e.splat(arg)) for arg in args)).value

    name = function.__name__
    FUNCTIONS[name] = emit
    arity[name] = len(inspect.signature(function).parameters)
    return function
