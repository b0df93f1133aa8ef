"""A recorded function as a native program, and the program bound to the tensors that it reads and writes.

A `Variant` stands for all calls in equal surroundings; a `Binding` is a variant with the very tensors of one look at them.  Inputs of the native
entry are, in this order: numbers, storages of arguments, storages that the function itself replaces (all of them differ from call to
call), and behind them the addresses of memory that stays where it is: parameters, buffers, the state of optimizers and of random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ... import residence
from ...api.variant import MISS
from ...errors import TracejitError, at_user_line
from ...interpret import replay
from ...ir import Graph, Literal
from ...lowering.cpu.entry import compile_entry
from ...lowering.cpu.specs import Array as ArraySpec
from ...lowering.cpu.specs import Constant, PyScalar, Tuple
from ...lowering.in_memory import over_inputs
from ...lowering.program import Program
from ...lowering.program import program as compiled
from ..cleared import is_zeroed
from ..dispatch import Primitive
from ..nodes import Saved
from ..storage import here
from ..tensor import Tensor
from .on_device import DeviceProgram, require_one_device
from .outside import CompiledBackward, Freed, Within
from .places import Fluid, Watch
from .recipes import EXTEND, MEMORY, Found, Made, MadeOf, build
from .recording import Recorded
from .surroundings import Surroundings, switches

_NUMBERS = {bool: "bool", int: "int", float: "float", complex: "complex"}


class Variant:
    """The program of a recorded function. `look` is where it was recorded."""

    def __init__(self, made: Recorded, look: Surroundings, name: str):
        self.made, self.name = made, name
        self.replaced = _replaced(made, look)
        fluid = {look.storage_number(look.tensors[n]._storage) for n in self.replaced.values()}
        of_argument = {
            look.storage_number(look.tensors[n]._storage): place
            for place, n in enumerate(look.arguments)
            if n is not None and n >= look.first_argument and (n in look.alone or not look.tensors[n]._chain)
        }
        own = len(made.graph.inputs) - len(made.storages) - len(made.arrays)
        captured = made.graph.inputs[own : own + len(made.storages)]
        groups: tuple[list, list, list] = ([], [], [])
        for number, var in zip(made.storages, captured):
            groups[0 if number in of_argument else 1 if number in fluid else 2].append((number, var))
        inputs = (*made.graph.inputs[:own], *[v for g in groups for _, v in g], *made.graph.inputs[own + len(made.storages) :])
        self.from_arguments = [of_argument[n] for n, _ in groups[0]]
        self.fluid = [n for n, _ in groups[1]]
        self.stable = [n for n, _ in groups[2]]
        self.places = {n: own + i for i, (n, _) in enumerate([*groups[0], *groups[1], *groups[2]])}
        self.graph = Graph(inputs, made.graph.nodes, made.graph.outputs)
        self.own = own
        # Storages that stay where they are come first among the outputs: their memory is not allocated anew.
        order = sorted(range(len(made.written)), key=lambda i: made.written[i] not in set(self.stable))
        self.in_memory = sum(n in set(self.stable) for n in made.written)
        self.written = [made.written[i] for i in order]
        outputs = (*[made.graph.outputs[i] for i in order], *made.graph.outputs[len(order) :])
        self.graph = Graph(inputs, made.graph.nodes, outputs)
        self.guards = made.guards
        self.runs = 0
        self._program: Program | None = None
        self._again: Primitive | None = None
        self.accumulates = any(type(e.recipe) is Made and e.key == "_grad" for e in made.effects)

    @property
    def program(self) -> Program:
        """The compiled program."""
        if self._program is None:
            self._program = Program(self.graph, frozenset(range(len(self.graph.outputs))))
        return self._program

    @cached_property
    def on_device(self) -> DeviceProgram:
        """The program for tensors on a device."""
        if self.guards is not None:  # one that does not hold must leave everything as it was
            return DeviceProgram(self.graph)
        return DeviceProgram(self.graph, {k: self.places[n] for k, n in enumerate(self.written) if n in self.places})

    @property
    def again(self) -> Primitive:
        """The way back of results that are differentiated outside, as a function of all inputs and cotangents, for derivatives of any order."""
        if self._again is None:
            way, graph = self.made.differentiable, self.graph
            count, first = len(graph.inputs), len(self.written) + len_outputs(self.made)

            def impl(*values: Any) -> tuple:
                outputs = replay(graph, values[:count])
                residuals = outputs[first : first + len(way.residuals)]
                return tuple(replay(way.graph, [*values[count:], *residuals, *way.constants]))

            self._again = Primitive("CompiledBackward", impl)
        return self._again


def len_outputs(made: Recorded) -> int:
    """How many outputs recipes refer to."""
    residuals = len(made.differentiable.residuals) if made.differentiable is not None else 0
    return len(made.graph.outputs) - len(made.written) - residuals - (made.guards is not None)


def _replaced(made: Recorded, look: Surroundings) -> dict[int, int]:
    """The effects that put a new tensor, or new memory of a tensor, in the place of what was there: number of the effect -> number of the tensor."""
    found = {}
    owners = {id(t.__dict__): t for t in look.tensors}
    for i, effect in enumerate(made.effects):
        if type(effect.recipe) is Made and effect.key is not EXTEND:
            container = look.containers[effect.container]
            old = container.get(effect.key) if isinstance(container, Mapping) else container[effect.key]
            if effect.key is MEMORY:
                old = owners[id(container)]
            number = look.tensor_number(old) if isinstance(old, Tensor) else None
            if number is not None:
                found[i] = number
    return found


class Slot:
    """The place of a tensor in the surroundings, where another one may come."""

    __slots__ = ("look", "number", "storage", "container", "space", "attributes", "memory")

    def __init__(self, look: Surroundings, number: int, watch: Watch | None):
        t = look.tensors[number]
        self.look, self.number, self.storage = look, number, look.storage_number(t._storage)
        self.container = next(i for i, c in enumerate(look.containers) if c is t.__dict__)
        self.space = watch.space if watch is not None else {}
        self.attributes, self.memory = watch.of_tensor(t) if watch is not None else ("", "")

    def put(self, t: Tensor) -> None:
        """Let `t` stand there."""
        look, state = self.look, t.__dict__
        look.tensors[self.number] = t
        look.storages[self.storage] = storage = t._storage
        look.containers[self.container] = state
        self.space[self.attributes] = state
        self.space[self.memory] = storage


class Binding:
    """A variant with the tensors of one look. `run(flat)` is a call, with the flat arguments."""

    def __init__(self, variant: Variant, look: Surroundings, structure: Any):
        self.variant, self.look, self.structure = variant, look, structure
        self.modes = switches()
        self.watch = look.watch(self._fluid()) if self._repeatable() else None
        self.leaves = [self._leaf(look, n) for n in look.arguments]
        self._values = [None if n is not None else leaf for n, leaf in zip(look.arguments, look.leaves)]
        self._moving = {n.key for n in look.numbers if n.container is None}
        self.known = frozenset(look.storages[n] for n in (*variant.stable, *variant.fluid) if n < len(look.storages))
        self._entry: Callable | None = None
        self._require_apart()
        self._find_places()

    def _require_apart(self) -> None:
        """Raise `TracejitError` where what is written shares memory with something else that the program does not know to be the same."""
        storages = self.look.storages
        for n in self.variant.written:
            if n < len(storages):
                target = storages[n]._array
                if any(residence.may_share_memory(target, s._array) for i, s in enumerate(storages) if i != n):
                    raise TracejitError(
                        at_user_line(
                            f"torch.compile of {self.variant.name}: a tensor of shape {list(target.shape)} is written, and another lies in the "
                            "same memory without being a view of it (torch.from_numpy of one array twice, say): make one a view or a clone"
                        )
                    )

    def _find_places(self) -> None:
        """Where the tensors of a call are, by position: the look is not asked again."""
        variant, look, made = self.variant, self.look, self.variant.made
        own = {n: i for i, n in enumerate(look.arguments) if n is not None and n >= look.first_argument}
        passed = {look.storage_number(look.tensors[n]._storage): i for n, i in own.items() if n in look.alone or not look.tensors[n]._chain}
        self._slots = [(i, Slot(look, n, None)) for n, i in own.items() if look.storage_number(look.tensors[n]._storage) in passed]
        self._targets = [(passed.get(n), n) for n in variant.written]
        self._replaced: dict[int, tuple[Slot, str]] = {}
        for i, number in variant.replaced.items():
            effect = made.effects[i]
            watched = self.watch is not None and effect.key is not MEMORY
            name = self.watch.of_place(look.containers[effect.container], effect.key) if watched else ""
            self._replaced[i] = Slot(look, number, self.watch), name
        passing = {slot.storage for slot in (*[s for _, s in self._slots], *[s for s, _ in self._replaced.values()])}
        steady = [passed.get(n) is None and n not in passing and not history for n, _, history in made.versions]
        self._counts = [(look.storages[n], writes) for (n, writes, _), same in zip(made.versions, steady) if same]
        self._versions = [(passed.get(n), n, writes, int(history)) for (n, writes, history), same in zip(made.versions, steady) if not same]
        way = made.differentiable
        self._operands = [look.storage_number(look.tensors[n]._storage) for n in way.operands] if way is not None else []
        self._has_nodes = way is not None or _has_history(made)

    def _fluid(self) -> Fluid:
        look, replaced = self.look, self.variant.replaced
        effects = [self.variant.made.effects[i] for i in replaced]
        own = [n for n in look.arguments if n is not None and n >= look.first_argument]
        return Fluid(
            frozenset(id(look.tensors[n].__dict__) for n in own),
            frozenset(id(look.tensors[n].__dict__) for n in replaced.values()),
            frozenset((id(look.containers[e.container]), e.key) for e in effects),
        )

    def _repeatable(self) -> bool:
        """Whether a later call can be recognised quickly: the state of its arguments, which may be other tensors then, plays no role, and none of
        them shares memory with another one, or with what the function reads besides."""
        look = self.look
        own = [n for n in look.arguments if n is not None]
        if len(set(own)) < len(own) or not look.alone.issuperset(own):
            return False
        return not any([look.tensors[n]._requires or look.tensors[n]._grad is not None for n in own])

    @staticmethod
    def _leaf(look: Surroundings, number: int | None) -> tuple | None:
        if number is None:
            return None
        t = look.tensors[number]
        return type(t), t._data.shape, t._data.dtype, number in look.alone, type(t._data)

    # -- whether a call is like this one
    def takes(self, flat: Sequence[Any], structure: Any) -> bool:
        """Whether the arguments are like those that it was bound for, and nothing else has changed. The tensors of this call are put in the place of
        those of the one before."""
        if self.watch is None or switches() != self.modes or structure != self.structure:
            return False
        seen = set()
        for i, (x, leaf) in enumerate(zip(flat, self.leaves)):
            if leaf is None:
                if x is not self._values[i] and not (i in self._moving and type(x) is type(self._values[i])):
                    return False
                continue
            if type(x) is not leaf[0]:
                return False
            data, storage = x._data, x._storage
            if type(data) is not leaf[4] or data.shape != leaf[1] or data.dtype != leaf[2]:
                return False
            if x._requires or x._grad is not None or storage in self.known or storage in seen:
                return False
            if x._chain and not leaf[3]:
                return False
            seen.add(storage)
        tensors = self.look.tensors
        for place, slot in self._slots:
            if tensors[slot.number] is not flat[place]:
                if not _alike(tensors[slot.number], flat[place]):
                    return False
                slot.put(flat[place])
        return self.watch.unchanged()

    # -- running
    def run(self, flat: Sequence[Any]) -> Any:
        """The result, or MISS where a guard does not hold: nothing has happened then."""
        variant, look = self.variant, self.look
        made = variant.made
        storages = look.storages
        for n, zeroed in made.zeroed:
            if is_zeroed(storages[n]) is not zeroed:
                return MISS
        values: list[Any] = [number.value(flat) for number in look.numbers]
        values += [flat[place]._data for place in variant.from_arguments]
        values += [storages[n]._array for n in variant.fluid]
        targets, outputs = self._call(values)
        if made.guards is not None and not outputs[-1]:
            return MISS
        if targets:
            for (argument, n), new in zip(targets, outputs):
                residence.write(flat[argument]._data if argument is not None else self._memory(n), new)
            outputs = outputs[len(targets) :]
        if made.versions:
            line = here()
            for storage, writes in self._counts:
                storage.version += writes
                storage.written_at = line
            for argument, n, writes, history in self._versions:
                storage = storages[n] if argument is None else flat[argument]._storage
                storage.version += writes
                storage.written_at = line
                storage.history += history
            for n in made.zeroes:
                storages[n].cleared = storages[n].version
        nodes = self._nodes(flat, values, outputs) if self._has_nodes else ()
        for i, effect in enumerate(made.effects):
            self._apply(i, effect, outputs, nodes)
        return build(made.result, outputs, look, nodes)

    def _apply(self, i: int, effect: Any, outputs: Sequence[Any], nodes: Sequence[Any]) -> None:
        look = self.look
        container = look.containers[effect.container]
        if effect.key is EXTEND:
            container.extend([build(r, outputs, look, nodes) for r in effect.recipe])
        elif effect.recipe is None:
            container.pop(effect.key, None)
        else:
            value = build(effect.recipe, outputs, look, nodes)
            replaced = self._replaced.get(i)
            if effect.key is MEMORY:
                slot, _ = replaced
                look.tensors[slot.number].data = value
                slot.put(look.tensors[slot.number])
                return
            container[effect.key] = value
            if replaced is not None:
                slot, name = replaced
                if _alike(look.tensors[slot.number], value):
                    slot.space[name] = value
                slot.put(value)

    def _call(self, values: list[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """The targets that are to be written, and the outputs, which begin with what to write there. All else is in place already."""
        variant = self.variant
        variant.runs += 1
        if self._entry is not None:
            found = self._entry(*values)
            if found is not MISS:
                for n, scratch in self._copies:
                    np.copyto(n, scratch)
                return self._left, found
        stable, rest = [self._memory(n) for n in variant.stable], variant.made.arrays
        full = [x if residence.is_array(x) else np.asarray(x, v.type.dtype) for x, v in zip([*values, *stable, *rest], variant.graph.inputs)]
        if residence.classes and residence.meeting(full) is not None:
            tensors = [x for n, x in zip(variant.stable, stable) if n < len(self.look.storages)]  # not a generator's state
            require_one_device(variant.name, [*values, *tensors])
            return self._targets, variant.on_device.run(full, self._targets_on_host())
        results = list(variant.program.run(full))
        if self.watch is not None and self._entry is None and variant.program.address is not None:
            self._enter(values, stable, rest)
        return self._targets, results

    def _targets_on_host(self) -> frozenset[int]:
        """The outputs that are written into memory of the host."""
        return frozenset([k for k, (argument, n) in enumerate(self._targets) if argument is None and residence.home(self._memory(n)) is None])

    def _memory(self, number: int) -> np.ndarray:
        """Of a storage of the surroundings, or of a cell that was reached by no path."""
        storages = self.look.storages
        return storages[number]._array if number < len(storages) else self.variant.made.foreign[number - len(storages)].array

    # -- the native entry
    def _enter(self, values: Sequence[Any], stable: Sequence[np.ndarray], rest: Sequence[Any]) -> None:
        variant, program = self.variant, self.variant.program
        held = [*stable, *rest]
        if not all(isinstance(x, np.ndarray) and x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative for x in held):
            return
        specs = [PyScalar(_NUMBERS[type(x)]) if type(x) in _NUMBERS else ArraySpec(np.shape(x), x.dtype) for x in values]
        outputs = program.partition.outputs
        first = outputs[: variant.in_memory] if variant.guards is None else []
        if list(program.outputs[: len(first)]) != list(first) or len(set(program.outputs)) != len([o for o in outputs if not isinstance(o, Literal)]):
            return
        targets = [self._memory(n) for n in variant.written[: len(first)]]
        direct = over_inputs(program, [variant.places.get(n) for n in variant.written[: len(first)]])
        memory = [t if d else np.empty_like(t) for t, d in zip(targets, direct)]
        self._copies = [(t, m) for t, m, d in zip(targets, memory, direct) if not d]
        self._left = self._targets[len(first) :]
        results = Tuple([Constant(o.value) if isinstance(o, Literal) else ArraySpec(o.shape, o.type.dtype) for o in outputs[len(first) :]])
        addresses = [*[x.ctypes.data for x in held], program.arena_address, *[m.ctypes.data for m in memory]]
        entry = compile_entry(variant.name, specs, results, program.address, addresses, MISS, keep=(program, held, memory))
        self._entry = entry.call

    # -- results that are differentiated outside
    def _nodes(self, flat: Sequence[Any], values: list[Any], outputs: list[Any]) -> Any:
        made, look, variant = self.variant.made, self.look, self.variant
        way = made.differentiable
        if way is None:
            return _Nodes(None)
        tensors = look.tensors
        count = len_outputs(made)
        residuals = outputs[count : count + len(way.residuals)]
        operands = [Saved(tensors[n]._data, tensors[n]._storage, tensors[n]._edge) for n in way.operands]
        numbers = self._operands
        held = [*values, *[self._memory(n) for n in variant.stable], *made.arrays]

        def again(node: CompiledBackward, cotangents: dict[int, Any]) -> Sequence[Any]:
            full: list[Any] = list(held)
            for saved, number in zip(node.operands, numbers):
                full[variant.places[number]] = saved.as_tensor(node)
            zeros = [Tensor._sharing(z, _storage(z)) for z in (np.zeros(t.shape, t.dtype) for t in way.out_types)]
            return variant.again(*full, *[cotangents.get(i, z) for i, z in enumerate(zeros)])

        program = compiled(way.graph) if residence.meeting(residuals or held) is None else _on_device(way.graph)
        return _Nodes(CompiledBackward(way, program, residuals, operands, again))


def _on_device(graph: Graph) -> DeviceProgram:
    return graph.derived("device program", lambda: DeviceProgram(graph))


def _alike(old: Tensor, new: Tensor) -> bool:
    """Whether a program that was recorded with the one tensor stands for the other: both are leaves, say."""
    return old._requires == new._requires and (old._node is None) == (new._node is None) and type(old) is type(new)


def _storage(array: np.ndarray) -> Any:
    from ..storage import storage_of

    return storage_of(array)


class _Nodes:
    """The node of each differentiable result: all have one; those whose graph was freed inside have one that says so, and those that lead to nothing
    outside one that goes nowhere."""

    def __init__(self, node: CompiledBackward | None):
        self.node = node

    def __getitem__(self, number: int) -> Any:
        return Freed() if number < 0 else self.node or Within()


def _has_history(made: Recorded) -> bool:
    """Whether a result has a node, if only one that goes nowhere."""

    def within(r: Any) -> bool:
        if type(r) in (Made, MadeOf):
            return r.node is not None
        items = getattr(r, "items", None)
        return isinstance(items, tuple) and any(map(within, items))

    return within(made.result) or any(within(e.recipe) for e in made.effects)


__all__ = ["Binding", "Found", "Variant"]
