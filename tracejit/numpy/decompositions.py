"""Factorisations and spectra of `numpy.linalg`."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import at_user_line
from ..ops import linalg
from ..trace import Tracer
from .register import implements
from .systems import in_double, inexact, square


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


@implements(np.linalg.cholesky)
@in_double()
def cholesky(a, /, *, upper=False):
    """As `numpy.linalg.cholesky`. Only one triangle is read, so gradients have only that triangle; symmetric ones come from `(a + a.T) / 2`."""
    a = square(a)
    return linalg.adjoint(linalg.cholesky(linalg.adjoint(a))) if upper else linalg.cholesky(a)


@implements(np.linalg.qr)
@in_double()
def qr(a, mode="reduced"):
    """As `numpy.linalg.qr`, without the mode "raw"."""
    if mode not in ("reduced", "complete", "r"):
        if mode == "raw":
            raise TypeError(at_user_line('np.linalg.qr(..., mode="raw") has no traced form: use the mode "reduced"'))
        raise ValueError(at_user_line(f"Unrecognized mode '{mode}'"))
    q, r = linalg.qr(inexact(a), full=mode == "complete")
    return r if mode == "r" else QRResult(q, r)


@implements(np.linalg.svd)
@in_double()
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    """As `numpy.linalg.svd`."""
    a = square(a) if hermitian else inexact(a)
    if hermitian:
        return _hermitian_svd(a, compute_uv)
    return SVDResult(*linalg.svd(a, full=bool(full_matrices))) if compute_uv else linalg.singular_values(a)


def _hermitian_svd(a, compute_uv: bool):
    """By eigenvalues: their sizes in descending order."""
    if not compute_uv:
        return np.flip(np.sort(np.abs(linalg.eigvalsh(a, lower=True)), axis=-1), -1)
    w, v = linalg.eigh(a, lower=True)
    order = np.flip(np.argsort(np.abs(w), axis=-1), -1)
    w, v = np.take_along_axis(w, order, axis=-1), np.take_along_axis(v, order[..., None, :], axis=-1)
    return SVDResult(v, np.abs(w), linalg.adjoint(v * np.sign(w)[..., None, :].astype(v.dtype)))


@implements(np.linalg.svdvals)
@in_double()
def svdvals(x, /):
    """As `numpy.linalg.svdvals`."""
    return linalg.singular_values(inexact(x))


def _reads_lower(uplo: str) -> bool:
    if not isinstance(uplo, str) or uplo.upper() not in ("L", "U"):
        raise ValueError(at_user_line("UPLO argument must be 'L' or 'U'"))
    return uplo.upper() == "L"


@implements(np.linalg.eigh)
@in_double()
def eigh(a, UPLO="L"):
    """As `numpy.linalg.eigh`. Only one triangle is read, so gradients have only that triangle; symmetric ones come from `(a + a.T) / 2`."""
    lower = _reads_lower(UPLO)
    return EighResult(*linalg.eigh(square(a), lower=lower))


@implements(np.linalg.eigvalsh)
@in_double()
def eigvalsh(a, UPLO="L"):
    """As `numpy.linalg.eigvalsh`; its derivatives are finite where eigenvalues repeat."""
    lower = _reads_lower(UPLO)
    return linalg.eigvalsh(square(a), lower=lower)


def real_where_known(a, w, *vectors):
    """NumPy gives real results for a real matrix with real eigenvalues only. So do we where the eigenvalues are known or can be asked for (in `jit`);
    else they stay complex."""
    if a.dtype.kind != "f":
        return [w, *vectors]
    known = w
    while type(known) is Tracer and known.owner.knows(known.atom):
        known = known.owner.ambient(known.atom)
    asked = type(known) is not Tracer or known.owner.answers()
    return [np.real(x) for x in (w, *vectors)] if asked and np.all(np.imag(known) == 0) else [w, *vectors]


@implements(np.linalg.eig)
def eig(a):
    """As `numpy.linalg.eig`, but complex for real matrices, too, where the eigenvalues cannot be asked for while tracing (in `vmap` and loops)."""
    a = square(a)
    return EigResult(*real_where_known(a, *linalg.eig(a)))


@implements(np.linalg.eigvals)
def eigvals(a):
    """As `numpy.linalg.eigvals`, but complex for real matrices, too, where they cannot be asked for while tracing (in `vmap` and loops)."""
    a = square(a)
    return real_where_known(a, linalg.eigvals(a))[0]
