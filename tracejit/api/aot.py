"""Ahead of time: `tj.jit(f).lower(*args).compile()`, from shapes alone, and what a program will cost."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import residence, tree
from ..errors import TracejitError, at_user_line
from ..ir import ArrayType, Graph, Literal
from ..trace import Tracer
from .environment import Environment
from .placement import new_variant, placement, require_one_place
from .rebinding import Rebinding
from .recording import (
    Recording,
    ShapeDtype,
    abstract,
    argument_paths,
    check_leaves,
    defined_at,
    is_abstract,
    name_of,
    parameter_names,
    record,
    with_keywords,
)
from .statics import with_statics
from .variant import MISS, never


class CostAnalysis(NamedTuple):
    """One run of a program: `flops` (additions and multiplications, and what counts as one), `transcendentals` (evaluations of functions such as
    `exp`), `bytes_accessed` (read and written by its steps), `arithmetic_intensity` (flops and transcendentals for each byte).

    A `while` loop counts as one turn where its number of turns is not known: then `loops_counted_once`.
    """

    flops: int
    transcendentals: int
    bytes_accessed: int
    arithmetic_intensity: float
    loops_counted_once: bool


class MemoryAnalysis(NamedTuple):
    """Bytes: of the arguments, of the arrays that the function closes over, of the results, and of the arena for what is computed between."""

    argument_bytes: int
    captured_bytes: int
    output_bytes: int
    temporary_bytes: int


class Lowered:
    """A function traced for types of arguments; made by `jit(f).lower`."""

    def __init__(self, jitted: Any, args: tuple, kwargs: dict):
        self._what, self._f, self.target = f"lowering of {name_of(jitted.f)}", jitted.f, jitted.target
        moving, named, statics = jitted._split(args, kwargs)
        self.statics = statics
        self._numbers = jitted._static_places(args)
        flat, self._structure = tree.flatten((moving, named), is_leaf=is_abstract)
        self._paths = argument_paths(moving, named, [n for n in range(len(args)) if n not in self._numbers])
        self.in_types: list[ArrayType] = check_leaves(flat, lambda: self._paths, jitted.f, self._what, abstract)
        actual = None if any(map(is_abstract, flat)) else flat  # with values Python may branch on them, as under jit
        self._environment = Environment(jitted.f, statics)
        flat = [residence.adopted(x) for x in flat]
        where = placement(flat, self._environment.arrays, jitted.target, jitted.f, self._what, lambda: self._paths)
        f = Rebinding(with_keywords(with_statics(jitted.f, statics)), self._environment, self._what)
        made: Recording = record(
            f, self._what, self.in_types, self._structure, concrete=False, keep_writes=True, keep_cells=True, actual=actual,
            kept=self._environment.arrays,
        )  # fmt: skip
        if f.effects:
            raise TracejitError(
                at_user_line(
                    f"{self._what}: {defined_at(jitted.f)} binds `{f.effects[0].path}` anew, which a program that is compiled ahead of time does "
                    f"not: return the value, or write it into an array (`{f.effects[0].path}[...] = value`)"
                )
            )
        require_one_place(made.outside, where, jitted.f, self._what)
        self.placement = where
        self._variant = new_variant(made, name_of(jitted.f), self._environment, (), where)
        # What it can be made from again, elsewhere: without the arrays, unless Python has branched on what is in them.
        known = args if made.guards is not None else tuple(a if n in self._numbers else _types_of(a) for n, a in enumerate(args))
        self._made_from = jitted, known, {name: _types_of(x) if name in named and made.guards is None else x for name, x in kwargs.items()}

    def __reduce__(self):
        return Lowered, self._made_from

    def __deepcopy__(self, memo: dict) -> Lowered:
        return self  # it never changes

    @property
    def graph(self) -> Graph:
        """The traced graph; printed, it is NumPy code."""
        return self._variant.graph

    @property
    def out_info(self) -> Any:
        """Shapes and dtypes of the results, in their tree."""
        types = self.graph.out_types[: self._variant.structure.num_leaves]
        return self._variant.structure.unflatten([ShapeDtype(t.shape, t.dtype) for t in types])

    def as_text(self) -> str:
        """The graph as NumPy code."""
        return str(self.graph)

    def compile(self) -> Compiled:
        """The compiled function for these types."""
        return Compiled(self)

    def cost_analysis(self) -> CostAnalysis:
        """As that of the compiled function, which it compiles for the bytes."""
        return self.compile().cost_analysis()

    def __repr__(self) -> str:
        return f"<{self._what}: {', '.join(map(str, self.in_types))}>"


def _types_of(x: Any) -> Any:
    flat, structure = tree.flatten(x, is_leaf=is_abstract)
    return structure.unflatten(map(abstract, flat))


class Compiled:
    """A function compiled for types of arguments; made by `jit(f).lower(...).compile()`. Call it with arrays of those types, and without static
    arguments.

    What the function closes over is fixed when it is lowered, but for the contents of arrays.
    Raises `TypeError` for arguments of other types, and `ValueError` where a branch that was taken on the arguments of `lower` would go another way,
    or what Python has read of closed-over arrays, as `float(w[0])` does, has changed.
    """

    def __init__(self, lowered: Lowered):
        self._lowered, self._variant = lowered, lowered._variant
        self._outside = self._variant.outside(lowered._environment)
        self.program = self._variant.program
        self._entry, self._calls = never, 0

    def __reduce__(self):
        return Compiled, (self._lowered,)

    def __deepcopy__(self, memo: dict) -> Compiled:
        return self  # it never changes

    def __call__(self, *args, **kwargs):
        if not kwargs:
            out = self._entry(*args)
            if out is not MISS:
                return out
        return self._slow(args, kwargs)

    def _slow(self, args: tuple, kwargs: dict) -> Any:
        lowered, variant = self._lowered, self._variant
        flat, structure = tree.flatten((args, kwargs))
        flat = [residence.adopted(x) for x in flat]
        if structure != lowered._structure:
            raise TypeError(at_user_line(f"{lowered._what}: compiled for arguments {lowered._structure}, called with {structure}"))
        types = check_leaves(flat, lambda: lowered._paths, lowered._f, lowered._what)
        for path, have, want in zip(parameter_names(lowered._f, lowered._paths), types, lowered.in_types):
            if have.shape != want.shape or have.dtype != want.dtype:
                raise TypeError(at_user_line(f"{lowered._what}: argument `{path}` of {defined_at(lowered._f)} is {have}, compiled for {want}"))
        if residence.classes:
            have = placement(flat, (), lowered.target, lowered._f, lowered._what, lambda: lowered._paths)
            if have is not None and (lowered.placement is None or have.device != lowered.placement.device):
                from ..cuda.errors import DeviceError

                where = lowered.placement or "the host"
                raise DeviceError(at_user_line(f"{lowered._what}: compiled for {where}, called with arrays on {have}: lower it for such arrays"))
        broken = variant.broken(flat, self._outside)
        if not variant.reads_the_same(lowered._environment):
            raise ValueError(at_user_line(f"{lowered._what}: an array that Python has read, when it was lowered, has other contents now"))
        if broken is not None:
            raise ValueError(at_user_line(f"{lowered._what}: {broken} when it was lowered, and is not for these arguments"))
        if any(type(x) is Tracer for x in flat):
            from ..ops.call import call

            return variant.rebuild(call(*flat, *self._outside, graph=variant.graph), flat, self._outside, lowered._environment)
        out = variant.run(flat, self._outside, lowered._environment)
        self._calls += 1
        if self._calls > 1 and self._entry is never and not kwargs:
            self._entry = variant.entry(list(args), lowered._environment, alone=True)
        return out

    def cost_analysis(self) -> CostAnalysis:
        """What one run costs.

        >>> import numpy as np, tracejit as tj
        >>> tj.jit(lambda a, b: a @ b).lower(tj.ShapeDtype((64, 32), np.float64), tj.ShapeDtype((32, 16), np.float64)).compile().cost_analysis().flops
        65536
        """
        from ..lowering.costs import costs

        total, moved = costs(self._variant.graph), self._variant.bytes_moved()
        work = total.flops + total.transcendentals
        return CostAnalysis(total.flops, total.transcendentals, moved, work / moved if moved else 0.0, total.loops)

    def memory_analysis(self) -> MemoryAnalysis:
        """The memory that one run needs."""
        plan = self.program.plan
        types = [v.type for v in self._variant.graph.inputs]
        count = len(types) - len(self._outside)
        made = {b: b.type.nbytes for b in plan.outputs}
        constants = sum(o.type.nbytes for o in plan.partition.outputs if isinstance(o, Literal))
        given, captured = (sum(t.nbytes for t in part) for part in (types[:count], types[count:]))
        return MemoryAnalysis(given, captured, sum(made.values()) + constants, plan.arena_bytes)

    def as_text(self) -> str:
        """The LLVM module of the program; for a device the sources of its kernels."""
        return self._variant.code()

    def kernels(self) -> str:
        """What the program does, step by step."""
        return self._variant.show()

    def __repr__(self) -> str:
        return f"<compiled {self._lowered!r}>"

