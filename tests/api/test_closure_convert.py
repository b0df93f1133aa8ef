"""Functions whose closures became arguments."""

import numpy as np
import pytest

import tracejit as tj


@pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
def test_closures_get_derivatives_from_rules(wrap):
    def f(w, x):
        g, consts = tj.closure_convert(lambda x: {"y": w * np.sin(x)}, x)
        twice = tj.custom(
            lambda x, *consts: g(x, *consts)["y"], vjp=(lambda x, *c: (g(x, *c)["y"], (x, c)), lambda r, ct: (0 * ct, np.sin(r[0]) * ct))
        )
        return np.sum(twice(x, *consts))

    x = np.array([1.0, 2.0])
    got = wrap(tj.grad(f, argnums=(0, 1)))(np.array([3.0, 4.0]), x)
    np.testing.assert_allclose(got[0], np.sin(x))
    np.testing.assert_array_equal(got[1], [0.0, 0.0])


def test_refused():
    g, consts = tj.closure_convert(lambda x: x + 1, tj.ShapeDtype((), float))
    assert consts == [] and g(2.0) == 3.0
    for args in ((np.ones(2),), ((1.0, 2.0),), (1.0, 2.0)):
        with pytest.raises(TypeError, match="test_closure_convert.py.*was traced for"):
            g(*args)
