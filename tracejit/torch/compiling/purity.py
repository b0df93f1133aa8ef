"""Whether a function does nothing but compute with tensors: what was recorded of it once can stand for later calls then, unasked.

`compile` is asked for, and says what it does not repeat.  A transformation that keeps what it has recorded must not be noticed: a function that
prints, reads a clock or a file, draws random numbers or writes anywhere runs at every call.  So everything that the function reaches has to be known:
code of the user's, which is looked through in turn, this library, and names that only compute.  What is not known counts as doing something.
"""

from __future__ import annotations

import builtins
import dis
import functools
import types
from typing import Any

import numpy as np

from ...api.environment import _names as names_in
from ...trace.user_code import in_library
from ..devices import device
from ..dispatch import Primitive
from ..tensor import Tensor
from .surroundings import PACKAGE, Surroundings, of_library

_MODULES = frozenset(("cmath", "collections", "collections.abc", "dataclasses", "enum", "functools", "itertools", "math", "operator", "typing"))
_BUILTINS = frozenset(
    ("abs", "all", "any", "bool", "complex", "dict", "divmod", "enumerate", "filter", "float", "frozenset", "int",
     "isinstance", "issubclass", "len", "list", "map", "max", "min", "object", "pow", "property", "range", "repr", "reversed", "round", "set",
     "slice", "sorted", "staticmethod", "str", "sum", "super", "tuple", "type", "zip", "Ellipsis", "NotImplemented", "__name__")
)  # fmt: skip
_ACTING = frozenset(  # names of this library, and of tensors: they act on something, or tell what is no part of the surroundings
    ("_version", "backward", "compile", "data_ptr", "default_generator", "fork_rng", "from_file", "get_rng_state", "grad_fn", "initial_seed", "load",
     "manual_seed", "next_functions", "retain_grad", "save", "seed", "share_memory_", "storage", "untyped_storage")
)  # fmt: skip
_ACTING_PREFIXES = ("register_", "set_")
_REFUSED = frozenset(("STORE_ATTR", "STORE_GLOBAL", "DELETE_ATTR", "DELETE_GLOBAL", "IMPORT_NAME"))


def only_computes(look: Surroundings) -> bool:
    """Whether all that was found does nothing but compute.

    Integers in tensors may have been read as numbers: they have to be compared, too (`integers`). Learning rates are not part of the key."""
    if look.arrays or look.generators or look.numbers:
        return False
    return (
        all(map(_plain_tensor, look.tensors))
        and all([type(x) in (Primitive, device) for x in look.opaque])
        and all(map(_known_module, look.modules))
        and all([_known_object(x) for _, x in look.objects()])
        and all(map(_known_class, look.classes))
        and all(map(_known_function, look.functions))
    )


def integers(look: Surroundings) -> tuple[tuple[Any, int], ...] | None:
    """The storages of tensors of integers that were found, with their versions; None where one is an array whose writes no one counts."""
    found = {id(s): s for s, t in zip([t._storage for t in look.tensors], look.tensors) if t._data.dtype.kind not in "fc"}
    if not all([type(s._array) is np.ndarray and s._array.flags.owndata for s in found.values()]):
        return None
    return tuple([(s, s.version) for s in found.values()])


def _plain_tensor(t: Tensor) -> bool:
    """Whether a tensor has no history, and no derivative in forward mode: the arrays in these are not looked at."""
    return t.grad_fn is None and t._dual is None and _of_package(type(t).__module__)


def _known_module(module: types.ModuleType) -> bool:
    return _of_package(module.__name__) or module.__name__ in _MODULES


def _known_object(x: Any) -> bool:
    """A function of C, say."""
    return getattr(x, "__module__", None) in _MODULES and isinstance(x, (types.BuiltinFunctionType, functools.partial))


def _known_class(kind: type) -> bool:
    from ..autograd.function import Function

    if issubclass(kind, Function):
        return False  # whose backward is called by no name
    return not of_library(kind) or _of_package(kind.__module__) or kind.__module__ == "builtins" and kind.__name__ in _BUILTINS


def _of_package(name: str | None) -> bool:
    return name is not None and (name == PACKAGE or name.startswith(PACKAGE + "."))


def _known_function(f: types.FunctionType) -> bool:
    if in_library(f.__code__.co_filename):
        module = f.__globals__.get("__name__")  # a wrapper has the name of what it wraps
        return (_of_package(module) or module in _MODULES) and not _acts(f.__code__.co_name)
    spaces, attributes, _ = names_in(f.__code__)
    if not _plain(f.__code__) or "*" in attributes or any(map(_acts, attributes)):
        return False
    return all([name in f.__globals__ or _known_builtin(name) for name in spaces])


def _known_builtin(name: str) -> bool:
    found = getattr(builtins, name, None)
    return name in _BUILTINS or isinstance(found, type) and issubclass(found, Exception)


def _acts(name: str) -> bool:
    return name in _ACTING or name.startswith(_ACTING_PREFIXES)


@functools.lru_cache(maxsize=4096)
def _plain(code: types.CodeType) -> bool:
    """Whether no instruction binds an attribute or a global, imports, or leaves the function half way."""
    refused = _REFUSED if code.co_name == "<genexpr>" else _REFUSED | {"YIELD_VALUE"}
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return not any([i.opname in refused for i in dis.get_instructions(code)]) and all(map(_plain, inner))
