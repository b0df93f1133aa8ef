"""Rows of the operations that have graphs as bodies: scan, while_loop, sweeps, switch, checkpoint; and of the name that a policy asks for."""
from __future__ import annotations

import numpy as np

from tracejit.api.checkpoint_policies import everything_saveable
from tracejit.ir import ArrayType
from tracejit.ops.binomial_scan import binomial_scan
from tracejit.ops.bodies import build
from tracejit.ops.checkpoint import checkpoint, named
from tracejit.ops.scan import scan
from tracejit.ops.sweeps import Sweep, sweeps
from tracejit.ops.switch import switch
from tracejit.ops.while_loop import while_loop

from .cases import Case, array, rows

F8 = np.dtype("f8")
VECTOR, NUMBER = ArrayType((3,), F8), ArrayType((), F8)


def _floats(*shapes):
    def make(rng, dtype):
        if dtype != F8:
            raise TypeError("the bodies of these rows are made for float64")
        return tuple(array(rng, F8, s, 0.2, 1.5) for s in shapes)
    return make


def _body(types, f):
    graph, outside = build(types, f)
    assert not outside
    return graph


# The constant scales, the state is mixed with each row, and both are read out.
_recurrence = _body([NUMBER, VECTOR, VECTOR], lambda c, h, x: [np.sin(h * c + x), h * x])
_totals = _body([NUMBER, NUMBER], lambda s, x: [s + x * x, s])
_cond = _body([NUMBER, NUMBER, VECTOR], lambda limit, s, x: [s < limit])
_step = _body([NUMBER, NUMBER, VECTOR], lambda c, s, x: [s + c * c + 0.1, x * np.cos(c)])
_branches = tuple(_body([NUMBER, VECTOR], f) for f in (lambda a, x: [a * x, a], lambda a, x: [np.exp(x), a * a], lambda a, x: [x, np.sum(x * x)]))

rows["scan"] = [
    Case(scan, _floats((), (3,), (4, 3)), dict(body=_recurrence, consts=1, carry=1, length=4, reverse=False), note="forwards"),
    Case(scan, _floats((), (3,), (4, 3)), dict(body=_recurrence, consts=1, carry=1, length=4, reverse=True), note="backwards"),
    Case(scan, _floats((), (5,)), dict(body=_totals, consts=0, carry=1, length=5, reverse=False), note="numbers"),
]
rows["binomial_scan"] = [
    Case(binomial_scan, _floats((), (3,), (4, 3)), dict(body=_recurrence, consts=1, carry=1, length=4, reverse=reverse, slots=2), note=note)
    for reverse, note in ((False, "forwards"), (True, "backwards"))
]
rows["while_loop"] = [Case(while_loop, _floats((), (), (), (3,)), dict(cond=_cond, body=_step, cond_consts=1, body_consts=1, limit=None))]
# Three sweeps: the state and a product on the way there, a sum of what was left on the way back, and both once more.
_there = _body([NUMBER, NUMBER, VECTOR], lambda c, s, x: [s + c * c + 0.1, x * np.cos(c), x * s])
_back = _body([NUMBER, VECTOR, VECTOR], lambda c, z, r: [np.sin(z) + c * r, z * r])
_again = _body([VECTOR, VECTOR, VECTOR], lambda y, r, q: [y * 0.9 + r * q])
_layout = Sweep(1, 2), Sweep(1, 1, ((0, 0),)), Sweep(0, 1, ((0, 0), (1, 0)))
_sweeps = dict(cond=_cond, bodies=(_there, _back, _again), cond_consts=1, layout=_layout, limit=None)
rows["sweeps"] = [Case(sweeps, _floats((), (), (), (3,), (), (3,), (3,)), _sweeps)]
rows["switch"] = [
    Case(switch, lambda rng, dtype, i=i: (np.int64(i), *_floats((), (3,))(rng, dtype)), dict(branches=_branches), note=f"branch {i}")
    for i in range(-1, 4)
]
_computed = _body([NUMBER, VECTOR], lambda a, x: [a * x * x, a * a * a])
rows["checkpoint"] = [
    Case(checkpoint, _floats((), (3,)), dict(graph=_computed, policy=policy, again=again), note=note)
    for policy, again, note in ((None, False, "nothing saved"), (everything_saveable, False, "everything saved"), (None, True, "again"))
]
rows["named"] = [Case(named, lambda rng, dtype: (array(rng, dtype, (3,)),), dict(name="x"))]
