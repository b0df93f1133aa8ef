"""Expressions that are easily got wrong, beside torch: NaN, numbers that do not fit, 0-d and empty tensors, names of arguments, `out`.

A line is what a user may write, of x (float32, 3 by 4), i (int64, 3 by 4), b (booleans), n (with NaN) and s (0-d). Values, dtypes and shapes are
compared, or types of exceptions.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tracejit.torch as ours

from .semantics import assert_same, plain

EXPRESSIONS = """
x.sum(axis=0)
x.mean(axis=1, keepdims=True)
x.max(axis=0)
x.argmax(axis=1)
x.std(axis=0, keepdims=True)
x.sort(axis=0)
x.squeeze(axis=0)
x.softmax(axis=0)
torch.stack([x, x], axis=1)
torch.sum(x, axis=0, keepdims=True)
torch.linalg.norm(x, axis=0)
x.swapaxes(axis0=0, axis1=1)
torch.flip(x, dims=[0])
x.permute(dims=(1, 0))
x.view(size=(4, 3))
x.reshape(shape=(4, 3))
x.expand(size=(2, 3, 4))
x.repeat(repeats=(2, 2))
torch.tile(x, dims=(2, 1))
torch.zeros(size=(2, 3))
torch.ones(size=(2, 3))
x.sum(0, dim=0)
x.sum(dim=0, axis=0)
torch.mean(x, 0, out=torch.empty(4))
torch.max(x, 0, out=(torch.empty(4), torch.empty(4, dtype=torch.int64)))
torch.sort(x, out=(torch.empty(3, 4), torch.empty(3, 4, dtype=torch.int64)))[0]
torch.mm(x, x.T, out=torch.empty(3, 3))
torch.arange(4, out=torch.empty(4))
torch.zeros(3, out=torch.ones(3))
torch.add(x, x, out=torch.empty(0))
torch.add(x, x, out=torch.empty(3, 4, dtype=torch.int64))
torch.add(x.requires_grad_(), x, out=torch.empty(3, 4))
torch.linalg.inv(x[:, :3] + 9 * torch.eye(3), out=torch.empty(3, 3))
torch.special.entr(x, out=torch.empty(3, 4))
torch.where(x > 0, x, 0 * x, out=torch.empty(3, 4))
torch.clamp(x, 0, 1, out=torch.empty(3, 4))
i % 0
5 % i
torch.fmod(i, i)
torch.div(i, 0, rounding_mode="trunc")
-b
+b
x << 1
torch.lcm(x, x)
2 ** torch.tensor([-1, 0, 3])
torch.tensor([1, -1, -1, 3, 0]) ** torch.tensor([-3, -3, -2, -1, 0])
torch.float_power(torch.complex(x, x), 2)
torch.float_power(2, i)
torch.logaddexp(torch.complex(x, x), torch.complex(x, -x))
torch.addcmul(x, i, i)
torch.addcmul(i, i, i, value=2.5)
torch.addcdiv(x, i, i + 1)
torch.lerp(x, x.double(), 0.5)
torch.add(i, 1, alpha=2.5)
torch.hypot(i, i)
torch.ldexp(x, torch.tensor(2))
torch.tensor([200], dtype=torch.uint8) + 300
torch.tensor([200], dtype=torch.uint8) * -1
torch.tensor([1], dtype=torch.int8) * 1000
torch.tensor([200], dtype=torch.uint8).add_(300)
torch.tensor([200], dtype=torch.uint8).fill_(300)
torch.tensor([200], dtype=torch.uint8).fill_(-1)
torch.full((2,), 300, dtype=torch.uint8)
torch.full((2,), float("inf"), dtype=torch.int64)
torch.full_like(i, float("nan"))
i.masked_fill(b, float("nan"))
x.masked_fill(b, torch.tensor([0.0, 1.0]))
torch.tensor(-1, dtype=torch.uint8)
torch.tensor(300, dtype=torch.uint8)
torch.tensor(2**63)
torch.tensor(None)
torch.tensor([1.0, None])
torch.tensor("a")
torch.tensor({1})
torch.tensor(range(3))
torch.zeros(-1)
torch.zeros(2.0)
torch.eye(-1)
x.fill_("a")
x.type("torch.DoubleTensor")
torch.clamp(x, min=float("nan"))
torch.clamp(x, s * float("nan"), s)
n.clamp(0, 0.5)
n.sign()
n.sgn()
n.median()
n.median(1)
n.nanmedian()
n.cummax(1)
n.cummin(1)
n.unique()
n.mode(1)[0]
n.kthvalue(2)[0]
n.sort(descending=True)
n.amax(1)
n.argmax(1)
torch.heaviside(n, s)
torch.complex(x, x).logsumexp(0)
torch.complex(x, x).sign()
torch.complex(x, x).floor()
torch.complex(x, x).softmax(0)
torch.complex(x, x).erf()
torch.complex(x, x) > 1
torch.complex(x, x).max()
b.sum(dtype=torch.uint8)
i.cumsum(0, dtype=torch.int32)
i.to(torch.uint8).trace()
i.quantile(0.5)
x.quantile(1.5)
x[b.to(torch.uint8)]
torch.where(i, x, x)
torch.isclose(x, x.double())
x.gather(1, torch.full((3, 1), 7))
x.gather(1, torch.full((4, 1), 0))
x.scatter(0, torch.full((1, 4), 9), 9)
x.scatter(0, torch.zeros(2, 4, dtype=torch.int64), torch.ones(1, 4))
x.index_select(0, torch.tensor([[1]]))
x.index_add(0, torch.tensor([0, 0]), torch.ones(1, 4))
x.index_copy(0, torch.tensor([7]), torch.ones(1, 4))
x.index_fill(0, torch.tensor([-1]), 2)
x.take(torch.tensor([-1, 0]))
x.take(torch.tensor([100]))
x.take_along_dim(torch.tensor([[-1], [0], [1]]), 1)
x.masked_scatter(b, torch.ones(1))
s.gather(0, torch.tensor(0))
b[0, 0].gather(0, torch.tensor([0]))
b[0, 0].max(0)
s.scatter(0, torch.tensor(0), 2.0)
s.scatter_add(0, torch.tensor(0), s)
s.index_add(0, torch.tensor([0]), s)
s.index_copy(0, torch.tensor([0]), s)
s.index_fill(0, torch.tensor([0]), 7)
s.cummax(0)
s.logcumsumexp(0)
s.quantile(0.5, 0)
s.unfold(0, 1, 1)
s.split(1)
s.chunk(1)
s.narrow(0, 0, 1)
s.roll(1, 0)
s.diff()
s.tril()
x[0].tril()
s.diag()
torch.ones(2, 3, 4).H
x.repeat(2)
x.roll((1, 2))
x.rot90(1, (0, 0))
x.flip()
x.expand(-1, -1, -1)
x.diagonal(0, 0, 0)
x.view(3.0, 4)
x.diff(prepend=x[:, :1], append=x[:, :2])
x.diff(0)
torch.diag_embed(x, dim1=0, dim2=1)
torch.diag_embed(x, 1, -1, 0)
torch.gradient(x, spacing=None)
torch.repeat_interleave(torch.tensor([1, 2, 0]))
x.repeat_interleave(torch.tensor([1, 2, 0]), 0, output_size=3)
torch.searchsorted(torch.tensor([3, 1, 2]), torch.tensor([2, 3]), sorter=torch.tensor([1, 2, 0]))
torch.searchsorted(x[0].sort()[0], 0.3)
x.tensor_split(torch.tensor([1, 2]), 1)
x.tensor_split(torch.tensor(2), 1)
torch.atleast_1d([x, s])
torch.atleast_2d((x, s))
torch.cov(x[:1])
torch.cov(x, fweights=torch.tensor([1, 2, 1, 3]))
torch.cov(x, aweights=torch.tensor([0.5, 1.0, 2.0, 0.25]), correction=0)
torch.corrcoef(x[:1])
torch.cov(i)
torch.trapezoid(i, i)
torch.polygamma(1, i + 1)
i.logit()
torch.einsum("...ik, ...j -> ij", torch.ones(1, 2, 3), torch.ones(3))
torch.tensordot(torch.ones(1, 1, 1), torch.ones(2, 1, 2), dims=((0, 1), (2, 0)))
torch.addmv(i[:, 0], i, i[0], beta=0.2, alpha=0.6)
torch.addbmm(i.int()[:, :3], i.int()[None], i.int().T[None])
torch.addr(b, b[:, 0], b[0])
torch.triu_indices(3, 3, dtype=torch.int32)
torch.linalg.vander(x)
torch.linalg.eigvals(torch.zeros(0, 0))
torch.linalg.matrix_rank(torch.zeros(0, 0))
torch.linalg.lu(x)
torch.linalg.lu_factor(x)
torch.linalg.lstsq(x.T, x.T)
torch.logdet(torch.tensor([[1 + 2j, 0.5], [0.25, 3j]]))
torch.special.chebyshev_polynomial_t(x, 2.7)
torch.istft(torch.complex(x.T[:, :2], x.T[:, 1:]), 4)
torch.finfo(torch.int32)
x.diff(0, prepend=x[:, :1])
torch.div(5.5, x, rounding_mode="trunc")
torch.view_as_real(torch.complex(s * float("inf"), s))
torch.linalg.cholesky_ex(torch.stack([torch.eye(2), -torch.eye(2)])).info
torch.linalg.inv_ex(torch.stack([2 * torch.eye(2), torch.zeros(2, 2)]))[0][0]
torch.linalg.solve_ex(torch.stack([2 * torch.eye(2), torch.zeros(2, 2)]), torch.ones(2, 2))[0][0]
torch.nn.functional.cosine_similarity(x[None], x[:, None], -2)
torch.nn.functional.cosine_similarity(x, x[:1, None], -1)
None in x
torch.full((2,), "a")
x.requires_grad_("a")
x.__setitem__(0, None)
x.__setitem__(0, "a")
x.__setitem__(0, 1j)
x.__setitem__((slice(None), 1), torch.ones(3, 1))
x[:, 0].copy_(torch.ones(3, 1))
i.__setitem__([0], torch.tensor([2.7]))
torch.arange(1.0, 5.000001, 2.0, dtype=torch.int64)
torch.arange(0, 4, 0.5, dtype=torch.int64)
torch.special.xlog1py(x.abs(), 2.5)
torch.special.gammainc(x.abs().half(), x.abs().half())
torch.mvlgamma(x.abs().half() + 3, 2)
(1e3 * x.half()).norm(4)
torch.tensor(b"ab")
list(reversed(x))
""".strip().split("\n")


def _values(torch):
    a = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    holes = np.where(np.arange(12).reshape(3, 4) % 5 == 1, np.float32(np.nan), a)
    return {
        "torch": torch, "x": torch.from_numpy(a.copy()), "i": torch.arange(12).reshape(3, 4), "b": torch.from_numpy(a > 0),
        "n": torch.from_numpy(holes), "s": torch.tensor(0.5),
    }  # fmt: skip


def _made(torch, expression):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(eval(expression, _values(torch)))
        except Exception as error:
            return error


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_torch(expression):
    a, b = _made(ours, expression), _made(pytest.importorskip("torch"), expression)
    if isinstance(b, Exception):
        assert isinstance(a, type(b)), f"{a!r} where torch raises {b!r}"
        assert str(a)
    else:
        assert_same(a, b, rtol=2e-5, atol=1e-6)
