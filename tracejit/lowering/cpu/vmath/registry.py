"""The table of vector functions and the decorators that fill it."""

import inspect
from collections.abc import Callable
from functools import wraps

from ..emit import Emitter, Value
from .number import Num

FUNCTIONS: dict[str, Callable[..., Value]] = {}
arity: dict[str, int] = {}
COMPUTED_IN = {"half": "float", "float": "float", "double": "double"}


def elementary(function: Callable[..., Num]) -> Callable[..., Num]:
    """Register a formula `f(x: Num, ...) -> Num` under its own name as an emitter `f(e: Emitter, x: Value, ...) -> Value`.

    The registered function takes kinds float and double as they are and computes half in float.  Returns the formula, for use in other formulas.
    """
    return _enter(function, COMPUTED_IN)


def special(function: Callable[..., Num]) -> Callable[..., Num]:
    """The same for a formula in double only, in which the narrower kinds are computed too.

    So special functions have one set of tables, and their float results are rounded once, at roots as well.
    """
    return _enter(function, dict.fromkeys(COMPUTED_IN, "double"))


def _enter(function: Callable[..., Num], computed_in: dict[str, str]) -> Callable[..., Num]:
    @wraps(function)
    def emit(e: Emitter, *args: Value) -> Value:
        kind = args[0].kind
        if kind not in computed_in:
            raise TypeError(f"{name} of {kind} values: convert them to a floating-point kind first")
        wide = computed_in[kind]
        result = function(*(Num(e, e.splat(arg)).convert(wide) for arg in args)).value
        return e.fptrunc(result, kind) if kind != wide else result

    name = function.__name__
    FUNCTIONS[name] = emit
    arity[name] = len(inspect.signature(function).parameters)
    return function
