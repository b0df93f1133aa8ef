"""`Function`: a function with a way back of the user's own, in both of torch's styles.

`forward(ctx, *args)` saves what the way back needs by itself; `forward(*args)` leaves that to `setup_context(ctx, inputs, output)`.  The context is
the node of the graph, as in torch, so whatever is set on it is there in `backward`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..inplace import check_writable
from ..modes import state
from ..nodes import Node, Saved, node_type
from ..storage import here
from ..tensor import Tensor, wrap
from .function_tangents import push, with_tangent

_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). "
    "Specify retain_graph=True if you need to backward through the graph a second time."
)


class FunctionNode(Node):
    """The node of a `Function`, which is also its context."""

    def __init__(self, function: type[Function], args: Sequence[Any]):
        tensors = [a if isinstance(a, Tensor) else None for a in args]
        self.needs_input_grad = tuple([t is not None and t.requires_grad and state.grad for t in tensors])
        super().__init__(tuple([t._edge if t is not None and t._requires and state.grad else None for t in tensors]), here())
        self._function = function
        self._shapes = [None if t is None else (t._data.shape, t._data.dtype) for t in tensors]
        self._to_save: tuple = ()
        self._saved: list[Saved | None] | None = []
        self._dirty: tuple = ()
        self._constant: tuple = ()
        self._materialize = True
        self._outputs: list[tuple | None] = []
        self._unmoved: dict[int, tuple] = {}  # the shapes and dtypes of results without a gradient, which is zeros
        self._replaced: tuple | None = None  # what stands for the saved tensors while `jvp` runs, or in a graph

    # -- what `forward` and `setup_context` say
    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `backward`, which finds them in `saved_tensors`; a write into one in between is noticed."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(f"save_for_backward can only save variables, but got a {type(t).__name__}: set it on ctx as an attribute")
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `jvp`."""
        self._for_forward = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs were written into: they are among the results."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which results have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether a gradient that does not arrive is zeros in `backward`, or None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved. Raises `RuntimeError` after it has been freed, and where it was overwritten."""
        if self._replaced is not None:
            return self._replaced
        if self._saved is None:
            raise RuntimeError(_FREED)
        return tuple([None if s is None else s.as_tensor(self) for s in self._saved])

    # -- the graph
    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """For each tensor among the arguments, the node that made it and which of its outputs it is."""
        return tuple([(None, 0) if e is None else e for e, known in zip(self.edges, self._shapes) if known is not None])

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{type(self).__name__} object at {hex(id(self))}>"

    def save(self, args: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """Keep what `save_for_backward` named: inputs and results by reference into the graph."""
        place = {id(a): e for a, e in zip(args, self.edges) if isinstance(a, Tensor)}
        made = {id(t): i for i, t in enumerate(outputs) if self._outputs[i] is not None}
        self._saved = []
        for t in self._to_save:
            if t is None:
                self._saved.append(None)
                continue
            edge = place.get(id(t)) or (made[id(t)] if id(t) in made else t._edge if t._requires else None)
            self._saved.append(Saved(t._array, t._storage, edge))
            if state.levels:
                self._saved[-1] = with_tangent(self._saved[-1], t)
            if state.saved_hooks:
                self._saved[-1].pack(state.saved_hooks[-1])
        self._to_save = ()

    def apply(self, cotangents: dict[int, Any], recording: bool) -> list[Any]:
        given = []
        for i, output in enumerate(self._outputs):
            g = cotangents.get(i)
            if g is None and self._materialize and (output := output or self._unmoved.get(i)) is not None:
                g = np.zeros(*output)
            given.append(g if g is None or isinstance(g, Tensor) else wrap(g))
        wanted = [i for i, e in enumerate(self.edges) if e is not None]
        return self._checked_all(self._function.backward(self, *given), wanted, recording)

    def _checked_all(self, results: Any, wanted: Sequence[int], recording: bool) -> list[Any]:
        """The gradients that `backward` returned, None for arguments that are not wanted."""
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        name, n = self.name(), len(self.edges)
        while len(results) > n and results[-1] is None:
            results.pop()
        if len(results) != n:
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients (expected {n}, got {len(results)}): one for each argument of forward, "
                "None for what is no tensor"
            )
        return [self._checked(i, g, recording) if i in wanted else None for i, g in enumerate(results)]

    def _checked(self, i: int, g: Any, recording: bool) -> Any:
        """A gradient in the shape and dtype of its input."""
        if g is None:
            return None
        if not isinstance(g, Tensor):
            raise TypeError(f"expected Variable or None (got {type(g).__name__}) as gradient {i} of {self.name()}")
        shape, dtype = self._shapes[i]
        have = g._data.shape
        if have != shape:
            lead = len(have) - len(shape)
            if lead < 0 or any(b not in (1, a) for a, b in zip(have[lead:], shape)):
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {i} - got {list(have)} "
                    f"but expected shape compatible with {list(shape)}"
                )
            axes = (*range(lead), *(d + lead for d, n in enumerate(shape) if n == 1 and have[d + lead] != 1))
            g = g.sum(axes, keepdim=True).reshape(shape) if axes else g.reshape(shape)
        if g._data.dtype != dtype:
            g = (g.real if dtype.kind != "c" and g._data.dtype.kind == "c" else g).to(dtypes.of(dtype))
        return g if recording else g._array

    def release(self) -> None:
        if self._saved:
            self._saved = None


