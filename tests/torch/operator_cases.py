"""Functions of the namespace on sampled inputs: each line is a function of the torch module and tensors, and where the inputs come from.

An input is a shape, for normal numbers; or a pair (kind, shape): "positive", "unit" (between -1 and 1), "fraction" (between 0 and 1), "big" (above
1), "index", "bool", "psd", "whole" (floats without a fraction).  `strided` ones are every second column of a larger array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    name: str
    f: Callable
    inputs: tuple
    second: bool = True  # whether second derivatives are compared


def sample(spec, rng: np.random.Generator) -> np.ndarray:
    kind, shape = spec if spec and isinstance(spec[0], str) else ("normal", spec)
    if kind == "index":
        return rng.integers(0, 3, shape)
    if kind == "places":  # all different
        return rng.permutation(12)[: int(np.prod(shape))].reshape(shape)
    if kind == "bool":
        return rng.random(shape) < 0.5
    if kind == "whole":
        return np.floor(rng.normal(size=shape) * 3)
    x = rng.normal(size=shape)
    if kind == "strided":
        return rng.normal(size=(*shape[:-1], 2 * shape[-1]))[..., ::2]
    if kind == "positive":
        return np.abs(x) + 0.3
    if kind == "unit":
        return np.tanh(x) * 0.9
    if kind == "fraction":
        return 1 / (1 + np.exp(-x))
    if kind == "big":
        return np.abs(x) + 1.1
    if kind == "psd":
        return x @ np.swapaxes(x, -1, -2) + 3 * np.eye(shape[-1])
    if kind == "complex":
        return x + 1j * rng.normal(size=shape)
    return x


M, V = (3, 4), (4,)
_UNARY = {
    "sin": M, "cos": M, "tan": M, "asin": ("unit", M), "acos": ("unit", M), "atan": M, "sinh": M, "cosh": M, "tanh": M, "asinh": M,
    "acosh": ("big", M), "atanh": ("unit", M), "exp": M, "exp2": M, "expm1": M, "log": ("positive", M), "log2": ("positive", M),
    "log10": ("positive", M), "log1p": ("positive", M), "sqrt": ("positive", M), "rsqrt": ("positive", M), "reciprocal": ("positive", M),
    "sigmoid": M, "erf": M, "erfc": M, "erfinv": ("unit", M), "lgamma": ("positive", M), "digamma": ("positive", M), "neg": M, "abs": M, "sign": M,
    "square": M, "floor": M, "ceil": M, "trunc": M, "frac": M, "deg2rad": M, "rad2deg": M, "round": M, "nan_to_num": M, "logit": ("fraction", M),
    "relu": M, "sinc": M, "i0": M, "positive": M,
}  # fmt: skip
_BINARY = {
    "add": (M, M), "sub": (M, V), "mul": (M, (3, 1)), "div": (M, ("positive", V)), "remainder": (M, ("positive", M)), "fmod": (M, ("positive", M)),
    "atan2": (M, M), "hypot": (M, M), "logaddexp": (M, V), "maximum": (M, M), "minimum": (M, V), "fmax": (M, M), "fmin": (M, M),
    "copysign": (M, M), "xlogy": (M, ("positive", M)), "pow": (("positive", M), M), "rsub": (M, M),
    "logaddexp2": (M, M),
}  # fmt: skip
_REDUCTIONS = ("sum", "mean", "prod", "var", "std", "amax", "amin", "logsumexp", "norm", "nansum", "nanmean")

CASES = [Case(name, (lambda name: lambda t, x: getattr(t, name)(x))(name), (spec,)) for name, spec in _UNARY.items()]
CASES += [Case(name, (lambda name: lambda t, x, y: getattr(t, name)(x, y))(name), specs) for name, specs in _BINARY.items()]
for _name in _REDUCTIONS:
    if _name != "logsumexp":
        CASES.append(Case(f"{_name}()", (lambda n: lambda t, x: getattr(x, n)())(_name), (M,)))
    CASES.append(Case(f"{_name}(1)", (lambda n: lambda t, x: getattr(x, n)(dim=1))(_name), (M,)))
    CASES.append(Case(f"{_name}(-2, keepdim)", (lambda n: lambda t, x: getattr(x, n)(dim=-2, keepdim=True))(_name), ((2, 3, 4),)))
    if _name not in ("prod", "logsumexp"):
        CASES.append(Case(f"{_name}((0, 2))", (lambda n: lambda t, x: getattr(x, n)(dim=(0, 2)))(_name), ((2, 3, 4),)))


def _case(text: str, *inputs, second: bool = True) -> None:
    """A case of a source text in x, y, z and t, the torch module."""
    CASES.append(Case(text, eval(f"lambda t, x, y=None, z=None: {text}"), inputs, second))


# operators and numbers
_case("x + 2", M)
_case("2 - x", M)
_case("1.5 * x", M)
_case("2 / x", ("positive", M))
_case("x ** 3", M)
_case("x ** 0.5", ("positive", M))
_case("x ** -2", ("positive", M))
_case("x ** 0", M)
_case("2.0 ** x", M)
_case("x % 0.7", M)
_case("x.detach() // 0.7", M)
_case("-x", M)
_case("abs(x)", M)
_case("x * y", ("strided", M), ("strided", M))
_case("x + y", (0, 4), (4,))
_case("x * y", (), M)
_case("x * y", (), ())
_case("t.add(x, y, alpha=2)", M, M)
_case("t.sub(x, y, alpha=0.5)", M, M)
_case("t.addcmul(x, y, z, value=0.3)", M, M, M)
_case("t.addcdiv(x, y, z, value=0.3)", M, M, ("positive", M))
_case("t.lerp(x, y, 0.3)", M, M)
_case("t.div(x, y, rounding_mode='floor')", M, ("positive", M))
_case("t.div(x, y, rounding_mode='trunc')", M, ("positive", M))
_case("t.where(x > 0, x, y)", M, V)
_case("t.where(x > 0, x * 2, 0.0)", M)
_case("x.clamp(-0.5, 0.5)", M)
_case("x.clamp(min=0.1)", M)
_case("t.clamp(x, y, z)", M, ("unit", M), ("big", M))
# reductions
_case("x.max()", M)
_case("x.min()", M)
_case("x.max(dim=1)[0]", M)
_case("x.min(0, keepdim=True)[0]", M)
_case("x.median()", M)
_case("x.median(dim=1)[0]", M)
_case("x.cumsum(1)", M)
_case("x.cumprod(0)", M)
_case("t.logcumsumexp(x, 0)", (5,), second=False)
_case("t.cummax(x, 1)[0]", M)
_case("x.norm(p=1)", M)
_case("x.norm(p=3, dim=1)", M)
_case("x.norm(p=float('inf'), dim=0)", M)
_case("x.var(1, unbiased=False)", M)
_case("t.std_mean(x, 0)[0]", M)
_case("t.quantile(x, 0.3, dim=1)", M)
_case("t.dist(x, y)", M, M)
_case("x.kthvalue(2, 1)[0]", M)
_case("t.diff(x)", M)
_case("t.trapezoid(x, dx=0.5)", M)
_case("t.cov(x)", M)
_case("t.corrcoef(x)", M)
_case("x.sum()", (0,))
_case("x.sum(0)", (0, 3))
_case("x.mean()", ())
_case("t.softmax(x, 1)", M)
_case("t.log_softmax(x, 0)", M)
# shapes
_case("x.reshape(2, 6)", M)
_case("x.view(-1)", M)
_case("x.T * 2", M)
_case("x.transpose(0, 2)", (2, 3, 4))
_case("x.permute(2, 0, 1)", (2, 3, 4))
_case("x.T.reshape(-1)", M)
_case("x.flatten(1)", (2, 3, 4))
_case("x.unflatten(1, (2, -1))", M)
_case("x.squeeze() * 1", (1, 3, 1))
_case("x.squeeze(0) * 1", (1, 3, 1))
_case("x.unsqueeze(1) * 1", M)
_case("x.expand(3, 4)", (3, 1))
_case("x.expand(2, -1, 4)", (3, 1))
_case("x.repeat(2, 3)", M)
_case("t.tile(x, (2,))", M)
_case("t.repeat_interleave(x, 2, dim=1)", M)
_case("x.flip(0)", M)
_case("x.roll(1, 1)", M)
_case("t.rot90(x)", M)
_case("t.movedim(x, 0, 2)", (2, 3, 4))
_case("x.diagonal()", M)
_case("t.diag(x)", V)
_case("t.diag(x, 1)", M)
_case("t.diag_embed(x, 1)", M)
_case("x.tril()", M)
_case("x.triu(1)", M)
_case("x.clone()", M)
_case("t.cat([x, y], 1)", M, (3, 2))
_case("t.stack([x, y], -1)", M, M)
_case("t.hstack([x, y])", V, V)
_case("t.vstack([x, y])", V, V)
_case("t.dstack([x, y])", M, M)
_case("t.column_stack([x, y])", V, M[::-1])
_case("x.split(2, 1)[0]", M)
_case("x.split([1, 3], 1)[1]", M)
_case("x.chunk(2)[0]", M)
_case("x.unbind(1)[2]", M)
_case("t.tensor_split(x, 3, 1)[0]", M)
_case("t.meshgrid(x, y, indexing='ij')[0]", V, (3,))
_case("t.meshgrid(x, y, indexing='xy')[1]", V, (3,))
_case("t.broadcast_tensors(x, y)[1]", M, V)
_case("x.double().float().double()", M)
# indexing
_case("x[1]", M)
_case("x[:, 1]", M)
_case("x[..., None, 1:3]", M)
_case("x[::2, 1::2]", M)
_case("x[-1, -2]", M)
_case("x[y]", M, ("index", (5,)))
_case("x[:, y]", M, ("index", (2, 2)))
_case("x[y, y]", M, ("index", (3,)))
_case("x[x > 0]", M)
_case("x[[0, 2]]", M)
_case("x.gather(1, y)", M, ("index", (3, 2)))
_case("x.index_select(1, y)", M, ("index", (5,)))
_case("t.take(x, y)", M, ("index", (2, 2)))
_case("t.take_along_dim(x, y, 1)", M, ("index", (3, 2)))
_case("x.masked_select(y)", M, ("bool", M))
_case("x.masked_fill(y, 2.0)", M, ("bool", M))
_case("x.scatter(1, y, z)", M, ("index", (3, 1)), (3, 1))
_case("x.scatter_add(1, y, z)", M, ("index", (3, 2)), (3, 2))
_case("x.index_add(0, y, z)", M, ("index", (2,)), (2, 4))
_case("x.index_fill(0, y, 2.0)", M, ("index", (1,)))
_case("x.select(1, 2)", M)
_case("x.narrow(1, 1, 2)", M)
_case("x.sort(1)[0]", M)
_case("x.sort(0, descending=True)[0]", M)
_case("x.topk(2, 1)[0]", M)
_case("x.topk(2, 0, largest=False)[0]", M)
# products
_case("x @ y", M, (4, 2))
_case("x @ y", M, V)
_case("x @ y", V, V)
_case("x @ y", V, (4, 3))
_case("x @ y", (2, 3, 4), (4, 5))
_case("x @ y", (2, 1, 3, 4), (5, 4, 2))
_case("x @ y", ("strided", M), ("strided", (4, 3)))
_case("t.mm(x, y)", M, (4, 2))
_case("t.bmm(x, y)", (2, 3, 4), (2, 4, 2))
_case("t.mv(x, y)", M, V)
_case("t.dot(x, y)", V, V)
_case("t.outer(x, y)", V, (3,))
_case("t.addmm(x, y, z, beta=0.5, alpha=2)", (3, 2), M, (4, 2))
_case("t.addmv(x, y, z)", (3,), M, V)
_case("t.baddbmm(x, y, z)", (2, 3, 2), (2, 3, 4), (2, 4, 2))
_case("t.addr(x, y, z)", (3, 4), (3,), V)
_case("t.einsum('ij,jk->ik', x, y)", M, (4, 2))
_case("t.einsum('bij,bkj,bi->bk', x, y, z)", (2, 3, 4), (2, 5, 4), (2, 3))
_case("t.einsum('ii->i', x)", (3, 3))
_case("t.tensordot(x, y, dims=([1], [0]))", M, (4, 2))
_case("t.kron(x, y)", (2, 2), (2, 3))
_case("t.cross(x, y, dim=1)", (4, 3), (4, 3))
_case("t.trace(x)", (3, 3))
_case("t.matrix_power(x, 3)", (3, 3))
_case("t.cdist(x, y)", (3, 4), (5, 4), second=False)
_case("t.inner(x, y)", M, (2, 4))
# written in place
_case("(x * 1).mul_(2).add_(y)", M, V)
_case("(x * 1).exp_()", M)
_case("(x * 1).sin_()", M)
_case("(x * 1).relu_()", M)
_case("(x * 1).pow_(2)", M)
_case("(x * 1).clamp_(-0.5, 0.5)", M)
_case("(x * 1).copy_(y)", M, V)
_case("(x * 1).fill_(2.0) * y", M, M)
_case("(x * 1).masked_fill_(y, 0.5)", M, ("bool", M))
_case("(x * 1).index_add_(0, y, z)", M, ("index", (2,)), (2, 4))
_case("(x * 1).scatter_(1, y, z)", M, ("index", (3, 1)), (3, 1))
# complex
_case("t.real(x * x)", ("complex", M))
_case("t.imag(x * x)", ("complex", M))
_case("x.abs()", ("complex", M))
_case("x.conj() * x", ("complex", M))
_case("t.exp(x)", ("complex", M))
_case("x @ y", ("complex", M), ("complex", (4, 2)))
_case("t.angle(x)", ("complex", M))
_case("t.complex(x, y)", M, M)
# linear algebra
S = ("psd", (3, 3))
_case("t.linalg.inv(x)", S)
_case("t.linalg.det(x)", S)
_case("t.linalg.slogdet(x)[1]", S)
_case("t.linalg.cholesky(x)", S)
_case("t.linalg.solve(x, y)", S, (3, 2))
_case("t.linalg.solve(x, y)", S, (3,))
_case("t.linalg.solve_triangular(x, y, upper=False)", S, (3, 2))
_case("t.linalg.qr(x)[0].abs()", (4, 3))
_case("t.linalg.eigh(x)[0]", S)
_case("t.linalg.eigh(x)[1].abs()", S)
_case("t.linalg.eigvalsh(x)", S)
_case("t.linalg.svd(x, full_matrices=False)[1]", (4, 3))
_case("t.linalg.svdvals(x)", (4, 3))
_case("t.linalg.pinv(x)", (4, 3))
_case("t.linalg.matrix_exp(x)", (3, 3))
_case("t.linalg.matrix_norm(x)", M)
_case("t.linalg.matrix_norm(x, 'nuc')", M)
_case("t.linalg.matrix_norm(x, 1)", M)
_case("t.linalg.norm(x, 2)", M)
_case("t.linalg.vector_norm(x, 3.5)", M)
_case("t.linalg.cond(x)", S)
_case("t.linalg.vecdot(x, y)", M, M)
_case("t.linalg.multi_dot([x, y, z])", M, (4, 2), (2, 3))
_case("t.linalg.lu(x)[1]", S)
_case("t.logdet(x)", S)
_case("t.cholesky_solve(y, t.linalg.cholesky(x))", S, (3, 2))
# Fourier transforms
_case("t.fft.fft(x).abs()", (5,))
_case("t.fft.ifft(x).real", ("complex", (3, 4)))
_case("t.fft.rfft(x, dim=0).abs()", M)
_case("t.fft.irfft(t.fft.rfft(x), n=4)", M)
_case("t.fft.fft2(x).imag", M)
_case("t.fft.fftn(x, norm='ortho').abs()", (2, 3, 2))
_case("t.fft.rfft2(x).abs()", (2, 3, 4))
_case("t.fft.fftshift(x)", M)
# special functions
_case("t.special.entr(x)", ("positive", M))
_case("t.special.ndtr(x)", M)
_case("t.special.log_ndtr(x)", M)
_case("t.special.i1(x)", M)
_case("t.special.i0e(x)", M, second=False)
_case("t.special.xlog1py(x, y)", M, ("positive", M))
_case("t.special.zeta(2.0, x)", ("big", M), second=False)
_case("t.special.polygamma(2, x)", ("positive", M))
_case("t.special.multigammaln(x + 3, 2)", ("positive", M))
_case("t.special.expit(x)", M)
# strided views, parts, windows
_case("t.as_strided(x, (2, 2), (1, 2), 1)", M)
_case("x.unfold(1, 2, 1)", M)
_case("t.select_scatter(x, y, 1, 2)", M, (3,))
_case("t.slice_scatter(x, y, 1, 0, 2)", M, (3, 2))
_case("t.diagonal_scatter(x, y)", M, (3,))
_case("t.diagflat(x)", (2, 2))
_case("t.block_diag(x, y)", M, (2, 2))
_case("t.hsplit(x, 2)[1]", M)
_case("t.combinations(x)", V)
_case("x.sum_to_size(1, 4)", M)
_case("t.renorm(x, 2, 0, 1.0)", M, second=False)
_case("t.polar(x, y).imag", ("positive", M), M)
_case("(x * 1).unsqueeze_(0).mul_(2)", M)
_case("(x * 1).t_().add_(1)", M)
_case("(x * 1).fill_diagonal_(0.0)", M)
# signals, and numerical mathematics
_case("t.stft(x, 8, 4, return_complex=True).abs().square()", (2, 20))
_case("t.stft(x, 8, win_length=6, center=False, normalized=True, return_complex=False)", (20,))
_case("t.istft(t.stft(x, 8, 2, return_complex=True), 8, 2, length=19)", (2, 20))
_case("t.gradient(x)[0]", M)
_case("t.gradient(x, spacing=[0.5, 2.0], edge_order=2)[1]", M)
_case("t.cumulative_trapezoid(x, dx=0.5)", M)
_case("t.frexp(x).mantissa", M)
_case("t.nanmedian(x, 1)[0]", M)
_case("t.nanquantile(x, 0.4)", M)
_case("x.put(y, z)", M, ("places", (2,)), (2,))
_case("x.as_strided((2, 2), (4, 1), 1) * 2", M)
_case("x.unfold(1, 2, 1) * 2", M)
for _how in ("sum", "prod", "mean", "amax", "amin"):
    for _own in (True, False):
        _case(f"x.scatter_reduce(1, y, z, '{_how}', include_self={_own})", M, ("index", (3, 2)), (3, 2))
        if _how != "sum":
            _case(f"x.index_reduce(0, y, z, '{_how}', include_self={_own})", M, ("index", (2,)), (2, 4))
# systems from factors
_case("t.linalg.lu_solve(*t.linalg.lu_factor(x), y)", ("psd", (3, 3)), (3, 2))
_case("t.linalg.lu_solve(*t.linalg.lu_factor(x), y, left=False, adjoint=True)", ("psd", (3, 3)), (2, 3))
_case("t.lu_unpack(*t.linalg.lu_factor(x)).U", ("psd", (3, 3)), second=False)
_case("t.linalg.tensorinv(x, 1)", (6, 2, 3))
_case("t.linalg.tensorsolve(x, y)", (2, 3, 6), (2, 3))
_case("t.cholesky_inverse(t.linalg.cholesky(x))", ("psd", (3, 3)))
_case("t.triangular_solve(y, x, transpose=True).solution", ("psd", (3, 3)), (3, 2))
_case("t.linalg.inv_ex(x).inverse", ("psd", (3, 3)))
_case("x.polygamma(1)", ("positive", M))
_case("t.mvlgamma(x + 3, 2)", ("positive", M))


def _arranged() -> list[Case]:
    """The tables above on inputs without entries, without axes, and broadcast against each other in every way."""
    found = []

    def of(name: str, f: Callable, kinds: tuple, *arrangements: tuple) -> None:
        for shapes in arrangements:
            inputs = tuple(shape if kind is None else (kind, shape) for kind, shape in zip(kinds, shapes, strict=True))
            found.append(Case(f"{name} {' '.join(map(str, shapes))}", f, inputs))

    for name, spec in _UNARY.items():
        kind = spec[0] if isinstance(spec[0], str) else None
        of(name, lambda t, x, name=name: getattr(t, name)(x), (kind,), ((),), ((0, 3),))
    for name, specs in _BINARY.items():
        kinds = tuple(spec[0] if isinstance(spec[0], str) else None for spec in specs)
        pairs = ((), ()), ((), M), (M, ()), ((3, 1), (1, 4)), ((2, 1, 4), (3, 1)), ((0, 4), (4,)), ((2, 0), (2, 1)), ((), (0,))
        of(name, lambda t, x, y, name=name: getattr(t, name)(x, y), kinds, *pairs)
    for name in _REDUCTIONS:
        alone = () if name in ("var", "std") else (((),),)  # their deviation is NaN: torch has no second derivative of it then
        if name != "logsumexp":
            of(f"{name}()", lambda t, x, name=name: getattr(x, name)(), (None,), *alone, ((0,),), ((2, 0),))
        of(f"{name}(0)", lambda t, x, name=name: getattr(x, name)(dim=0), (None,), *alone, ((0,),), ((0, 3),), ((3, 0),))
        of(f"{name}(-1, keepdim)", lambda t, x, name=name: getattr(x, name)(dim=-1, keepdim=True), (None,), *alone, ((2, 0),), ((0, 3),))
    return found


ARRANGED = _arranged()
for _text in (
    "x.reshape(-1)", "x.flatten()", "x.unsqueeze(0)", "x.expand(2, *x.shape)", "x.clone()", "t.stack([x, x])", "x.sort()[0]", "x.cumsum(0)",
    "t.softmax(x, 0)", "t.log_softmax(x, -1)", "t.where(x > 0, x, 2 * x)", "x.clamp(-0.5, 0.5)", "x.masked_fill(x > 0, 3.0)", "(x * 1).mul_(2)",
    "x ** 2", "2 / (x + 9)", "x.max(0)[0]", "x.squeeze()", "x[..., None]", "x[x > -9]", "x.t()", "t.atleast_2d(x)", "x.prod(0)", "x.median()",
    "t.dist(x, 2 * x)", "x.median(0)[0]", "x.kthvalue(1, 0)[0]", "x.mode(0)[0]", "x.norm(p=float('inf'))", "t.quantile(x, 0.5)", "x.argmax(0) + 0.0",
):  # fmt: skip
    for _shape in ((), (0,), (3, 0)):
        ARRANGED.append(Case(f"{_text} of {_shape}", eval(f"lambda t, x: {_text}"), (_shape,)))
for _text, _shapes in (
    ("x @ y", ((0, 3), (3, 2))), ("x @ y", ((2, 0), (0, 3))), ("x @ y", ((0,), (0,))), ("x @ y", ((2, 0, 3), (3, 4))),
    ("t.outer(x, y)", ((0,), (3,))),
    ("t.cat([x, y])", ((0, 3), (2, 3))), ("t.bmm(x, y)", ((0, 2, 3), (0, 3, 2))), ("t.einsum('ij,jk->ik', x, y)", ((0, 3), (3, 2))),
    ("t.dot(x, y)", ((0,), (0,))), ("t.where(x > 0, x, y)", ((), (2, 3))), ("t.lerp(x, y, 0.3)", ((3, 1), (4,))), ("t.kron(x, y)", ((), (2, 2))),
    ("t.add(x, y, alpha=2)", ((), (0, 2))), ("t.addcmul(x, y, y)", ((3, 1), (1, 4))), ("t.tensordot(x, y, dims=0)", ((), (2,))),
):  # fmt: skip
    ARRANGED.append(Case(f"{_text} of {_shapes[0]} {_shapes[1]}", eval(f"lambda t, x, y: {_text}"), _shapes))
