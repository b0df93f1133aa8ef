"""`compile`: a function of tensors, or a module, as a native program."""

from __future__ import annotations

import functools
import types
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import tree
from ...api.cache import SIGNATURES, CacheInfo
from ...api.recording import name_of
from ...api.variant import MISS
from ...config import config
from ...errors import GuardLimitError, TracerBoolError, TracerConversionError, at_user_line, is_library
from ...trace.constants import active_traces
from ..modes import DecidesByValues, state
from ..storage import storage_of
from ..tensor import Tensor
from .recipes import Known
from .recording import Recorded, record
from .surroundings import Surroundings, switches
from .variant import Binding, Variant

_BINDINGS = 8  # that a call looks at before it goes the slow way
_POSITIONAL = 16
_IN_VAIN = 8  # calls in a row that were recorded for nothing, until that is given up
_INTEGERS = 3  # so many values of an integer get a program each; from then on it is an input


class Compiled:
    """A compiled function of tensors; made by `compile`."""

    compiled_from = "f"  # within another one it is this function

    def __init__(self, f: Callable):
        functools.update_wrapper(self, f, updated=())
        self.f = f
        self._what = f"torch.compile of {name_of(f)}"
        self._variants: dict[Any, list[Variant]] = {}
        self._looks: dict[Any, Surroundings] = {}
        self._bindings: list[Binding] = []
        self._run_once: set[Any] = set()  # surroundings in which the function made things that stay, and has been run for that
        self._moving: set[str] = set()
        self._fixed: set[str] = set()  # numbers that could not be inputs
        self._seen: dict[str, set[Any]] = {}
        self._calls = self._misses = self._in_vain = self._last_in_vain = 0
        self._closures: dict[types.CodeType, Compiled] | None = None  # of a function that runs as it is: see `DecidesByValues`
        self._bound: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if active_traces():
            return self.f(*args, **kwargs)
        self._calls += 1
        if self._closures is not None:
            return self._as_it_is(args, kwargs)
        flat, structure = _flattened(args, kwargs)
        for i, binding in enumerate(self._bindings):
            if binding.takes(flat, structure):
                out = binding.run(flat)
                if out is not MISS:
                    if i:
                        self._bindings.insert(0, self._bindings.pop(i))
                    return out
        return self._slow(args, kwargs, flat, structure)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        found = self._bound.get(instance)
        if found is None:
            found = self._bound[instance] = Compiled(types.MethodType(self.f, instance))
        return found

    def __repr__(self) -> str:
        return f"<{self._what}, {sum(map(len, self._variants.values()))} compiled>"

    # -- the slow way
    def _slow(self, args: tuple, kwargs: dict, flat: list[Any], structure: Any) -> Any:
        look, key = self._look(flat, structure)
        variants = self._variants.get(key, [])
        for variant in variants:
            out = self._bind(variant, look, structure, flat)
            if out is not MISS:
                variants.remove(variant)
                variants.insert(0, variant)
                return out
        if len(variants) >= config.max_variants:
            asked = next((v.guards.asked[0] for v in variants if v.guards is not None), "which gradients are there")
            raise GuardLimitError(
                at_user_line(
                    f"{self._what}: {len(variants)} variants are compiled for arguments of this type, since Python branches on their values: {asked} "
                    "last time. Choose between values with torch.where, or take the branch outside of the compiled function. "
                    "(`tracejit.config.max_variants` is the limit.)"
                )
            )
        self._misses += 1
        try:
            made, look, key = self._record(args, kwargs, flat, structure, look, key)
        except DecidesByValues:
            self._closures = {}
            return self._as_it_is(args, kwargs)
        advanced = set(made.advanced) - self._fixed - self._moving
        if advanced or made.creates and key not in self._run_once:
            self._moving |= advanced
            self._run_once.add(key)
            self._note_in_vain(made)
            return self.f(*args, **kwargs)
        variant = Variant(made, look, name_of(self.f))
        if len(self._variants) >= SIGNATURES:
            self.clear_cache()
        self._variants.setdefault(key, []).insert(0, variant)
        self._looks[key] = look
        out = self._bind(variant, look, structure, flat)
        if out is MISS:
            raise RuntimeError(f"{self._what}: the answers that were recorded do not hold for the arguments that they were recorded on")
        return out

    def _note_in_vain(self, made: Recorded) -> None:
        """Run the function as it is from here on, where each of many calls in a row has changed what it reads as known: no program serves twice."""
        self._in_vain = self._in_vain + 1 if self._calls == self._last_in_vain + 1 else 1
        self._last_in_vain = self._calls
        if self._in_vain < _IN_VAIN:
            return
        names = sorted({str(e.key) for e in made.effects if type(e.recipe) is Known and type(e.key) in (str, int)})
        warnings.warn(
            at_user_line(
                f"{self._what}: it runs as it is from now on, since each of {_IN_VAIN} calls in a row has changed what it reads as a known value: "
                f"{', '.join(names)}. Change that outside of the compiled function, or let it be a tensor."
            ),
            RuntimeWarning,
            stacklevel=2,
        )
        self._closures = {}

    def _as_it_is(self, args: tuple, kwargs: dict) -> Any:
        """Run the function itself, with the closures compiled that it hands to what decides by values."""
        before, state.closures = state.closures, self._closure
        try:
            return self.f(*args, **kwargs)
        finally:
            state.closures = before

    def _closure(self, f: Callable) -> Callable:
        """A closure, which is defined anew at each call, by what was compiled for the one before."""
        code = getattr(f, "__code__", None)
        if code is None:
            return f
        found = self._closures.get(code)
        if found is None:
            found = self._closures[code] = Compiled(f)
        found.f, found._bindings = f, []
        return found

    def _look(self, flat: list[Any], structure: Any) -> tuple[Surroundings, Any]:
        """What the function reads, and what its programs are kept under. Numbers that differ from call to call become inputs."""
        while True:
            look = Surroundings(self.f, flat, self._moving)
            key = (look.key, structure, switches())
            if key in self._variants or not self._looks:
                return look, key
            changed = self._changed_numbers(look)
            if not changed:
                return look, key
            self._moving |= changed

    def _changed_numbers(self, look: Surroundings) -> set[str]:
        """The numbers in which the surroundings differ from known ones, if they differ in nothing else."""
        nearest = min(self._looks.values(), key=lambda other: len(look.differences(other)))
        found = set()
        for path in look.differences(nearest):
            now, before = look.plain.get(path), nearest.plain.get(path)
            if path in self._fixed or path not in look.movable or now is None or type(now) is not type(before):
                return set()
            values = self._seen.setdefault(path, set())
            values |= {now, before}
            if type(now) is int and len(values) <= _INTEGERS:
                return set()
            found.add(path)
        return found

    def _record(self, args: tuple, kwargs: dict, flat: list[Any], structure: Any, look: Surroundings, key: Any) -> tuple:
        while True:
            try:
                made = record(self.f, args, kwargs, look, self._what)
                known = set(made.read)
            except DecidesByValues:
                raise
            except TypeError as error:
                known = set(self._moving)
                if not known or not _wants_a_number(error):
                    raise
            if not known:
                return made, look, key
            self._fixed |= known  # some function took a number that it must know, or asked a list: each value has a program of its own from here on
            self._moving -= known
            look, key = self._look(flat, structure)

    def _bind(self, variant: Variant, look: Surroundings, structure: Any, flat: list[Any]) -> Any:
        binding = Binding(variant, look, structure)
        out = binding.run(flat)
        if out is not MISS and binding.watch is not None:
            kept = [b for b in self._bindings if b.variant is not variant]
            self._bindings = [binding, *kept][:_BINDINGS]
        return out

    # -- what was built
    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Why a call with these arguments runs what is compiled, or must be compiled anew."""
        flat, structure = _flattened(args, kwargs)
        look = Surroundings(self.f, flat, self._moving)
        found = self._variants.get((look.key, structure, switches()))
        if found:
            guards = "".join(f"; {g}" for v in found if v.guards is not None for g in v.guards.asked)
            return f"is compiled{guards}"
        if not self._looks:
            return "compiles: nothing is compiled for this function"
        nearest = min(self._looks.values(), key=lambda other: len(look.differences(other)))
        now, before = dict(look.items), dict(nearest.items)
        lines = [f"compiles anew: `{p}`: {_said(now.get(p))} was {_said(before.get(p))}" for p in look.differences(nearest)]
        return "\n".join(lines) or "compiles anew: whether gradients are recorded, the default dtype or the arrangement of arguments is another"

    def kernels(self, *args: Any, **kwargs: Any) -> str:
        """What the program does that ran last: its loop nests as readable code, library calls and host calls; on a device, its kernels."""
        from ...lowering.show import show

        if not self._bindings:
            return ""
        variant = self._bindings[0].variant
        return variant.on_device.show() or show(variant.program)

    def cache_info(self) -> CacheInfo:
        """Calls that found a program and calls that recorded the function; how many programs are kept at most, and are now."""
        return CacheInfo(self._calls - self._misses, self._misses, SIGNATURES, sum(map(len, self._variants.values())))

    def clear_cache(self) -> None:
        """Forget what was compiled."""
        self._variants, self._looks, self._bindings = {}, {}, []


class CompiledModule:
    """A module whose calls are compiled; everything else is the module's own."""

    compiled_from = "_orig_mod"

    def __init__(self, module: Any):
        object.__setattr__(self, "_orig_mod", module)
        object.__setattr__(self, "_compiled", Compiled(functools.partial(module)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_orig_mod"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    @property
    def __class__(self) -> type:
        return type(self._orig_mod)

    def __repr__(self) -> str:
        return f"CompiledModule({self._orig_mod!r})"

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """As `Compiled.explain`."""
        return self._compiled.explain(*args, **kwargs)

    def cache_info(self) -> CacheInfo:
        """As `Compiled.cache_info`."""
        return self._compiled.cache_info()


def _flattened(args: tuple, kwargs: dict) -> tuple[Sequence[Any], Any]:
    """The leaves of the arguments and how they are arranged, of tensors by position in a fifth of the time."""
    if not kwargs and len(args) <= _POSITIONAL and all([type(a) is Tensor for a in args]):
        return args, _by_position(len(args))
    return tree.flatten((args, kwargs))


@functools.cache
def _by_position(count: int) -> Any:
    return tree.flatten((tuple([Tensor._sharing(np.zeros(()), storage_of(np.zeros(()))) for _ in range(count)]), {}))[1]


def _wants_a_number(error: TypeError) -> bool:
    """Whether something asked a traced number for its value, or a function of a library refused it; an error of the user's own is neither."""
    if isinstance(error, (TracerConversionError, TracerBoolError)) or "'Tracer'" in str(error):  # Python's own text: it is hashed, say
        return True
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and is_library(last.tb_frame.f_code.co_filename)


def _said(description: Any) -> str:
    if description is None:
        return "(not there)"
    kind, *what = description
    if kind == "value":
        value = what[0]
        return repr(value[1] if isinstance(value, tuple) and len(value) == 2 else value)
    if kind == "tensor":
        flag = " requires_grad" if what[3] else ""
        return f"{what[2][1:]}{list(what[1])}{flag}"
    return f"({kind})"


def compile(model: Callable | None = None, **options: Any) -> Any:
    """A function of tensors, or a module, that runs as a native program.

    model: a function, which may be a whole training step (`zero_grad`, forward, loss, `backward`, `optimizer.step()`), a method, or a module.
    Usable as a decorator, with or without arguments. options: torch's (`fullgraph`, `dynamic`, `backend`, `mode`, `options`, `disable`); only
    `disable` matters.

    Parameters, buffers, gradients and the state of optimizers that the function reaches are read at each call and updated in place; learning rates
    and other numbers that change are inputs. Random numbers come from torch's stream, bit by bit those of eager mode. A call that makes things
    which stay (the first step of Adam makes its state) runs as it is, once. Python branches on values become guards, as under `tracejit.jit`; a
    change of `training`, `requires_grad` or of any plain value that is read compiles another program. Results can be differentiated outside.
    `x.item()` is a number that may be returned, computed with, appended to a list, or assigned to an attribute or an outer variable. A function
    that decides by values runs as it is: one that makes a step of LBFGS, whose closure is compiled, that packs sequences of lengths that it is
    given, or draws numbers by rejection.

    Raises `TracerConversionError` where a value leaves the program (`float(x)`, `math.sqrt(x)`, a format), `GuardLimitError` where too many calls got
    different answers, `TracejitError` where a tensor is left where it cannot be handed over.

    >>> from tracejit import torch
    >>> f = torch.compile(lambda x: (x * x).sum())
    >>> f(torch.tensor([3.0, 4.0]))
    tensor(25.)
    """
    unknown = options.keys() - {"fullgraph", "dynamic", "backend", "mode", "options", "disable"}
    if unknown:
        raise TypeError(at_user_line(f"compile() got an unexpected keyword argument {sorted(unknown)[0]!r}"))
    if model is None:
        return lambda f: compile(f, **options)
    if not callable(model):
        raise TypeError(at_user_line(f"compile expects a function or a module, got {type(model).__name__}"))
    if options.get("disable") or isinstance(model, Compiled):
        return model
    if isinstance(getattr(model, "_parameters", None), dict):
        return CompiledModule(model)
    return Compiled(model)
