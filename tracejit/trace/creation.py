"""Array creation inside of traced functions: `np.zeros(n)` and the like return constant proxies while a trace is active in the thread.

A plain array cannot hold a traced value, and plain NumPy code fills buffers (`out = np.zeros(n); out[i] = f(x)`).  So while a function is traced, the
names of NumPy's creation functions stand for wrappers: in the module `numpy`, and in the user's modules that hold them by `from numpy import zeros`.
With the end of the outermost trace the names are put back, so outside of traces nothing costs anything.

A wrapper looks at who calls: code of installed libraries (NumPy, SciPy, the standard library, this package) and other threads get NumPy's own
function.  The look costs 0.3 us; to swap the names takes 3 us, and 5 us for each user module that holds some.

The plain functions of SciPy that convert their arguments (`scipy.special.logsumexp`, `scipy.linalg.expm`) are swapped in the same way for wrappers
that call the functions of `tracejit.scipy` where an argument is traced; methods of its classes are in methods.py.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.machinery import ExtensionFileLoader
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ..config import config
from ..errors import TracerConversionError, at_user_line
from ..ir import supported
from . import dispatch, methods
from .constants import active_traces, constant, known, plain
from .iteration import each, elements
from .tracer import Tracer, as_new
from .user_code import adopt, globals_behind, in_library, innermost, user_globals
from .views import layout

NAMES = (
    "zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like",
    "array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "copy", "fromiter", "fromfunction", "frombuffer",
    "arange", "linspace", "logspace", "geomspace", "meshgrid", "indices",
    "eye", "identity", "diag", "diagflat", "tri", "tril", "triu", "vander",
    "bartlett", "blackman", "hamming", "hanning", "kaiser",
)  # fmt: skip
# These make arrays of lists, which may hold traced values.
_OF_LISTS = (
    "sum", "prod", "mean", "max", "min", "any", "all", "argmax", "argmin", "dot", "cross", "outer", "cumsum", "tile", "repeat", "where",
    "linalg.norm", "linalg.det", "linalg.inv", "linalg.solve",
)  # fmt: skip
_OF_LISTS_OF_ARRAYS = ("concatenate", "stack", "vstack", "hstack", "dstack", "column_stack")
_BY_INDEXING = ("r_", "c_", "mgrid", "ogrid")  # objects: `np.r_[x, 0]`
_ELSEWHERE = ("fft.fftfreq", "fft.rfftfreq", "triu_indices", "tril_indices", "diag_indices")
_ONE_NUMBER = {"zeros": 0, "ones": 1, "empty": 0, "zeros_like": 0, "ones_like": 1, "empty_like": 0}
# Where sizes stand, by position and name. They decide the shape of the result, so a traced one is asked for, as `range` asks.
_SIZES = {
    **dict.fromkeys(("zeros", "ones", "empty", "full"), {0: "shape"}),
    **dict.fromkeys(("zeros_like", "ones_like", "empty_like", "full_like"), {-1: "shape"}),
    **dict.fromkeys(("linspace", "logspace", "geomspace"), {2: "num"}),
    **dict.fromkeys(("eye", "tri"), {0: "N", 1: "M", 2: "k"}),
    **dict.fromkeys(("diag", "diagflat", "tril", "triu"), {1: "k"}),
    **dict.fromkeys(("bartlett", "blackman", "hamming", "hanning", "kaiser"), {0: "M"}),
    **dict.fromkeys(("fft.fftfreq", "fft.rfftfreq", "identity"), {0: "n"}),
    **dict.fromkeys(("triu_indices", "tril_indices"), {0: "n", 1: "k", 2: "m"}), "diag_indices": {0: "n", 1: "ndim"},
    "indices": {0: "dimensions"}, "vander": {1: "N"}, "fromfunction": {1: "shape"}, "repeat": {1: "repeats"}, "tile": {1: "reps"},
}  # fmt: skip
_SAME_OBJECT = ("asarray", "asanyarray", "ascontiguousarray", "asfortranarray")  # of a proxy they return the proxy itself, or a copy


def _wrapper(name: str, original: Callable) -> Callable:
    @functools.wraps(original, updated=())
    def create(*args, **kwargs):
        if not active_traces() or not config.trace_creation or in_library(sys._getframe(1).f_code.co_filename):
            return original(*args, **kwargs)
        if name in _SIZES and not known((args[1:], kwargs) if name in _ALIKE else (args, kwargs)):
            args, kwargs = _with_sizes(_SIZES[name], args, kwargs)
        if name in _DISPATCHED and args and type(args[0]) is Tracer:
            return original(*args, **kwargs)  # NumPy hands it to the proxy
        return _created(name, original, args, kwargs)

    return create


_ALIKE = frozenset(("zeros_like", "ones_like", "empty_like", "full_like", "repeat", "tile"))  # of an array, which may be traced
_DISPATCHED = frozenset((*_OF_LISTS, "copy", "diag", "diagflat", "tril", "triu"))


def _created(name: str, original: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    if name == "fromiter":
        return _of_iterator(original, *args, **kwargs)
    if known((args, kwargs)):
        if name in _SAME_OBJECT and args and type(args[0]) is Tracer:
            return _same_object(name, args, kwargs)
        return _proxies(name, original(*plain(args), **plain(kwargs)))
    if name in _SAME_OBJECT and type(args[0]) is Tracer:
        return _same_object(name, args, kwargs)
    if name in _SAME_OBJECT:
        return dispatch.operators["array"](args[0], args[1] if len(args) > 1 else kwargs.get("dtype"))
    if name == "arange":
        # Its length is decided by its bounds: whole numbers can be asked for, as `range` asks.
        return _created(name, original, tuple(map(_asked, args)), {key: _asked(x) for key, x in kwargs.items()})
    if name in ("array", "full"):
        return as_new(dispatch.operators[name](*args, **kwargs), *args)
    if name in _OF_LISTS_OF_ARRAYS:
        return original(list(map(_of_list, args[0])), *args[1:], **kwargs)
    return original(*map(_of_list, args), **kwargs)


def _with_sizes(places: dict[int, str], args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """The arguments with plain numbers for the sizes among them."""
    args = tuple([_size(x) if i in places else x for i, x in enumerate(args)])
    return args, {name: _size(x) if name in places.values() else x for name, x in kwargs.items()}


def _size(x: Any) -> Any:
    """A size, or a tuple or list of them; one of another type is left to NumPy to refuse."""
    if type(x) in (tuple, list):
        return type(x)(map(_size, x))
    return int(x) if type(x) is Tracer and x.owner.depth and x.dtype.kind in "iu" and not x.shape else x


def _bound(x: Any) -> Any:
    """What stands between the brackets of `np.r_` and the like, with plain numbers for the bounds of slices."""
    if type(x) is tuple:
        return tuple(map(_bound, x))
    return slice(_size(x.start), _size(x.stop), _size(x.step)) if type(x) is slice else x


def _asked(x: Any) -> Any:
    return int(x) if type(x) is Tracer and x.dtype.kind in "iu" else x.__array__() if type(x) is Tracer else x


def _of_iterator(original: Callable, iter, dtype, count=-1, **kwargs) -> Any:
    items = list(itertools.islice(iter, count if count >= 0 else None))
    if known(items):
        return _proxies("fromiter", original(plain(items), dtype, count, **kwargs))
    if len(items) < count:
        raise ValueError(at_user_line(f"iterator too short: Expected {count} but iterator had only {len(items)} items."))
    return dispatch.operators["array"](items, dtype)


class _Indexed:
    """What `np.r_`, `np.c_`, `np.mgrid` and `np.ogrid` are while functions are traced."""

    def __init__(self, name: str, original: Any):
        self._name, self._original = name, original

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._original, attribute)

    def __getitem__(self, key: Any) -> Any:
        if not active_traces() or not config.trace_creation or in_library(sys._getframe(1).f_code.co_filename):
            return self._original[key]
        key = _bound(key)
        if known(key):
            return _proxies(self._name, self._original[plain(key)])
        if self._name not in dispatch.operators:
            raise TypeError(at_user_line(f"np.{self._name} of traced numbers: the number of points depends on them. Use np.linspace or np.arange"))
        return dispatch.operators[self._name][key]


def _of_list(x: Any) -> Any:
    """A list that holds traced values as one array of them."""
    return x if type(x) is Tracer or known(x) else dispatch.operators["array"](x)


def _same_object(name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    x = args[0]
    dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
    if dtype is not None and np.dtype(dtype) != x.dtype:
        x = x.astype(dtype)
    if name in ("asarray", "asanyarray"):
        return x
    if not x.shape:
        return x.reshape(1)
    if name == "ascontiguousarray":
        return dispatch.operators["contiguous"](x)
    return x if layout(x).flags.f_contiguous else as_new(x, x)


def _proxies(name: str, result: Any) -> Any:
    if type(result) in (tuple, list):
        return type(result)([_proxies(name, r) for r in result])
    if type(result) is not np.ndarray or not supported(result.dtype):
        return result
    if result.ndim == 0:
        return constant(result.reshape(1)).reshape(())  # an array, not a number: it can be written
    # One number everywhere takes no memory, and compiled code does not read it.
    return constant(np.broadcast_to(result.dtype.type(_ONE_NUMBER[name]), result.shape) if name in _ONE_NUMBER and result.size else result)


# -- swapping the names
_lock = threading.Lock()
_running = 0  # traces in all threads
_wrappers: dict[int, tuple[Callable, Callable]] = {}  # by identity of NumPy's function
_namesakes: dict[str, list[str]] = {}  # by SciPy's module: the names of its functions that have wrappers
_in_numpy: list[tuple[dict[str, Any], str, Callable, Callable]] = []
_swapped: list[tuple[dict[str, Any], str, Callable, Callable]] = []
_SEARCHED = 100  # functions that hold each other in their closures
_swapped_cells: list[tuple[CellType, Callable, Callable]] = []
_holders: dict[int, tuple[int, list[str]]] = {}  # by identity of a module's globals: their number, and which of them are creation functions


def _make_wrappers() -> None:
    from .drawing import generators

    for name in _BY_INDEXING:
        original = getattr(np, name)
        _wrappers[id(original)] = original, _Indexed(name, original)
        _in_numpy.append((np.__dict__, name, *_wrappers[id(original)]))
    for module, name, wrap in ((np, "ndenumerate", elements), (np, "nditer", each), (np.random, "default_rng", generators)):
        original = getattr(module, name)
        _wrappers[id(original)] = original, wrap(original)
        _in_numpy.append((module.__dict__, name, *_wrappers[id(original)]))
    for name in (*NAMES, *_ELSEWHERE, *_OF_LISTS, *_OF_LISTS_OF_ARRAYS):
        space, _, attribute = name.rpartition(".")
        module = getattr(np, space) if space else np
        original = getattr(module, attribute)
        wrapper = _wrapper(name, original)
        _wrappers[id(original)] = original, wrapper
        _in_numpy.append((module.__dict__, attribute, original, wrapper))
        if original in dispatch.functions:  # the package looks its own functions up by NumPy's names
            dispatch.functions[wrapper] = dispatch.functions[original]


def _wrap_namesakes() -> None:
    """The plain functions of SciPy's modules that have been imported since the last look."""
    for module, ours in dispatch.NAMESAKES.items():
        if module in _namesakes or module not in sys.modules:
            continue
        space, traced = sys.modules[module].__dict__, importlib.import_module(ours)
        # With SCIPY_ARRAY_API set, ufuncs are behind functions, too.
        functions = [name for name, value in space.items() if isinstance(value, FunctionType) and not name.startswith("_")]
        _namesakes[module] = [name for name in functions if name in traced.__all__ or isinstance(getattr(traced, name, None), np.ufunc)]
        for name in _namesakes[module]:
            _wrappers[id(space[name])] = space[name], _on_traced_values(space[name], getattr(traced, name))
        _holders.clear()


