"""`Tensor`: an array that remembers how it was made.

`_data` is the array, or the proxy that stands for it where the tensor was made inside of a trace.  `_storage` is the memory, which views share;
`_chain` says how to get from the storage's array to this tensor's (a tuple of view primitives with their arguments), for a trace in which another
array stands for the storage, and for a write through the view.  `_base` is the tensor that this one is a view of, as far as autograd goes.

Methods and operators come from `functions/`, by `dispatch.function`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import ref

import numpy as np

from .. import residence
from ..trace import Tracer
from ..trace.constants import active_traces, as_proxy
from . import dtypes
from .absent import explained
from .devices import CPU
from .leaving import Leaving
from .modes import state
from .nodes import AccumulateGrad, Edge, Handle, Hooks, Node
from .sizes import Size
from .storage import Storage, storage_of

_new = object.__new__


def along(chain: Sequence[tuple], array: Any) -> Any:
    """The view that a chain of view primitives gives of an array or proxy."""
    for primitive, static, number in chain:
        array = primitive.impl(array, **dict(static))
        if number is not None:
            array = array[number]
    return array


class Tensor(Leaving):
    """An array with a history. Make one with `torch.tensor`, `torch.zeros`, `torch.from_numpy`, ...

    >>> from tracejit import torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    _requires = False
    _node: Node | None = None
    _nr = 0
    _grad: Tensor | None = None
    _base: Tensor | None = None
    _chain: tuple = ()
    _history = 0
    _no_grad_view = False
    _inference = False
    _accumulator: Any = None
    _dual: Any = None  # the tangent in forward mode (see duals.py)
    _backward_hooks = None
    __array_priority__ = 1000
    __hash__ = object.__hash__

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        """`Tensor(2, 3)`: uninitialised, of these extents; `Tensor([1, 2])`: of these numbers. The dtype is the default one."""
        made = _new(cls)
        if args and all(isinstance(a, int) and not isinstance(a, bool) for a in args):
            array = np.zeros(args, dtypes.get_default_dtype().numpy)
        elif args and isinstance(args[0], Tensor):
            made._data, made._storage, made._chain = args[0]._data, args[0]._storage, args[0]._chain
            return made
        else:
            array = np.array(args[0] if args else [], dtypes.get_default_dtype().numpy)
        made._data, made._storage = array, storage_of(array)
        return made

    @staticmethod
    def _make_subclass(cls: type, data: Tensor, requires_grad: bool = False) -> Any:
        """A leaf of the class `cls` in the memory of `data`: what `Parameter` is made with."""
        made = _new(cls)
        made._data, made._storage, made._chain, made._requires = data._data, data._storage, data._chain, requires_grad
        if requires_grad and data._data.dtype.kind not in "fc":
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        return made

    @staticmethod
    def _sharing(array: Any, storage: Storage, chain: tuple = ()) -> Tensor:
        """A tensor of this array, which lies in this storage."""
        made = _new(Tensor)
        made._data, made._storage = array, storage
        if chain:
            made._chain = chain
        return made

    def _view(self, array: Any, step: tuple) -> Tensor:
        """A view of this tensor: `step` is the primitive, its arguments and, if it gives several results, the number of this one."""
        made = _new(Tensor)
        made._data, made._storage, made._chain = array, self._storage, (*self._chain, step)
        if not (state.inference and self._inference):
            made._base = base = self if self._base is None else self._base
            made._history = self._storage.history
            if not state.grad and base._requires:
                made._no_grad_view = True
        return made

    # -- memory
    @property
    def _array(self) -> Any:
        """The array of the tensor, or the proxy that stands for it in the innermost trace."""
        if not active_traces():
            return self._data
        if self._chain and type(self._data) is Tracer and any([step[0].put is not None for step in self._chain]):
            return along(self._chain, self._storage.array)  # a selection does not see what is written into the base
        if state.recordings:
            return state.recordings[-1].array_of(self)
        storage = self._storage
        root = storage.array
        if root is storage._array:
            return self._data
        return along(self._chain, root)

    def _refresh(self) -> None:
        """Make the history of a view anew, where its base was written into since."""
        storage = self._storage
        if self._history == storage.history:
            return
        self._history = storage.history
        base = self._base
        if not base._requires:
            self._node, self._requires = None, False
            return
        steps = self._chain[len(base._chain) :]
        with _recording():
            _seen_anew(steps).record((base,), (base._array,), self, {"chain": steps})
        self._nr = 0

    @property
    def _edge(self) -> Edge:
        """The node that made the tensor and which of its outputs it is; for a leaf, the node that accumulates its gradient."""
        node = self._node
        if node is not None:
            return node, self._nr
        found = self._accumulator
        node = found() if found is not None else None
        if node is None:
            node = AccumulateGrad(self)
            self._accumulator = ref(node)
        return node, 0

    @property
    def _version(self) -> int:
        """How many times the memory has been written into."""
        if self._inference:
            raise RuntimeError("Inference tensors do not track version counter.")
        return self._storage.version

    # -- what it is
    @property
    def shape(self) -> Any:
        """The extents, as a `torch.Size`."""
        return Size(self._data.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The torch dtype."""
        return dtypes.of(self._data.dtype)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._data.shape)

    @property
    def device(self) -> Any:
        """Where the memory is: "cpu", or "cuda:0"."""
        if not residence.classes or type(self._data) not in residence.classes:
            return CPU
        from .resident import place_of

        return place_of(self._data)

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is that of a CUDA device."""
        return type(self._data) in residence.classes

    @property
    def is_cpu(self) -> bool:
        """Whether the memory is that of the CPU."""
        return not self.is_cuda

    @property
    def layout(self) -> str:
        """The memory layout: strided."""
        return "torch.strided"

    is_sparse = is_quantized = is_meta = is_mps = is_mkldnn = is_nested = is_xpu = False

    @property
    def itemsize(self) -> int:
        return self._data.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self._data.size * self._data.dtype.itemsize

    def __len__(self) -> int:
        if not self._data.shape:
            raise TypeError("len() of a 0-d tensor")
        return self._data.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._data.shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    # -- the graph
    @property
    def requires_grad(self) -> bool:
        """Whether operations on the tensor are recorded."""
        if self._base is not None:
            self._refresh()
            if self._no_grad_view and self._base._requires:
                return True  # as torch says, though nothing that is made of such a view is recorded
        return self._requires

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Say whether operations on this leaf are recorded. Raises `RuntimeError` for integers, and for results of recorded operations."""
        if not isinstance(requires_grad, (bool, np.bool_)):
            raise TypeError(f"requires_grad_(): argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
        if self.grad_fn is not None:
            if not requires_grad:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph that "
                    "doesn't require differentiation use var_no_grad = var.detach()."
                )
            return self
        if requires_grad and self._data.dtype.kind not in "fc":
            raise RuntimeError(
                f"Only Tensors of floating point and complex dtype can require gradients: this one is of {self.dtype}. Convert it first: x.float()"
            )
        if requires_grad and self._inference and not state.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        self._requires = bool(requires_grad)
        if requires_grad and self._base is not None:
            self._base = None  # a leaf has no history, not that of what it lies in either: its views are views of a leaf
            self._storage.leaves = (*self._storage.leaves, ref(self))
        return self

    @property
    def grad_fn(self) -> Node | None:
        """The node that made the tensor; None for a leaf."""
        if self._base is not None:
            self._refresh()
        return self._node

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user, or requires no gradient."""
        return self.grad_fn is None

    @property
    def output_nr(self) -> int:
        """Which of the outputs of its node the tensor is."""
        return self._nr

    @property
    def grad(self) -> Tensor | None:
        """What `backward` has accumulated for this tensor."""
        found = self._grad
        if found is None and self._node is not None and not self.retains_grad:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be populated during "
                "autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the "
                "non-leaf Tensor.",
                UserWarning,
                stacklevel=2,
            )
        return found

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
            if value._data.shape != self._data.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: got {list(value._data.shape)} for a tensor of size {list(self._data.shape)}"
                )
            if value._data.dtype != self._data.dtype:
                raise RuntimeError(f"assigned grad has data of a different type: got {value.dtype} for a tensor of {self.dtype}")
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None) -> None:
        """Accumulate the gradients of the leaves that this tensor was made of into their `grad`.

        `gradient` is that of the tensor itself, of its shape; a tensor of one element needs none. `retain_graph` keeps what was saved, for a second
        time; `create_graph` records the way back too; `inputs` are the only tensors to accumulate for.
        Raises `RuntimeError` where there is no graph, or it has been freed, or something saved has been overwritten.
        """
        from .engine import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def retain_grad(self) -> None:
        """Keep the gradient of this result in `grad` too. Raises `RuntimeError` where it requires none."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self._node is not None:
            self._node.more.retains[self._nr] = ref(self)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this result."""
        node = self._node
        return node is not None and node.extras is not None and self._nr in node.extras.retains

    def register_hook(self, hook: Any) -> Handle:
        """Call `hook(grad)` when the gradient of this tensor is known; what it returns, if anything, takes its place."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node, number = self._edge
        if type(node) is AccumulateGrad:
            self.__dict__["_kept_accumulator"] = node  # it holds the hooks
        return Handle(node.more.on_gradient.setdefault(number, Hooks()), hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> Handle:
        """Call `hook(tensor)` after the gradient of this leaf has been accumulated."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._node is not None:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        node = self._edge[0]
        self.__dict__["_kept_accumulator"] = node
        if node.more.post_accumulate is None:
            node.more.post_accumulate = Hooks()
        return Handle(node.more.post_accumulate, hook)

    def detach(self) -> Tensor:
        """The same memory without the history. Writes are seen by both, and by the checks of what was saved."""
        made = Tensor._sharing(self._data, self._storage, self._chain)
        if self._inference:
            made._inference = True
        return made

    def detach_(self) -> Tensor:
        """Forget the history. Raises `RuntimeError` for a view."""
        if self._base is not None:
            raise RuntimeError("Can't detach views in-place: use detach() instead.")
        self._node, self._nr, self._requires = None, 0, False
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without the history. Writes into it are noticed where the tensor was saved for backward."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if value._storage is self._storage and value._chain == self._chain and self._base is None:
            return  # as after `p.data -= g`, which has written already
        self._data, self._storage, self._chain, self._base = value._data, value._storage, value._chain, None

    def is_inference(self) -> bool:
        """Whether the tensor was made in inference mode."""
        return self._inference

    def _is_view(self) -> bool:
        return self._base is not None

    def __array_wrap__(self, array: np.ndarray, context: Any = None, return_scalar: bool = False) -> Tensor:
        return wrap(np.asarray(array))

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        from .printing import tensor_text

        return tensor_text(self)

    def __getattr__(self, name: str) -> Any:
        raise explained(f"{type(self).__name__!r} object", name, vars(Tensor))

    def __contains__(self, element: Any) -> bool:
        if not isinstance(element, (Tensor, int, float, complex)):
            raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")
        return bool((self == element).any())

    def __reversed__(self) -> Tensor:
        return self.flip(0) if self._data.ndim else self

    def __copy__(self) -> Tensor:
        made = type(self)._make_subclass(type(self), self, self._requires)
        made._node, made._nr = self._node, self._nr
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) in memo:
            return memo[id(self)]
        if self.grad_fn is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment. "
                "Copy x.detach() instead, or x.clone(), which stays in the graph."
            )
        made = type(self)._make_subclass(type(self), wrap(np.array(self._data)), self._requires)
        memo[id(self)] = made
        if self._grad is not None:
            made._grad = self._grad.__deepcopy__(memo)
        import copy

        for name, value in self.__dict__.items():
            if name not in _OWN:
                setattr(made, name, copy.deepcopy(value, memo))
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        own = {name: value for name, value in self.__dict__.items() if name not in _OWN}
        return _rebuilt, (type(self), np.array(self._data), self.requires_grad, own)  # without its history: a leaf


