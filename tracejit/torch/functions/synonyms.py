"""Other names: copies of views, functions that torch calls unsafe, and questions with one answer here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dispatch import FUNCTIONS, function, into_first
from ..inplace import check_writable, overwrite
from ..tensor import Tensor, wrap


def _copy_of(name: str, source: Callable) -> None:
    def copied(*args: Any, **kwargs: Any) -> Any:
        made = source(*args, **kwargs)
        return tuple([t.clone() for t in made]) if isinstance(made, (tuple, list)) else made.clone()

    copied.__name__ = copied.__qualname__ = f"{name}_copy"
    copied.__doc__ = f"A copy of what `{name}` gives."
    function(f"{name}_copy", method=name in ("narrow",))(copied)


for _name in (
    "alias", "as_strided", "diagonal", "narrow", "permute", "select", "split", "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unsqueeze",
    "view_as_complex", "view_as_real",
):  # fmt: skip
    _copy_of(_name, FUNCTIONS[_name])
for _name in ("expand", "unfold", "view", "detach"):
    _copy_of(_name, getattr(Tensor, _name))

for _name in ("chunk", "split", "split_with_sizes"):
    function(f"unsafe_{_name}")(FUNCTIONS[_name])


@function("detach", method=False)
def detach(input: Tensor) -> Tensor:
    """The same memory without the history."""
    return input.detach()


@function("detach_", method=False)
def detach_(input: Tensor) -> Tensor:
    """Forget the history."""
    return input.detach_()


@function("fill", method=True)
def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input`, every element of which is `value`."""
    return input.clone().fill_(value)


FUNCTIONS["fill_"] = Tensor.fill_
FUNCTIONS["zero_"] = Tensor.zero_


@function("atleast_3d", method=False)
def atleast_3d(*tensors: Any) -> Any:
    """With three dimensions at least: a vector becomes (1, n, 1), a matrix (m, n, 1)."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors

    def widened(t: Tensor) -> Tensor:
        n = t._data.ndim
        return t.reshape(1, 1, 1) if n == 0 else t[None, :, None] if n == 1 else t.unsqueeze(-1) if n == 2 else t

    made = tuple([widened(t) for t in given])
    return made if given is not tensors or len(made) > 1 else made[0]


def _becoming(name: str, f: Callable) -> None:
    """`name`, a function of the namespace, written into its first argument."""
    setattr(Tensor, name, into_first(f, name))


@function("polygamma", namespace=False)
def polygamma(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of `digamma`."""
    from .. import special

    return special.polygamma(n, self)


def _of_special(name: str, source: str) -> None:
    def method(self: Tensor, *args: Any) -> Tensor:
        from .. import special

        return getattr(special, source)(self, *args)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"As `torch.special.{source}`."
    setattr(Tensor, name, method)
    _becoming(f"{name}_", method)


for _name, _source in (("igamma", "gammainc"), ("igammac", "gammaincc"), ("mvlgamma", "multigammaln")):
    _of_special(_name, _source)


def _of_modules(name: str) -> None:
    def method(self: Tensor, *args: Any) -> Tensor:
        from ..nn import functional

        return getattr(functional, name)(self, *args)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"As `torch.nn.functional.{name}`."
    setattr(Tensor, name, method)


_of_modules("prelu")
_of_modules("hardshrink")
_becoming("polygamma_", polygamma)
_becoming("renorm_", FUNCTIONS["renorm"])
Tensor.swapaxes_ = Tensor.swapdims_ = Tensor.transpose_


@function("as_strided_scatter")
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy in which the elements at these distances are those of `src`."""
    made = input.clone()
    made.as_strided(size, stride, storage_offset).copy_(src)
    return made


# -- questions
@function("is_inference", method=False)
def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made in inference mode."""
    return input.is_inference()


@function("is_conj")
def is_conj(input: Tensor) -> bool:
    """Whether the tensor is conjugated when it is read: never, `conj` conjugates at once."""
    return False


@function("is_neg")
def is_neg(input: Tensor) -> bool:
    """Whether the tensor is negated when it is read: never."""
    return False


@function("is_signed")
def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return input.dtype.is_signed


@function("is_same_size")
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal."""
    return input._data.shape == other._data.shape


@function("is_set_to", namespace=False)
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same elements in the same memory."""
    a, b = self._data, tensor._data
    return self._storage is tensor._storage and a.shape == b.shape and a.strides == b.strides and self.data_ptr() == tensor.data_ptr()


@function("is_shared", "is_pinned", "is_coalesced", namespace=False)
def is_shared(self: Tensor, device: Any = None) -> bool:
    """No."""
    return False


@function("get_device")
def get_device(input: Tensor) -> int:
    """-1: the CPU."""
    return -1


@function("typename", method=False)
def typename(obj: Any) -> str:
    """The name of the type of a tensor or any other object."""
    return obj.type() if isinstance(obj, Tensor) else f"{type(obj).__module__}.{type(obj).__qualname__}"


# -- the tensor itself
@function("share_memory_", "pin_memory", "to_dense", "coalesce", namespace=False)
def itself(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor itself: it lies in ordinary memory, and is dense."""
    return self


@function("conj_physical_", method=True)
def conj_physical_(input: Tensor) -> Tensor:
    """Conjugate in place."""
    return into_first(FUNCTIONS["conj_physical"], "conj_physical_")(input)


@function("resize_as_")
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return input.resize_(the_template._data.shape)


@function("apply_", namespace=False)
def apply_(self: Tensor, callable: Callable) -> Tensor:
    """Let each element be what a Python function gives of it. Raises `RuntimeError` for a tensor that requires a gradient."""
    return map_(self, self, lambda a, _: callable(a))


@function("map_", namespace=False)
def map_(self: Tensor, tensor: Tensor, callable: Callable) -> Tensor:
    """Let each element be what a Python function gives of it and of the one of `tensor` in its place."""
    if self.requires_grad:
        raise RuntimeError("Can't call map_() on Variable that requires grad. Use var.detach().map_() instead.")
    check_writable(self)
    pairs = np.broadcast(self._array, np.broadcast_to(tensor.detach()._array, self._data.shape))
    overwrite(self, np.array([callable(a.item(), b.item()) for a, b in pairs], self._data.dtype).reshape(self._data.shape))
    return self


@function("new", namespace=False)
def new(self: Tensor, *args: Any) -> Tensor:
    """A tensor of this dtype: of extents, or of a list of numbers."""
    if args and all(isinstance(a, int) for a in args):
        return wrap(np.zeros(args, self._data.dtype))
    return wrap(np.array(args[0]._data if args and isinstance(args[0], Tensor) else args[0] if args else [], self._data.dtype))


class UntypedStorage:
    """The memory that a tensor lies in, by its bytes."""

    def __init__(self, t: Tensor):
        self._root = t._storage._array

    def data_ptr(self) -> int:
        """The address."""
        return self._root.__array_interface__["data"][0]

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._root.nbytes

    size = __len__ = nbytes

    def tolist(self) -> list[int]:
        """The bytes."""
        return list(self._root.tobytes())

    def __repr__(self) -> str:
        return f"[torch.storage.UntypedStorage(device=cpu) of size {self.nbytes()}]"


@function("untyped_storage", "storage", namespace=False)
def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that the tensor lies in, which its views share."""
    return UntypedStorage(self)


@function("as_subclass", namespace=False)
def as_subclass(self: Tensor, cls: type) -> Any:
    """The tensor as one of a subclass, in the same memory and graph."""
    made = Tensor._make_subclass(cls, self, self._requires)
    made._node, made._nr, made._base, made._history = self.grad_fn, self._nr, self._base, self._history
    return made
