"""Parametrizations of weights: by lengths and directions, with a largest singular value of one, orthogonal."""

from __future__ import annotations

from typing import Any

from ... import linalg
from ...dispatch import FUNCTIONS
from ...modes import no_grad
from ...tensor import Tensor
from .. import functional as F
from ..modules.module import Module
from .parametrize import register_parametrization
from .weights import _lengths


class _WeightNorm(Module):
    """A weight from lengths along `dim` and directions."""

    def __init__(self, dim: int | None = 0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def _of(self) -> int | None:
        return None if self.dim == -1 else self.dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / _lengths(weight_v, self._of()))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return _lengths(weight, self._of()), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Let a weight be its direction times its lengths along `dim` (Salimans and Kingma, 2016): `original0` are the lengths.

    >>> import tracejit.torch as torch
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2))
    >>> layer.parametrizations.weight.original0.shape
    torch.Size([2, 1])
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which power iterations estimate in training."""

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12):
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
        self.dim = dim if dim >= 0 else dim + weight.dim()
        self.eps, self.n_power_iterations = eps, n_power_iterations
        if weight.dim() > 1:
            with no_grad():
                matrix = self._matrix(weight.detach())
                height, width = matrix.shape
                self.register_buffer("_u", F.normalize(FUNCTIONS["randn"](height, dtype=weight.dtype), dim=0, eps=eps))
                self.register_buffer("_v", F.normalize(FUNCTIONS["randn"](width, dtype=weight.dtype), dim=0, eps=eps))
                self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.transpose(0, self.dim).flatten(1) if self.dim else weight.flatten(1)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(F.normalize(FUNCTIONS["mv"](matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(FUNCTIONS["mv"](matrix.t(), self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        # Clones: the buffers change at the next call, maybe before the way back.
        return weight / FUNCTIONS["dot"](self._u.clone(), FUNCTIONS["mv"](matrix, self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> Module:
    """Divide a weight by its largest singular value, which power iterations estimate in training (Miyato et al., 2018)."""
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    return register_parametrization(module, name, _SpectralNorm(getattr(module, name), n_power_iterations, dim, eps))


class _Orthogonal(Module):
    """A matrix with orthonormal columns, or rows if it is wide: an orthogonal one made of what is antisymmetric, after a fixed one, `base`."""

    def __init__(self, weight: Tensor, how: str, use_trivialization: bool):
        super().__init__()
        self.how, self.shape = how, tuple(weight.shape)
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        X = X.mT if wide else X
        n, k = X.shape[-2:]
        A = X.tril()
        if n != k:
            A = FUNCTIONS["cat"]([A, FUNCTIONS["zeros"](*A.shape[:-1], n - k, dtype=A.dtype)], -1)
        A = A - A.mH
        if self.how == "matrix_exp":
            made = linalg.matrix_exp(A)
        else:
            identity = FUNCTIONS["eye"](n, dtype=A.dtype)
            made = linalg.solve(identity - 0.5 * A, identity + 0.5 * A)
        base = self.base if self.use_trivialization else None
        made = made[..., :k] if base is None else base @ made[..., :k] if n == k else (made @ base)
        return made.mT if wide else made

    def right_inverse(self, Q: Tensor) -> Tensor:
        if tuple(Q.shape) != self.shape:
            raise ValueError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {tuple(Q.shape)}.")
        if not self.use_trivialization:
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when use_trivialization=False."
            )
        q, r = linalg.qr(Q.mT if Q.shape[-2] < Q.shape[-1] else Q)
        self.base = q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)
        start = FUNCTIONS["zeros_like"](Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)  # a diagonal has no part in what is antisymmetric
        return start


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True) -> Module:
    """Let a matrix be orthogonal: by "matrix_exp" or "cayley" of what is antisymmetric, after the orthogonal part of what the matrix was.

    >>> import tracejit.torch as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 3))
    >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(3), atol=1e-5)
    True
    """
    weight = getattr(module, name)
    if weight.dim() < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions.")
    if orthogonal_map not in (None, "matrix_exp", "cayley"):
        raise ValueError(f'orthogonal_map has to be "matrix_exp" or "cayley". Got: {orthogonal_map}')
    made: Any = _Orthogonal(weight, orthogonal_map or "matrix_exp", use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
