"""Functions without derivatives, other names, and fixed values of functions that are compared with torch's in the table."""

import pytest

import tracejit.torch as ours

from .semantics import as_real


def various(torch):
    nan = float("nan")
    holes = torch.tensor([[1.0, nan, 3.0, 2.0], [nan, nan, 5.0, 4.0]], dtype=torch.float64)
    i = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    yield "nanmedian", (torch.nanmedian(holes), list(torch.nanmedian(holes, 1)))
    yield "nanquantile", (torch.nanquantile(holes, 0.4, 1), torch.nanquantile(holes, torch.tensor([0.1, 0.5], dtype=torch.float64), 0, keepdim=True))
    yield "frexp", list(torch.frexp(torch.tensor([0.0, 1.0, -3.5])))
    yield "histogram", list(torch.histogram(torch.tensor([1.0, 2.0, 1.0]), 4, range=(0.0, 3.0), weight=torch.tensor([1.0, 2.0, 4.0])))
    yield "integers", i.long().scatter_reduce(1, torch.tensor([[0, 0], [1, 1]]), i.long(), "amax", include_self=False)
    yield "mean of integers", i.long().scatter_reduce(1, torch.tensor([[0, 0], [1, 1]]), i.long(), "mean")
    yield "copies", (torch.permute_copy(i, (1, 0)), torch.unfold_copy(i, 0, 1, 1), torch.fill(i, 3.0), torch.zero_(i.clone()))
    yield "questions", (torch.is_same_size(i, i), torch.is_signed(i), i.is_conj(), torch.typename(i))
    yield "places", (torch.nonzero_static(i, size=5), torch.atleast_3d(i))
    written = i.clone()
    written.apply_(lambda v: v + 1)
    yield "by hand", written.map_(i, lambda a, b: a * b)
    for periodic in (True, False):
        yield f"windows {periodic}", (torch.bartlett_window(7, periodic), torch.kaiser_window(7, periodic, 8.0))


def test_functions_as_torch():
    as_real(lambda torch: dict(various(torch)))


def test_a_signal_comes_back():
    x = ours.arange(16.0)
    z = ours.stft(x, 8, 2, window=ours.hann_window(8), return_complex=True)
    assert z.shape == (5, 9)
    assert ours.allclose(ours.istft(z, 8, 2, window=ours.hann_window(8)), x, atol=1e-5)
    with pytest.raises(RuntimeError, match="return_complex"):
        ours.stft(x, 8)
    with pytest.raises(RuntimeError, match="0 < win_length <= n_fft"):
        ours.stft(x, 8, win_length=9, return_complex=True)
    with pytest.raises(RuntimeError, match="window overlap"):
        ours.istft(z[:, ::8], 8, 8, window=ours.hann_window(8))


def test_elements_that_go_to_one_place():
    x, at, src = ours.tensor([1.0, 1.0]), ours.tensor([0, 0]), ours.tensor([3.0, 3.0], requires_grad=True)
    made = x.scatter_reduce(0, at, src, "amax")
    assert made.tolist() == [3.0, 1.0]
    made.sum().backward()
    assert src.grad.tolist() == [0.5, 0.5]  # each gets its share
    assert x.scatter_reduce(0, at, src, "prod", include_self=False).tolist() == [9.0, 1.0]
    assert x.index_reduce(0, at, src, "mean").tolist() == [pytest.approx(7 / 3), 1.0]
    with pytest.raises(RuntimeError, match="sum, prod, mean, amax or amin"):
        x.scatter_reduce(0, at, src, "max")
    compiled = ours.compile(lambda x, src: x.scatter_reduce(0, at, src, "prod"))
    for _ in range(3):
        assert compiled(x, src.detach()).tolist() == [9.0, 1.0]


_BESSEL = (
    "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1",
    "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "airy_ai", "spherical_bessel_j0",
)  # fmt: skip
_POLYNOMIALS = (
    *[f"{how}chebyshev_polynomial_{kind}" for how in ("", "shifted_") for kind in "tuvw"], "hermite_polynomial_h", "hermite_polynomial_he",
    "laguerre_polynomial_l", "legendre_polynomial_p",
)  # fmt: skip


def special(torch):
    x = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    for name in _BESSEL:
        yield name, getattr(torch.special, name)(x)
    for name in _POLYNOMIALS:
        yield name, [getattr(torch.special, name)(x, torch.tensor(n)) for n in range(5)]
    yield "gamma", (torch.igamma(x, x), torch.igammac(x, x * 2), x.igamma(x), x.clone().igamma_(x), x.mvlgamma(1))


def test_special_functions_as_torch():
    as_real(lambda torch: dict(special(torch)))


def test_polynomials():
    x = ours.tensor([0.5], dtype=ours.float64)
    assert ours.special.legendre_polynomial_p(x, 2).tolist() == [-0.125]
    assert ours.special.hermite_polynomial_h(x, ours.tensor([0, 1, 3])).tolist() == [1.0, 1.0, -5.0]
    with pytest.raises(NotImplementedError, match="pass x.detach"):
        ours.special.bessel_j0(x.requires_grad_())


def test_results_that_say_whether_all_went_well():
    bad = -ours.eye(2)
    L, info = ours.linalg.cholesky_ex(bad)
    assert info.item() > 0 and L.isnan().all()
    with pytest.raises(ours.linalg.LinAlgError):
        ours.linalg.cholesky_ex(bad, check_errors=True)
    assert ours.linalg.inv_ex(ours.zeros(2, 2)).info.item() > 0
    assert ours.linalg.lu_factor_ex(ours.zeros(2, 2)).info.item() == 1