_EMPTY = CellType()  # a variable that has no value yet


def _on_traced_values(original: Callable, traced: Callable) -> Callable:
    from ..numpy.promotion import holds_tracer

    @functools.wraps(original, updated=())
    def call(*args, **kwargs):
        given = (*args, *kwargs.values())
        functions = [x for x in given if type(x) is FunctionType]
        around = [cell.cell_contents for f in functions for cell in f.__closure__ or () if cell != _EMPTY]
        if any(map(holds_tracer, (*given, *around))):
            return traced(*args, **kwargs)
        if not functions:
            return original(*args, **kwargs)
        # A solver, which converts what the user's function returns: where that turns out to be traced, by what it reads elsewhere, it is ours.
        try:
            return original(*args, **kwargs)
        except Exception as error:
            if not _of_conversion(error):
                raise
        return traced(*args, **kwargs)

    return call


def _of_conversion(error: BaseException | None) -> bool:
    """Whether an error comes from the refusal to make a traced value a plain one."""
    while error is not None:
        if isinstance(error, TracerConversionError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _held(space: dict[str, Any]) -> list[str]:
    """The names in a module's globals that are NumPy's creation functions. Looked for anew when names were added."""
    count, names = _holders.get(id(space), (-1, []))
    if count != len(space):
        names = [name for name, value in list(space.items()) if id(value) in _wrappers]
        _holders[id(space)] = len(space), names
    return names


_compiled: tuple[int, list[tuple[dict[str, Any], str]]] = (0, [])
_plain_numpy = ModuleType("numpy", "NumPy as it is outside of traces, for code that was compiled by Cython.")


def _held_by_compiled_code() -> list[tuple[dict[str, Any], str]]:
    """Where extension modules hold NumPy: code that Cython compiled has no frame, so that its callers would be taken for it (`np.random.randn` calls
    `np.empty`). Looked for anew when modules were imported."""
    global _compiled
    if _compiled[0] != len(sys.modules):
        found = []
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file.endswith((".so", ".pyd")):
                found += _held_by(module)
        _compiled = len(sys.modules), found
    return _compiled[1]


def _held_by(module: ModuleType) -> list[tuple[dict[str, Any], str]]:
    return [(vars(module), name) for name in ("np", "numpy") if vars(module).get(name) is np]


def _give_plain(held: list[tuple[dict[str, Any], str]]) -> None:
    for space, name in held:
        space[name] = _plain_numpy
        _swapped.append((space, name, np, _plain_numpy))


_load_extension = ExtensionFileLoader.exec_module


def _load_extension_while_tracing(loader: ExtensionFileLoader, module: ModuleType) -> None:
    """In place of `ExtensionFileLoader.exec_module`: a traced function may be the first that imports a module which Cython compiled."""
    _load_extension(loader, module)
    _give_plain(_held_by(module))


def _swap_in() -> None:
    if not _wrappers:
        _make_wrappers()
    _wrap_namesakes()
    if len(vars(_plain_numpy)) != len(vars(np)):  # submodules come later
        vars(_plain_numpy).update(vars(np))
    _give_plain(_held_by_compiled_code())
    ExtensionFileLoader.exec_module = _load_extension_while_tracing
    for entry in _in_numpy:
        space, name, original, wrapper = entry
        if space[name] is original:
            space[name] = wrapper
            _swapped.append(entry)
    for module, names in _namesakes.items():
        _swap_globals(sys.modules[module].__dict__, names)
    for space in user_globals():
        _swap_globals(space, _held(space))
    methods.swap_in()


def _swap_globals(space: dict[str, Any], names) -> None:
    for name in names:
        found = _wrappers.get(id(space.get(name)))
        if found is not None:
            space[name] = found[1]
            _swapped.append((space, name, *found))


def _swap_cells(f: Any) -> None:
    """The variables around a function that hold creation functions: `from numpy import zeros` in the function outside, and the function that is
    traced itself, as in `grad(scipy.special.logsumexp)`, which the wrappers of this package hold. Functions held so are gone through, too."""
    while type(f) is not FunctionType and hasattr(f, "__wrapped__"):
        f = f.__wrapped__  # an object that calls the function
    waiting, seen = [f], set()
    while waiting:
        f = waiting.pop()
        if type(f) is not FunctionType or id(f) in seen or len(seen) > _SEARCHED:
            continue
        seen.add(id(f))
        if f.__globals__ is globals():
            continue  # a wrapper holds the function that it stands for
        for cell in f.__closure__ or ():
            try:
                held = cell.cell_contents
            except ValueError:  # a variable that has no value yet
                continue
            stand_in = _stand_in(held)
            if stand_in is held:
                waiting.append(held)
            else:
                cell.cell_contents = stand_in
                _swapped_cells.append((cell, held, stand_in))


def _stand_in(f: Any) -> Any:
    """The wrapper of a creation function or of a function of SciPy, also in a partial application; anything else as it is."""
    if type(f) is partial:
        function = _stand_in(f.func)
        return f if function is f.func else partial(function, *f.args, **f.keywords)
    found = _wrappers.get(id(f))
    return methods.stand_in(f) if found is None else found[1]


def _swap_out() -> None:
    ExtensionFileLoader.exec_module = _load_extension
    for space, name, original, wrapper in _swapped:
        if space.get(name) is wrapper:
            space[name] = original
    for cell, original, wrapper in _swapped_cells:
        if cell.cell_contents is wrapper:
            cell.cell_contents = original
    _swapped.clear()
    _swapped_cells.clear()
    methods.swap_out()


@contextmanager
def tracing(trace, f: Any) -> Iterator[Any]:
    """While it runs, `trace` is the innermost active trace of this thread, and NumPy's creation functions make constant proxies.

    Gives the function to call: `f`, or what stands for it where it is such a function itself.
    """
    global _running
    traces = active_traces()
    function = innermost(f)
    function = function if type(function) is FunctionType else getattr(function, "__func__", None)
    with _lock:
        _running += 1
        if config.trace_creation:
            if _running == 1:
                _swap_in()
            if type(function) is FunctionType:
                adopt(function)
            for space in globals_behind(f):
                _swap_globals(space, [name for name, value in list(space.items()) if id(value) in _wrappers])
            _swap_cells(f)
            f = _stand_in(f)
    outer = [t.inner for t in traces]
    for t in traces:
        t.inner = trace
    traces.append(trace)
    try:
        yield f
    finally:
        traces.pop()
        for t, inner in zip(traces, outer):
            t.inner = inner
        with _lock:
            _running -= 1
            if not _running:
                _swap_out()


__all__ = ["NAMES", "tracing"]