class Function:
    """A differentiable function of tensors with its own way back: define `forward` and `backward`, and call `apply`.

    >>> from tracejit import torch
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, gradient):
    ...         return gradient * 2
    >>> x = torch.ones(2, requires_grad=True)
    >>> Double.apply(x)
    tensor([2., 2.], grad_fn=<DoubleBackward>)
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any):
        raise RuntimeError(f"{type(self).__name__} should not be instantiated: call its method apply, of the class itself")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The value: `forward(ctx, *args)`, or `forward(*args)` beside a `setup_context`."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        """Save in `ctx` what `backward` needs."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments, from those of the results."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The tangents of the results, from those of the arguments (None for what has none): for forward mode."""
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> Any:
        """`(results, out_dims)` for many examples at once: `in_dims` says along which dimension each argument has them (None: it is shared).

        Without it `func.vmap` batches `forward` and `backward` themselves, as with torch's `generate_vmap_rule = True`.
        """
        raise NotImplementedError("vmap is not implemented.")

    @classmethod
    def _own_jvp(cls) -> bool:
        return cls.jvp is not Function.jvp

    @classmethod
    def _own_vmap(cls) -> bool:
        return cls.vmap is not Function.vmap

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The results, recorded with this function's way back."""
        if cls._own_vmap() and cls.generate_vmap_rule:
            raise RuntimeError(
                f"{cls.__name__} has both generate_vmap_rule=True and a vmap staticmethod: set generate_vmap_rule=False or delete the staticmethod"
            )
        if cls.backward is Function.backward and cls.vjp is not Function.vjp:
            cls.backward = cls.vjp
        if state.recordings:
            from .function_graph import Traced

            return Traced(cls, args, kwargs).result()
        before = {id(a): a._storage.version for a in args if isinstance(a, Tensor)}
        levels, state.levels = state.levels, ()
        try:
            node, made = cls._run(args, kwargs)
        finally:
            state.levels = levels
        results = cls._recorded(node, args, made, before)
        if levels:
            push(node, args, results if isinstance(results, tuple) else (results,))
        return results

    @classmethod
    def _run(cls, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[FunctionNode, Any]:
        """The context, and what `forward` returned."""
        node = node_type(FunctionNode, f"{cls.__name__}Backward")(cls, args)
        recording, state.grad = state.grad, False
        try:
            if cls.setup_context is Function.setup_context:
                return node, cls.forward(node, *args, **kwargs)
            made = cls.forward(*args, **kwargs)
            cls.setup_context(node, tuple(args), made)
            return node, made
        finally:
            state.grad = recording

    @staticmethod
    def _recorded(node: FunctionNode, args: Sequence[Any], made: Any, before: dict[int, int]) -> Any:
        outputs = list(made) if isinstance(made, (tuple, list)) else [made]
        needs = any(node.needs_input_grad)
        dirty = {id(t) for t in node._dirty}
        for t in node._dirty:
            if not any(t is o for o in outputs):
                raise RuntimeError(
                    "Some elements marked as dirty during the forward method were not returned as output. "
                    "The inputs that are modified inplace must all be outputs of the Function."
                )
            check_writable(t)
            if t._storage.version == before.get(id(t)):
                t._storage.version += 1
        inputs = {id(a) for a in args if isinstance(a, Tensor)}
        constant = {id(t) for t in node._constant}
        finished: list[Any] = []
        for t in outputs:
            if not isinstance(t, Tensor):
                finished.append(t)
                node._outputs.append(None)
                continue
            moving = needs and id(t) not in constant and t._data.dtype.kind in "fc"
            node._outputs.append((t._data.shape, t._data.dtype) if moving else None)
            if not moving:
                node._unmoved[len(finished)] = t._data.shape, t._data.dtype
            if id(t) in inputs and id(t) not in dirty:
                t = t.detach()
            finished.append(t)
        if needs:
            node.save(args, outputs)
        for i, t in enumerate(finished):
            if node._outputs[i] is None:
                continue
            if id(t) in dirty:
                from ..inplace import rebase

                result = wrap(t._array)
                result._node, result._nr, result._requires = node, i, True
                rebase(t, result)
            else:
                t._node, t._nr, t._requires, t._base = node, i, True, None
        return tuple(finished) if isinstance(made, (tuple, list)) else finished[0]


class _Once(Node):
    """In the place of gradients that cannot be differentiated again."""

    __slots__ = ()

    def name(self) -> str:
        return "DelayedError"

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


def once_differentiable(function: Callable) -> Callable:
    """Decorates a `backward` whose own operations are not recorded: to differentiate it raises `RuntimeError`."""

    @functools.wraps(function)
    def backward(ctx: Any, *gradients: Any) -> Any:
        recording, state.grad = state.grad, False
        try:
            results = function(ctx, *gradients)
        finally:
            state.grad = recording
        if not recording:
            return results
        depends = tuple([g._edge for g in (*gradients, *(s for s in ctx.saved_tensors)) if isinstance(g, Tensor) and g._requires])
        listed = results if isinstance(results, tuple) else (results,)
        made = []
        for g in listed:
            if isinstance(g, Tensor) and depends:
                g = g.detach()
                g._node, g._nr, g._requires = _Once(depends, here()), 0, True
            made.append(g)
        return tuple(made) if isinstance(results, tuple) else made[0]

    return backward


FunctionCtx = FunctionNode
