"""A call of the user's function as a graph, and what it leaves behind as recipes.

The function runs once on proxies: tensors that it reads are cells of the trace, and what it assigns (`p.grad`, the state of an optimizer, attributes,
items of lists) is looked at when it has returned, taken back, and noted as an `Effect`, which is made after every run of the program.
"""

from __future__ import annotations

import collections
import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ... import tree
from ...api.plain_draws import told
from ...errors import TracejitError, at_user_line
from ...ir import Graph
from ...trace import Trace, Tracer, dispatch, type_of
from ...trace.creation import tracing
from ...trace.guards import Evaluation, Guards
from ..modes import state
from ..storage import storage_of
from ..tensor import Tensor
from .ledgers import Entry, Ledger, put_in_place, take_away
from .outside import Boundary, Differentiable, leads_to, spent
from .recipes import EXTEND, MEMORY, Array, Effect, Found, Instance, Known, Made, MadeOf, Several
from .surroundings import Surroundings

ABSENT = object()
_ADVICE = (
    "Return the tensor, or x.item(), which may also be appended to a list or assigned to an attribute, and print or convert it after the call; "
    "use torch.sqrt(x) in place of math.sqrt(x)."
)


class Recorded(NamedTuple):
    """`graph` takes numbers, then the storages numbered in `storages`, then `arrays`; its outputs are the new contents of the storages numbered in
    `written`, then those that recipes refer to, then residuals. Numbers count the storages of the surroundings first, then `foreign` ones."""

    graph: Graph
    guards: Guards | None
    storages: tuple[int, ...]
    foreign: tuple[Any, ...]  # cells that were reached by no path, the states of generators among them: the program holds on to them
    arrays: tuple[Any, ...]
    written: tuple[int, ...]
    versions: tuple[tuple[int, int, bool], ...]  # storage, writes, whether histories of views change
    zeroed: tuple[tuple[int, bool], ...]  # gradients that it asks for (cleared.py): storage, whether it is zeroed
    zeroes: tuple[int, ...]  # storages that it leaves in this state
    effects: tuple[Effect, ...]
    result: Any
    differentiable: Differentiable | None
    creates: bool  # whether something is there afterwards that was not before, or a plain value is another one
    advanced: tuple[str, ...]  # the paths of numbers that the function reads and binds anew, and of lists that it adds to
    read: tuple[str, ...]  # the paths of lists that it reads, too


def record(f: Callable, args: tuple, kwargs: dict, look: Surroundings, what: str) -> Recorded:
    """Run `f` on proxies. Afterwards everything outside is as before.

    Raises what `f` raises, and `TracejitError` where it leaves a traced value in a place from which it cannot be handed over.
    """
    return _Recorder(look, what).record(f, args, kwargs)


