"""How a torch function is applied to tensors.

A `Primitive` is a function of arrays, written once in terms of NumPy, with torch's name for its node.  Applied to tensors it computes at once with
NumPy (or grows the trace that is active); if one of them requires a gradient it also records a node, whose way back is derived from the function
itself (`plan.Plan`).  Functions of the namespace are made of primitives; `function` enters them as `torch.f`, `Tensor.f` and `Tensor.f_`.

What an application needs beside the function is looked up once, by the types of the operands and the static arguments: a `Kind` has the plan, and
the functions written for it (recorder.py).  A product of two small tensors, recorded, takes 2 to 3 us.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

import numpy as np

from .. import residence
from ..api.variant import MISS
from ..interpret import replay
from ..ir import ArrayType
from ..ops.custom import Rule, custom_derivative
from ..ops.elementwise import stop_gradient
from ..trace import Tracer
from ..trace.constants import _active
from ..trace.trace import type_of
from . import nodes
from .modes import state
from .nodes import PartNode, PrimitiveNode, SingleNode, node_type
from .plan import Forward, Plan, forward_graph, make_plan, own
from .recorder import PLAIN, TENSOR, WANTED, Shape, recorder, way_back
from .running import Running
from .storage import Storage, here
from .tensor import Tensor, wrap

_new = object.__new__
_NOTHING: dict[str, Any] = {}
MAX_KINDS = 256  # of one primitive; beyond, the oldest half is dropped
_LOOPS = frozenset(("scan", "while", "sweeps"))
MAX_NUMBERS = 1024  # Python numbers that are kept as arrays


class Kind:
    """What the applications of a primitive to operands of the same types have in common.

    `note(operands, arrays, results)` notes in the results how they were made; None where no derivative reaches an operand: of a comparison, say.
    `running` is the function itself as a graph, of a `native` primitive; `alone`: it gives an array, not a tuple.  `loop` is the graph that the way
    back was made from, where that has a loop: a compiled program runs a loop once if the way back repeats the very same one.
    """

    __slots__ = ("note", "running", "alone", "loop")

    def __init__(self, note: Callable | None, running: Running | None, alone: bool, loop: Forward | None = None):
        self.note, self.running, self.alone, self.loop = note, running, alone, loop


class Primitive:
    """A differentiable function of arrays, applied to tensors.

    `impl(*operands, **static)` gives an array or a tuple of them; static arguments are hashable.  `view` says that the result lies in the memory of
    the first operand; where it lies there in an array but not in a proxy, `put(x, part, **static)` gives x with the part that it shows replaced.
    `rule` is a derivative of its own, in the form of an op's `jvp`, where torch's convention is another.  `ufunc` is the ufunc that `impl`
    is without static arguments, if it is one.  `native`: also as native code (running.py), as layers and losses are.  `part`: it is a view of some of
    the elements of its one operand, as an index gives it.
    """

    __slots__ = ("name", "impl", "view", "put", "rule", "type", "ufunc", "native", "part", "plans", "_kinds", "_numbered", "_running")

    def __init__(
        self, name: str, impl: Callable, view: bool = False, rule: Callable | None = None, ufunc: np.ufunc | None = None,
        put: Callable | None = None, native: bool = False, part: bool = False,
    ):  # fmt: skip
        self.name, self.impl, self.view, self.rule, self.ufunc, self.put = name, impl, view or part, rule, ufunc, put
        self.native, self.part = native, part
        self.type: type[PrimitiveNode] | None = None  # of its nodes, where it is not made from the name
        self.plans: dict[Any, Any] = {}  # what else is derived from it, by types: see duals.py
        self._kinds: dict[Any, Kind] = {}
        self._numbered: dict[tuple[str, ...], Primitive] = {}  # where some static arguments are numbers of a program
        self._running: dict[Any, Running] = {}  # the functions themselves, which do not depend on who needs a gradient

    def __call__(self, *operands: Any, **static: Any) -> Any:
        """The result for tensors and numbers."""
        if _active.traces:
            return self._traced(operands, static)
        if len(operands) == 1 and isinstance(operands[0], Tensor):
            return self.of_one(operands[0], static)
        modes = state.__dict__  # each attribute of a thread's own object is looked up in 40 ns, its dictionary in 20
        arrays, needs = [], False
        for t in operands:
            if isinstance(t, Tensor):
                if t._base is not None and t._history != t._storage.history:
                    t._refresh()
                if t._requires:
                    needs = True
                arrays.append(t._data)
            else:
                arrays.append(t)
        if _devices and residence.meeting(arrays) is not None:
            return _resident().apply(self, operands, arrays, static)
        needs = needs and modes["grad"]
        kind, made = None, MISS
        if needs or self.native:
            kind = self._kind(operands, arrays, static, needs)
            running = kind.running
            if running is not None and (running.entry is not None or running.count()):
                made = running.entry(*arrays)
                if made is not MISS and kind.alone:
                    made = made[0]
        if made is MISS:
            made = _quiet.run(self.impl, *arrays, **static)
        if type(made) is tuple or type(made) is list:
            results = tuple([self._result(x, arrays, operands, static, i) for i, x in enumerate(made)])
        else:
            results = self._result(made, arrays, operands, static, None)
        if needs:
            if kind.note is not None:
                kind.note(operands, arrays, results)
        elif modes["inference"] and not (self.view and not operands[0]._inference):  # a view of an ordinary tensor is an ordinary one
            for t in results if type(results) is tuple else (results,):
                t._inference = True
        if modes["levels"]:
            _push()(self, operands, results if type(results) is tuple else (results,), static)
        return results

    def of_one(self, a: Tensor, static: dict[str, Any] = _NOTHING) -> Any:
        """The result for one tensor: the same as calling it, quicker."""
        if _active.traces:
            return self._traced((a,), static)
        modes = state.__dict__
        if a._base is not None and a._history != a._storage.history:
            a._refresh()
        x, kind, made = a._data, None, MISS
        if _devices and type(x) in _devices:
            return _resident().apply(self, (a,), (x,), static)
        needs = a._requires and modes["grad"]
        if self.native or needs and not self.part:
            which = WANTED if needs else TENSOR
            key = (which, x.shape, x.dtype.num, *static.items()) if static else (which, x.shape, x.dtype.num)
            kind = self._kinds.get(key)
            if kind is None:
                kind = self._kind((a,), (x,), static, needs)
            running = kind.running
            if running is not None and (running.entry is not None or running.count()):
                made = running.entry(x)
                if made is not MISS and kind.alone:
                    made = made[0]
        if made is MISS:
            made = _quiet.run(self.impl, x, **static) if static else _quiet.run(self.ufunc or self.impl, x)
        if type(made) is np.ndarray and made.base is None and made is not x and not self.view:  # as in `_result`, without its call
            result = _new(Tensor)
            result._data = made
            result._storage = storage = _new(Storage)
            storage._array = made
        elif type(made) is tuple or type(made) is list:
            result = tuple([self._result(part, (x,), (a,), static, i) for i, part in enumerate(made)])
        else:
            result = self._result(made, (x,), (a,), static, None)
        if needs:
            if kind is None:
                result._node, result._requires = self._part((a._edge,), here(), self, static, x), True
            elif kind.note is not None:
                kind.note((a,), (x,), result)
        elif modes["inference"] and not (self.view and not a._inference):
            for t in result if type(result) is tuple else (result,):
                t._inference = True
        if modes["levels"]:
            _push()(self, (a,), result if type(result) is tuple else (result,), static)
        return result

    def of_two(self, a: Tensor, b: Any) -> Tensor:
        """The result for a tensor and a tensor or number of no wider dtype, where there is a `ufunc`: the same as calling it, quicker."""
        if _active.traces:
            return self._traced((a, b), _NOTHING)
        modes = state.__dict__
        if modes["levels"]:
            return self(a, b)
        if a._base is not None and a._history != a._storage.history:
            a._refresh()
        x = a._data
        if _devices and (type(x) in _devices or isinstance(b, Tensor) and type(b._data) in _devices):
            return self(a, b)
        if isinstance(b, Tensor):
            if b._base is not None and b._history != b._storage.history:
                b._refresh()
            y, which = b._data, WANTED if b._requires else TENSOR
        else:
            y, which = array_of_number(b, x.dtype), PLAIN
        made = _quiet.run(self.ufunc, x, y)
        if type(made) is not np.ndarray:
            made = made[...]
        result = _new(Tensor)
        result._data = made
        result._storage = storage = _new(Storage)
        storage._array = made
        if a._requires:
            which += 3
        if which % 3 == WANTED or which >= 3:
            if modes["grad"]:
                kind = self._kinds.get((which, x.shape, x.dtype.num, y.shape, y.dtype.num))
                if kind is None:
                    kind = self._kind((a, b), (x, y), _NOTHING, True)
                if kind.note is not None:
                    kind.note((a, b if which % 3 != PLAIN else y), (x, y), result)
                return result
        if modes["inference"]:
            result._inference = True
        return result

    def into_first(self, a: Tensor, b: Any) -> bool:
        """Write the result of `of_two` into a, if there is no more to it: nothing is recorded, and the result has the shape of a."""
        modes = state.__dict__
        if _active.traces or modes["levels"] or (a._inference and not modes["inference"]):
            return False
        if modes["grad"] and (a._requires or a._base is not None or isinstance(b, Tensor) and (b._requires or b._base is not None)):
            return False
        x = a._data
        if _devices and (type(x) in _devices or isinstance(b, Tensor) and type(b._data) in _devices):
            return False
        try:
            _quiet.run(self.ufunc, x, b._data if isinstance(b, Tensor) else array_of_number(b, x.dtype), x)
        except ValueError:  # of the shapes; nothing has been written
            return False
        a._storage.version += 1
        a._storage.written_at = here()
        return True

    def _traced(self, operands: Sequence[Any], static: dict[str, Any]) -> Any:
        """The result where a trace is active: tensors from outside have a proxy in it."""
        if self.rule is None and any([type(v) is Tracer for v in static.values()]):
            return self._of_numbers(operands, static)
        arrays, needs = [], False
        for t in operands:
            if isinstance(t, Tensor):
                needs = t.requires_grad or needs
                arrays.append(t._array)
            else:
                arrays.append(t)
        with np.errstate(all="ignore"):
            if state.recordings:
                made = self.impl(*arrays, **static) if self.rule is None else _with_rule(self, arrays, static)
            else:
                made = self._of_trace(operands, arrays, static, needs and state.grad)
        multiple = type(made) is tuple or type(made) is list
        results = tuple([self._result(x, arrays, operands, static, i if multiple else None) for i, x in enumerate(made if multiple else (made,))])
        if not multiple:
            results = results[0]
        if needs and state.grad:
            self.record(operands, arrays, results, static)
        if state.levels:
            _push()(self, operands, results if multiple else (results,), static)
        return results

    def _of_numbers(self, operands: Sequence[Any], static: dict[str, Any]) -> Any:
        """With static arguments that are read from tensors, which a program has as operands."""
        names = tuple([name for name, v in static.items() if type(v) is Tracer])
        found = self._numbered.get(names)
        if found is None:

            def impl(*arrays: Any, **rest: Any) -> Any:
                return self.impl(*arrays[: -len(names)], **dict(zip(names, arrays[-len(names) :])), **rest)

            found = self._numbered[names] = Primitive(self.name, impl)
        return found(*operands, *[static[name] for name in names], **{k: v for k, v in static.items() if k not in names})

    def _of_trace(self, operands: Sequence[Any], arrays: Sequence[Any], static: dict[str, Any], needs: bool) -> Any:
        loop = self._kind(operands, arrays, static, True).loop if needs and not self.view and not self.part else None
        if loop is None:
            return self.impl(*arrays, **static)
        made = replay(loop.graph, [*arrays, *loop.constants])
        return tuple(made) if loop.multiple else made[0]

    def _result(self, x: Any, arrays: Sequence[Any], operands: Sequence[Any], static: dict[str, Any], number: int | None) -> Tensor:
        if self.view and (_shares(x, arrays[0]) or self.put is not None and type(x) is Tracer):
            return operands[0]._view(x, (self, tuple(static.items()), number))
        if type(x) is not np.ndarray:
            if not isinstance(x, np.generic):
                return wrap(own(x, arrays))
            x = x[...]
        elif x.base is not None or any([x is a for a in arrays]):
            return wrap(own(x, arrays))
        if _active.traces:
            return wrap(x)
        result = _new(Tensor)
        result._data = x
        result._storage = storage = _new(Storage)
        storage._array = x
        return result

    def record(self, operands: Sequence[Any], arrays: Sequence[Any], results: Any, static: dict[str, Any]) -> None:
        """Note in the results (a tensor, or a tuple of them) how they were made."""
        if self.part:
            results._node, results._requires = self._part((operands[0]._edge,), here(), self, static, arrays[0]), True
            return
        note = self._kind(operands, arrays, static, True).note
        if note is not None:
            note(operands, arrays, results)

    def _kind(self, operands: Sequence[Any], arrays: Sequence[Any], static: dict[str, Any], needs: bool) -> Kind:
        """What is known of operands of these types, made when it is first needed. `needs`: it is to be recorded."""
        which, key = 0, [0]
        for t, a in zip(operands, arrays):
            which *= 3
            if isinstance(t, Tensor):
                if needs and t._requires:
                    which += WANTED
            else:
                which += PLAIN
                if not isinstance(a, np.ndarray) and type(a) is not Tracer:
                    key += (type(a), None)
                    continue
            key += (a.shape, a.dtype.num)
        key[0] = which
        if static:
            key += static.items()
        key = tuple(key)
        found = self._kinds.get(key)
        if found is None:
            kinds = tuple([(WANTED if needs and t._requires else TENSOR) if isinstance(t, Tensor) else PLAIN for t in operands])
            with np.errstate(all="ignore"):
                found = self._new_kind(kinds, [type_of(a) for a in arrays], static, key[1:])
            _keep(self._kinds, key, found)
        return found

    def plan_of(self, types: tuple[ArrayType, ...], wanted: tuple[int, ...], static: dict[str, Any]) -> Plan:
        """The plan for operands of these types, for nodes that have none until the way back is itself recorded."""
        key = (types, wanted, *static.items())
        found = self.plans.get(key)
        if found is None:
            with np.errstate(all="ignore"):
                found = make_plan(self.name, forward_graph(self.name, self.impl, types, static), types, wanted, static, self.rule, False)
            _keep(self.plans, key, found)
        return found

    @property
    def _part(self) -> type[PartNode]:
        """The class of its nodes, where it is a view of a part."""
        if self.type is None:
            self.type = node_type(PartNode, f"{self.name}Backward0")
        return self.type

    def _new_kind(self, kinds: tuple[int, ...], types: Sequence[ArrayType], static: dict[str, Any], key: tuple) -> Kind:
        forward = forward_graph(self.name, self.impl, types, static)
        running = None
        if self.native and None not in key[: 2 * len(types)]:  # a Python number is no argument of native code
            running = self._running.get(key)
            if running is None:
                running = Running(f"torch.{self.name}", forward.graph, forward.constants, own=True, at_once=True)
                _keep(self._running, key, running)
            if not running.due:
                running = None
        if WANTED not in kinds:
            return Kind(None, running, not forward.multiple)
        wanted = [i for i, kind in enumerate(kinds) if kind == WANTED]
        plan = make_plan(self.name, forward, types, wanted, static, self.rule, self.native)
        if not plan.reached:
            return Kind(None, running, not forward.multiple)
        cotangents = plan.graph.inputs[len(plan.operands) + len(plan.results) :][:1]
        alone = not forward.multiple
        straight = alone and not plan.graph.nodes and all([a is cotangents[0] for a in plan.graph.outputs])
        moving = tuple([t is not None for t in plan.out_types])
        shape = Shape(kinds, plan.operands, plan.results, moving, alone, plan.reached, straight)
        plan.back = way_back(shape, plan)
        of = self.type or node_type(SingleNode if alone else PrimitiveNode, self.name if "Backward" in self.name else f"{self.name}Backward0")
        loop = forward if any([n.op.kind in _LOOPS for n in forward.graph.nodes]) else None
        return Kind(recorder(shape, of, plan), running, alone, loop)


def _keep(cache: dict[Any, Any], key: Any, value: Any) -> None:
    if len(cache) >= MAX_KINDS:
        for old in list(cache)[: MAX_KINDS // 2]:
            del cache[old]
    cache[key] = value


def _with_rule(primitive: Primitive, arrays: Sequence[Any], static: dict[str, Any]) -> Any:
    """The result in the graph of a function that is differentiated as a whole, where it has the derivative of the primitive's own rule."""
    places = [i for i, a in enumerate(arrays) if isinstance(a, (np.ndarray, Tracer))]
    given = list(arrays)
    for i in places:
        given[i] = stop_gradient(arrays[i])
    made = primitive.impl(*given, **static)
    multiple = type(made) is tuple or type(made) is list
    values = made if multiple else (made,)

    def jvp(args: Sequence[Any], outs: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        xs, ts = list(arrays), [None] * len(arrays)
        for i, x, t in zip(places, args, tangents):
            xs[i], ts[i] = x, t
        moved = primitive.rule(xs, outs if multiple else outs[0], ts, **static)
        return moved if multiple else (moved,)

    results = custom_derivative(*values, *[arrays[i] for i in places], count=len(values), rule=Rule(jvp, _unreachable))
    return tuple(results) if multiple else results[0]


def _unreachable() -> None:
    raise RuntimeError("a derivative reaches the values of a function with its own rule in another way than through its operands")


_devices = residence.classes


def _resident() -> Any:
    from . import resident

    return resident


def _push() -> Callable:
    from .duals import push

    return push


_numbers: dict[Any, np.ndarray] = {}


def array_of_number(x: Any, dtype: np.dtype) -> np.ndarray:
    """A Python number as a 0-d array: beside that a ufunc takes 0.3 us, beside the number 0.6."""
    key = x, dtype.num
    found = _numbers.get(key)
    if found is None:
        found = _quiet.run(np.asarray, x, dtype)
        found.flags.writeable = False
        if x:  # zeros of both signs are equal
            if len(_numbers) >= MAX_NUMBERS:
                _numbers.clear()
            _numbers[key] = found
    return found


class _Quiet(threading.local):
    """A context in which NumPy does not warn of divisions by zero and the like: torch does not. To run in it costs a tenth of `np.errstate`."""

    def __init__(self) -> None:
        context = copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


_quiet = _Quiet()


def _shares(x: Any, base: Any) -> bool:
    if type(x) is Tracer:
        return x is base or x.part_of is not None
    if x.base is base or x is base or (x.base is not None and x.base is base.base):
        return True
    return np.may_share_memory(x, base)


# -- entering functions into the namespace
FUNCTIONS: dict[str, Callable] = {}
"""The functions of the `torch` namespace, by name."""


def function(*names: str, method: bool = True, inplace: bool = False, namespace: bool = True) -> Callable[[Callable], Callable]:
    """Enter a function of tensors as `torch.name` and `Tensor.name`; with `inplace`, also as `torch.name_` and `Tensor.name_`, which write the result
    into the first argument. Names default to the function's own."""

    def enter(f: Callable) -> Callable:
        for name in names or (f.__name__.rstrip("_") if not inplace else f.__name__,):
            if namespace:
                FUNCTIONS[name] = f
            if method:
                setattr(Tensor, name, f)
            if inplace:
                written = into_first(f, name + "_")
                setattr(Tensor, name + "_", written)
                if namespace:
                    FUNCTIONS[name + "_"] = written
        return f

    return enter


def into_first(f: Callable, name: str) -> Callable:
    """The function that computes `f` and writes the result into its first argument."""

    @functools.wraps(f)
    def written(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        from .inplace import assign, check_writable

        check_writable(self)
        start = nodes.count()
        return assign(self, f(self, *args, **kwargs), start)

    written.__name__ = written.__qualname__ = name
    written.__doc__ = f"As `{f.__name__}`, written into the tensor itself."
    return written