_OWN = frozenset(
    ("_data", "_storage", "_requires", "_node", "_nr", "_grad", "_base", "_chain", "_history", "_no_grad_view", "_inference", "_accumulator",
     "_kept_accumulator", "_dual")
)  # fmt: skip


def _rebuilt(cls: type, array: np.ndarray, requires_grad: bool, own: dict[str, Any]) -> Tensor:
    """Undo `Tensor.__reduce_ex__`."""
    made = cls._make_subclass(cls, wrap(array), requires_grad)
    made.__dict__.update(own)
    return made


def wrap(array: Any) -> Tensor:
    """A tensor in the memory of this very array or proxy."""
    if type(array) is not np.ndarray and type(array) is not Tracer and type(array) not in residence.classes:
        array = np.asarray(array)
    if active_traces() and type(array) is np.ndarray and any(t.values is None for t in active_traces()):
        array = as_proxy(array)  # a plain array could not hold what the traced function may write into the tensor
    made = _new(Tensor)
    made._data, made._storage = array, storage_of(array)
    return made


class _recording:
    """Histories of views are made anew also while nothing else is recorded."""

    def __enter__(self) -> None:
        self.before, state.grad = state.grad, True

    def __exit__(self, *exception: Any) -> None:
        state.grad = self.before


def _seen_anew(steps: tuple) -> Any:
    """The view by a chain of steps, as a primitive; one of a part, where no element shows twice."""
    part = all([primitive.put is None for primitive, _, _ in steps])
    if part not in _chains:
        from .dispatch import Primitive

        _chains[part] = Primitive("AsStrided", lambda x, chain: along(chain, x), view=True, part=part)
    return _chains[part]


_chains: dict[bool, Any] = {}