class _Recorder:
    def __init__(self, look: Surroundings, what: str):
        self.look, self.what = look, what
        self.trace = Trace(what)
        self.trace.apart, self.trace.advice = True, _ADVICE
        self.trace._actual = Evaluation(self.trace.builder.producer, {}, self.trace._captured)
        self.outputs: list[Any] = []
        self._output_of: dict[int, int] = {}
        self.substitutes: dict[int, Tensor] = {}  # by position: stand for arguments that are views, or have a history
        self.kept: list[Any] = []
        self.differentiable: list[Tensor] = []
        self.given: dict[tuple[int, Any], Any] = {}  # by container and key: the numbers that are inputs
        self.advanced: list[str] = []
        self.asked: dict[Any, tuple[int, bool]] = {}
        self.entries: list[Entry] = []
        self.ledgers: list[Ledger] = []

    # -- the run
    def record(self, f: Callable, args: tuple, kwargs: dict) -> Recorded:
        look = self.look
        before = look.contents()
        counts = [(s.version, s.history, s.written_at, s.cleared) for s in look.storages]
        modes = state.grad, state.inference
        self._refuse_iterators()
        flat, structure = tree.flatten((args, kwargs))
        flat = [x if n is None else self._stand_in(n) for x, n in zip(flat, look.arguments)]
        try:
            self._numbers(flat)
            self._cut_histories()
            inner = structure.unflatten(flat)
            with tracing(self.trace, f) as traced:
                self.entries = look.ledgers()
                self.ledgers = put_in_place(self.entries)
                state.compiling, state.asked = self.trace, self.asked
                try:
                    with told(look.objects(), self.what, "Draw from torch's stream (`torch.rand`), which goes on, or outside, and pass the numbers"):
                        out = traced(*inner[0], **inner[1])
                finally:
                    state.compiling = state.asked = None
                    take_away(self.entries, self.ledgers)
                self._require_same(inner, flat, structure)
                self._require_sets(before)
                return self._collect(out, before, counts)
        finally:
            state.grad, state.inference = modes
            self._restore(before, counts)
            self.trace.abandon()

    def _stand_in(self, number: int) -> Tensor:
        t = self.look.tensors[number]
        if number not in self.look.alone or not (t._chain or t._node is not None):
            return t
        found = self.substitutes.get(number)
        if found is None:
            found = self.substitutes[number] = t._make_subclass(type(t), Tensor._sharing(t._data, storage_of(t._data)), t._requires)
        return found

    def _numbers(self, flat: list[Any]) -> None:
        """Proxies in the place of numbers that are inputs."""
        for number in self.look.numbers:
            value = number.value(flat)
            number.put(flat, self.trace.guarded_input(type_of(value), np.asarray(value)))
        self.given = {(id(n.container), n.key): n.container[n.key] for n in self.look.numbers if n.container is not None}

    def _cut_histories(self) -> None:
        """The history of a tensor outside is not part of the program: backward from inside ends there."""
        for number, t in enumerate(self.look.tensors):
            if t._node is not None and number not in self.substitutes:
                t._node, t._nr = Boundary(t._node, self.what), 0

    def _restore(self, before: list[Any], counts: list[tuple]) -> None:
        self.look.put_back(before)
        for storage, count in zip(self.look.storages, counts):
            storage.version, storage.history, storage.written_at, storage.cleared = count

    def _require_same(self, inner: Any, flat: list[Any], structure: Any) -> None:
        """Raise `TracejitError` where the function has changed a list or dictionary that is an argument, which is a copy of the caller's."""
        leaves, now = tree.flatten(inner)
        if now != structure or any(a is not b for a, b in zip(leaves, flat)):
            raise TracejitError(
                at_user_line(f"{self.what}: a list or dictionary that is an argument is changed: return what is new, or reach it through a closure")
            )

    def _refuse_iterators(self) -> None:
        """Raise `TracejitError` where the function reads an iterator, which would be advanced once, and stay where it is in every run."""
        for path, x in self.look.objects():
            if isinstance(x, Iterator) and not isinstance(x, io.IOBase):
                raise TracejitError(
                    at_user_line(
                        f"{self.what}: `{path}` is an iterator ({type(x).__name__}), from which every call would get the same item: "
                        "take the item outside, and pass it as an argument"
                    )
                )

    def _require_sets(self, before: list[Any]) -> None:
        """Raise `TracejitError` where the function has changed a set from outside."""
        if any([s != held for s, held in zip(self.look.sets, before[len(self.look.containers) :])]):
            raise TracejitError(at_user_line(f"{self.what}: a set from outside is changed: return what is new, or use a dictionary"))

    # -- what it left
    def _collect(self, out: Any, before: list[Any], counts: list[tuple]) -> Recorded:
        look, trace = self.look, self.trace
        written = trace.written_cells()
        result = self._recipe(out, "the result")
        effects, creates = self._effects(before)
        versions, zeroed, zeroes = [], [], []
        for n, (storage, (version, history, _, _)) in enumerate(zip(look.storages, counts)):
            asked = self.asked.get(storage)
            if asked is not None and asked[0] == version:
                zeroed.append((n, asked[1]))
            if storage.version != version or storage.history != history:
                versions.append((n, storage.version - version, storage.history != history))
                if storage.cleared == storage.version:
                    zeroes.append(n)
        number_of = {id(s): n for n, s in enumerate(look.storages)}
        for n, t in self.substitutes.items():
            place = number_of[id(look.tensors[n]._storage)]
            number_of[id(t._storage)] = place
            if t._storage.version:
                versions.append((place, t._storage.version, False))
            if t._grad is not None:
                raise TracejitError(at_user_line(f"{self.what}: backward() goes back into an argument that has a history outside: pass x.detach()"))
        differentiable = self._differentiable()
        cells = list(trace.cells)
        foreign = [c for c in cells if id(c) not in number_of]
        number_of |= {id(c): len(look.storages) + i for i, c in enumerate(foreign)}
        residuals = differentiable.residuals if differentiable is not None else []
        results = [dispatch.operators["settled"](x) for x in (*written.values(), *self.outputs, *residuals)]
        holds = trace.holding()
        own = len(trace.builder.inputs)
        graph, outside = trace.finish(results if holds is None else [*results, holds], True)
        captured = graph.inputs[own:]
        begin = {var: cell for cell, (_, var) in trace.cells.items()}
        known = sorted((number_of[id(begin[v])], i) for i, v in enumerate(captured) if v in begin)
        others = [i for i, v in enumerate(captured) if v not in begin]
        held = [outside[i] for i in others]
        inputs = (*graph.inputs[:own], *[captured[i] for _, i in known], *[captured[i] for i in others])
        graph = Graph(inputs, graph.nodes, graph.outputs)
        guards = trace.guards(graph) if holds is not None else None
        return Recorded(
            graph, guards, tuple(n for n, _ in known), tuple(foreign), tuple(held), tuple(number_of[id(c)] for c in written),
            tuple(versions), tuple(zeroed), tuple(zeroes), tuple(effects), result, differentiable, creates, tuple(self.advanced),
            tuple([e.path for e, ledger in zip(self.entries, self.ledgers) if ledger.read]),
        )  # fmt: skip

    def _effects(self, before: list[Any]) -> tuple[list[Effect], bool]:
        effects, creates = [], False
        tensors = {id(t.__dict__): t for t in self.look.tensors}
        for n, (container, held) in enumerate(zip(self.look.containers, before)):
            t = tensors.get(id(container))
            if isinstance(held, dict):
                for key, value in list(container.items()):
                    creates = self._bound(effects, n, key, value, held.get(key, ABSENT), t, before) or creates
                effects += [Effect(n, key, None) for key in held if key not in container and t is None]
            elif len(container) >= len(held) and type(container) is not collections.deque:
                for place, (value, old) in enumerate(zip(list(container), held)):
                    creates = self._bound(effects, n, place, value, old, t, before) or creates
                if len(container) > len(held):
                    if id(container) in self.look.list_at:
                        self.advanced.append(self.look.list_at[id(container)])
                    effects.append(Effect(n, EXTEND, tuple([self._recipe(x, "an item of a list") for x in list(container)[len(held) :]])))
            elif len(container) < len(held) or any([a is not b for a, b in zip(container, held)]):
                what = f"items are taken out of a {type(container).__name__} from outside: assign a new one"
                if type(container) is collections.deque:
                    what = "a deque from outside is full, so that items fall out of it: append outside to it what the function returns, or use a list"
                raise TracejitError(at_user_line(f"{self.what}: {what}"))
            elif len(container) > len(held):
                effects.append(Effect(n, EXTEND, tuple([self._recipe(x, "an item of a deque") for x in list(container)[len(held) :]])))
        return effects, creates

    def _bound(self, effects: list[Effect], n: int, key: Any, value: Any, old: Any, t: Tensor | None, before: list[Any]) -> bool:
        """Note what is bound in a container, if that is another object than before; whether it is something that stays as it is."""
        container = self.look.containers[n]
        if value is old or t is not None and not self._counts(t, key, value, old) or self.given.get((id(container), key), ABSENT) is value:
            return False
        if t is not None and key == "_storage":
            effects.append(Effect(n, MEMORY, self._new_memory(t, before[n], before)))
            return False
        effects.append(Effect(n, key, self._recipe(value, f"{key!r}")))
        path = self.look.place_of.get((id(container), key))
        if type(old) in (int, float) and type(value) in (type(old), Tracer) and path in self.look.movable:
            self.advanced.append(path)
        new = (old is ABSENT or old is None) and _holds_tensors(value)
        return new or type(effects[-1].recipe) is Known and t is None

    def _counts(self, t: Tensor, key: str, value: Any, old: Any) -> bool:
        """Whether an attribute of a tensor that has changed is something that is left behind."""
        if key in ("_node", "_nr"):
            if key == "_node" and value is not None and type(value) is not Boundary:
                raise TracejitError(
                    at_user_line(
                        f"{self.what}: a tensor from outside, {list(t._data.shape)}, is written in place with a history: write inside "
                        "torch.no_grad(), or return the new tensor"
                    )
                )
            return False
        if key in ("_data", "_chain", "_base"):
            return False  # they change with the storage
        if key == "_grad" and value is None and old is ABSENT:
            return False
        return key not in ("_accumulator", "_kept_accumulator", "_history", "_no_grad_view")

    def _new_memory(self, t: Tensor, was: dict[str, Any], before: list[Any]) -> Made:
        """That of a tensor from outside whose `data` is replaced. Raises `TracejitError` where others are concerned by that."""
        why = None
        if t._data.shape != was["_data"].shape or t._data.dtype != was["_data"].dtype:
            why = f"by one of another shape or dtype, {list(t._data.shape)}, {t.dtype}"
        elif t._storage._home is not self.trace:
            why = "by one that was there before"
        elif any([n is not None and self.look.tensors[n] is t for n in self.look.arguments]):
            why = "although it is an argument"
        elif sum([type(held) is dict and held.get("_storage") is was["_storage"] for held in before]) > 1:
            why = "while another one lies in the same memory"
        if why is not None:
            raise TracejitError(at_user_line(f"{self.what}: `.data` of a tensor from outside is replaced {why}: write into it, x.copy_(y)"))
        return Made(self._output(t._storage.array), t._chain, False)

    # -- recipes
    def _recipe(self, x: Any, where: str) -> Any:
        if isinstance(x, Tensor):
            return self._tensor(x)
        if type(x) is Tracer:
            kind = {"b": bool, "i": int, "f": float, "c": complex}.get(x.dtype.kind) if x.weak else None
            return Array(self._output(x), kind)
        if type(x) is Ledger:
            x.read = True
            return Known(x.original)
        if type(x) in (list, tuple) or isinstance(x, tuple) and hasattr(x, "_fields"):
            items = tuple([self._recipe(i, where) for i in x])
            return Known(x) if type(x) is tuple and all(type(i) is Known for i in items) else Several(type(x), items)
        if isinstance(x, dict) and (type(x) is dict or _holds_tensors(x)):
            return Several(type(x), tuple([self._recipe(i, where) for i in x.values()]), tuple(x))
        space = getattr(x, "__dict__", None)
        if type(space) is dict and not self.look.holds(x) and any(map(self._moves, space.values())):
            if type(x).__reduce_ex__ is not object.__reduce_ex__ or hasattr(type(x), "__slots__"):
                raise TracejitError(
                    at_user_line(f"{self.what}: {where} is a {type(x).__name__} that holds tensors made inside: use tuples, lists or dicts")
                )
            return Instance(type(x), tuple(space), tuple([self._recipe(v, where) for v in space.values()]))
        return Known(x)

    def _moves(self, x: Any) -> bool:
        """Whether x is, or holds, something that each run makes anew."""
        if isinstance(x, (list, tuple, set, dict)):
            return any(map(self._moves, x.values() if isinstance(x, dict) else x))
        return type(x) is Tracer or isinstance(x, Tensor) and self._inside(x)

    def _inside(self, t: Tensor) -> bool:
        return t._storage._home is self.trace

    def _tensor(self, t: Tensor) -> Any:
        number = self.look.tensor_number(t)
        if number is None:
            number = next((n for n, s in self.substitutes.items() if s is t), None)
        if number is not None:
            return Found(number)
        node = None
        if t.requires_grad and t._node is not None:
            if spent(t._node):
                node = -1
            else:
                node = len(self.differentiable)
                self.differentiable.append(t)
        storage = t._storage
        outside = self.look.storage_number(storage)
        if outside is None:
            behind = next((n for n, s in self.substitutes.items() if s._storage is storage), None)
            if behind is not None:
                return MadeOf(behind, t._chain, t._requires, node)
        if outside is not None:
            return Made(outside, t._chain, t._requires, True, node)
        if storage._home is not self.trace:
            return Known(t)
        return Made(self._output(storage.array), t._chain, t._requires, False, node)

    def _output(self, x: Any) -> int:
        found = self._output_of.get(id(x))
        if found is None:
            found = self._output_of[id(x)] = len(self.outputs)
            self.kept.append(x)
            self.outputs.append(Tracer(x.owner, x.atom) if type(x) is Tracer else x)
        return found

    def _differentiable(self) -> Differentiable | None:
        if not self.differentiable:
            return None
        stand_ins = [self.substitutes.get(n, t) for n, t in enumerate(self.look.tensors)]
        return leads_to(self.differentiable, stand_ins, self.trace, self.what)


def _holds_tensors(x: Any) -> bool:
    if isinstance(x, dict):
        return any(_holds_tensors(v) for v in x.values())
    return isinstance(x, (Tensor, Tracer)) or isinstance(x, (list, tuple)) and any(map(_holds_tensors, x))
