"""The rows of `cases` for the special functions, on intervals where they are smooth and moderate."""
from __future__ import annotations

from tracejit.ops import core, special  # noqa: F401  (defines the ops)

from .cases import PAIRS, Case, array, on, on_views, row, rows

PROBABILITY, POSITIVE, ANY = (0.05, 0.95), (0.3, 4.5), (-3.0, 3.0)
UNARY = {
    **dict.fromkeys(("gammaln", "gamma", "digamma", "y0", "y1", "k0", "k1", "k0e", "k1e", "entr", "expi", "exp1"), POSITIVE),
    **dict.fromkeys(("erfcx", "ndtr", "log_ndtr", "i0", "i1", "j0", "j1", "exprel", "erfi", "dawsn"), ANY),
    **dict.fromkeys(("i0e", "i1e"), (0.2, 3.0)), **dict.fromkeys(("erfcinv", "ndtri", "logit"), PROBABILITY), "erfinv": (-0.9, 0.9),
}  # fmt: skip
SHAPES = (3, 4), (), (1,), (0, 3)

for _name, _domain in UNARY.items():
    row(_name, *[on(s, domain=_domain) for s in SHAPES], on_views((3, 4), domain=_domain))
row("polygamma", *[on(s, domain=POSITIVE, order=n) for s in SHAPES for n in (1, 2, 4)], on_views((3, 4), domain=POSITIVE, order=1))
for _name in ("rel_entr", "kl_div", "beta", "betaln", "poch"):
    row(_name, *[on(*s, domain=POSITIVE) for s in PAIRS], on_views((3, 4), (3, 4), domain=POSITIVE))
row("offset", *[on(*s) for s in PAIRS], on_views((3, 4), (3, 4), domain=ANY))


def _between(domains, *shapes):
    return lambda rng, dtype: tuple(array(rng, dtype, s, *d) for s, d in zip(shapes, domains))


def _rows(name: str, *domains, fixed: int) -> None:
    """Every argument has an interval of its own; the first `fixed` are parameters."""
    shapes = [s if len(domains) == 2 else (s[0], *s) for s in PAIRS]
    rows[name] = [Case(core.by_name[name], _between(domains, *s), note=" ".join(map(str, s)), fixed=fixed) for s in shapes]


ORDER, SHAPE = (0.5, 3.0), (0.8, 4.0)
for _name in ("jv", "iv", "ive", "yv", "kv", "kve"):
    _rows(_name, ORDER, POSITIVE, fixed=1)
_rows("binom", (5.0, 9.0), (1.0, 4.0), fixed=0)
_rows("zeta", (1.5, 6.0), POSITIVE, fixed=1)
_rows("stdtr", SHAPE, ANY, fixed=1)
_rows("stdtrit", SHAPE, PROBABILITY, fixed=1)
for _name in ("gammainc", "gammaincc", "gammainc_slope"):
    _rows(_name, SHAPE, POSITIVE, fixed=1)
for _name in ("gammaincinv", "gammainccinv"):
    _rows(_name, SHAPE, PROBABILITY, fixed=1)
for _name in ("betainc", "betaincc", "betainc_slope", "betaincinv", "betainccinv"):
    _rows(_name, SHAPE, SHAPE, PROBABILITY, fixed=2)


rows["scipy_ufunc"] = [Case(core.by_name["scipy_ufunc"], _between([(0, 3)], (3, 4)), {"name": "spence"}, smooth=False, fixed=1)]
